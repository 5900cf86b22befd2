"""What brings images by itself, watched folders and cameras, and where results go besides the history: a thread each."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from oddlens.errors import DiskError, OddlensError
from oddlens.history.filters import Filter
from oddlens.history.history import History
from oddlens.history.records import HistoryError, Inspection
from oddlens.inference.cameras import Camera
from oddlens.inference.event_hub import EventHub
from oddlens.inference.live_station import StationError
from oddlens.inference.outlets import Outlets, event_of
from oddlens.inference.watch import Mover, WatchedFile, WatchedFolder, check_watchable, memory_in
from oddlens.io.addresses import shown_address
from oddlens.service.inspector import Inspector, StoppedError
from oddlens.service.settings import ServeSettings
from oddlens.service.stations import Station, Stations

AT_ONCE = 4
"""Images of one folder that are on their way together: one is decoded while another is scored and a third one kept."""

_LOG = logging.getLogger("oddlens.service")

EVERY_S = 1.0
"""Seconds between two looks into a folder, and between two frames of a camera."""

PAUSE_S = 5.0
"""Seconds after which images that cannot be kept are tried again."""


class Sources:
    """All of them. What is lost and found again is an event of kind "source": {"name", "state": "ok" or "lost", "sentence"}.

    Raises:
        UsageError: A folder, a camera, an outlet or the name of a station is wrong; nothing runs then.
    """

    def __init__(
        self,
        settings: ServeSettings,
        stations: Stations,
        inspector: Inspector,
        history: History,
        events: EventHub,
        say_changed: Callable[[Station], None],
    ) -> None:
        self._stations, self._inspector, self._history, self._events = stations, inspector, history, events
        self._say_changed = say_changed
        self._stop = threading.Event()
        self._lost: dict[tuple[str | None, str], str] = {}
        self._cameras: list[Camera] = []
        self._threads: list[threading.Thread] = []
        self._add("changes", self._follow)
        for each in settings.watch:
            station, folder = stations[each.station], Path(each.address)
            check_watchable(folder)
            self._add(each.address, partial(self._watch, station, folder, settings))
        for each in settings.cameras:
            station = stations[each.station]
            camera = Camera(each.address, self._teller(station.name, shown_address(each.address)))
            self._cameras.append(camera)
            self._add(camera.name, partial(self._look, station, camera))
        self._outlets = Outlets(settings.sinks, self._teller(None, "results elsewhere"))

    def start(self) -> None:
        """Start the threads."""
        for camera in self._cameras:
            camera.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Bring no more images."""
        self._stop.set()
        for camera in self._cameras:
            camera.stop()

    def close(self) -> None:
        """End the threads, when the inspector has stopped, and deliver what waits."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._outlets.close()

    def send(self, inspection: Inspection) -> None:
        """Give a kept inspection to all outlets. It does not wait."""
        path = {"path": inspection.source}
        found = path | {"error": inspection.error} if inspection.detection is None else {**inspection.detection, **path}
        more = {"id": inspection.id, "station_version": inspection.station_version, "sha256": inspection.digest}
        self._outlets.send(
            event_of(found | more, station=inspection.station, time=inspection.time, identity=inspection.identity)
        )

    def lost(self, station: str) -> list[dict[str, object]]:
        """What a station lacks now, as events say it."""
        found = sorted(self._lost.items(), key=str)
        return [_event(name, False, sentence) for (of, name), sentence in found if of in (None, station)]

    def _add(self, name: str, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work, name=f"oddlens-source {name}", daemon=True))

    def _teller(self, station: str | None, name: str) -> Callable[[bool, str], None]:
        def tell(is_ok: bool, sentence: str) -> None:
            if is_ok:
                self._lost.pop((station, name), None)
            else:
                self._lost[station, name] = sentence
            self._events.publish("source", station, _event(name, is_ok, sentence))

        return tell

    def _follow(self) -> None:
        """Tell of stations that other programs change or mark."""
        while not self._stop.wait(EVERY_S):
            with self._kept():
                for station in filter(Station.is_changed, self._stations):
                    self._say_changed(station)

    def _watch(self, station: Station, folder: Path, settings: ServeSettings) -> None:
        """Inspect what comes into a folder. Its content is the key of an inspection, so that no crash makes two of one image."""
        memory = memory_in(settings.home / "watched", station.name, folder)
        mover = Mover(folder) if settings.move else None
        tell = self._teller(station.name, str(folder))
        with self._kept():
            if not any(self._history.count(Filter(station=station.name, origin="folder")).values()):
                memory.unlink(missing_ok=True)  # of another history: it would pass over what has no result

        def is_known(path: Path, digest: str) -> bool:
            return mover is None and self._history.known(station.name, digest, "folder")

        leave_out = (settings.home, *(() if mover is None else mover.folders))
        watched = WatchedFolder(folder, is_known, tell, _LOG.warning, leave_out=leave_out, memory=memory, every=EVERY_S)
        with ThreadPoolExecutor(AT_ONCE, "oddlens-watch") as pool:
            while not self._stop.is_set():
                with self._kept():
                    found = watched.poll()
                    while files := list(islice(found, AT_ONCE)):  # none before those before it are done
                        jobs = [(file, pool.submit(self._inspect, station, file, mover)) for file in files]
                        self._take(watched, jobs)
                        if self._stop.is_set():
                            return
                    watched.remember()
                self._stop.wait(watched.wait_s)

    def _inspect(self, station: Station, file: WatchedFile, mover: Mover | None) -> None:
        source, key = str(file.path), f"folder-{file.sha256}"
        found = self._inspector.inspect_waiting(station, file.data, source, "folder", key)
        if mover is not None:
            try:
                mover.move(file.path, mover.place(file.path, found.outcome))
            except OddlensError as error:
                _LOG.warning("%s", error)

    def _take(self, watched: WatchedFolder, jobs: list[tuple[WatchedFile, Future[None]]]) -> None:
        """Wait for images; those that could not be inspected come again. Raises what the first one of them raised."""
        failed = None
        for file, job in jobs:
            if (error := job.exception()) is not None:
                watched.forget(file)
                failed = failed or error
        if failed is not None:
            raise failed
        watched.remember()

    def _look(self, station: Station, camera: Camera) -> None:
        """Inspect the newest frame of a camera, again and again."""
        for frame in camera.each(self._stop, EVERY_S):
            with self._kept():
                self._inspector.inspect_waiting(station, frame.encoded(), frame.name, "camera")

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Where nothing can be inspected or kept now, it is tried again later: the history and the page say why."""
        try:
            yield
        except StoppedError:
            self._stop.set()
        except (HistoryError, DiskError, StationError):
            self._stop.wait(PAUSE_S)
        except Exception:
            _LOG.exception("a source brings nothing for a while")
            self._stop.wait(PAUSE_S)


def _event(name: str, is_ok: bool, sentence: str) -> dict[str, object]:
    return {"name": name, "state": "ok" if is_ok else "lost", "sentence": sentence}
