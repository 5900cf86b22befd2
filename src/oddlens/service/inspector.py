"""The way of an image through the service: a bounded queue, threads that decode, one that runs the model, and threads that keep.

    submitted -> decoded and prepared -> encoded and scored -> kept (files, then the row) -> answered

The model takes image by image, so that each gets the score that `oddlens detect` gives it, whatever else waits. Nothing is answered
before it is kept.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Condition, Semaphore, Thread

from oddlens.detection import Detection
from oddlens.encoding import Prepared
from oddlens.errors import DiskError, OddlensError, UsageError
from oddlens.history.history import History
from oddlens.history.pictures import digest_of
from oddlens.history.records import HistoryError, Inspection, NewInspection, Origin
from oddlens.inference.audit import is_drawn
from oddlens.inference.event_hub import EventHub
from oddlens.inference.live_station import Loaded
from oddlens.io.images import Picture
from oddlens.io.loader import ahead_count, thread_count
from oddlens.io.uploads import Upload, read_upload
from oddlens.service.metrics import Metrics
from oddlens.service.settings import Limits
from oddlens.service.stations import Station

_SAVERS = 4
"""Threads that keep: most of the time they wait for the disk."""

_TRIED_AGAIN_S = 30.0
"""Seconds after which a service that could not keep an image is ready to try."""

_LOG = logging.getLogger("oddlens.service")


class BusyError(OddlensError):
    """Too many images wait. retry_after: seconds after which it is worth another try."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many images wait for their inspection: send this one again later")
        self.retry_after = retry_after


class LateError(OddlensError):
    """An image was not inspected in time."""


class PausedError(OddlensError):
    """The station is paused."""


class StoppedError(OddlensError):
    """The service stops, and takes no more images."""


@dataclass(eq=False)
class _Job:
    """An image on its way. until: by `time.monotonic`; None: it has no deadline."""

    station: Station
    data: bytes
    source: str
    origin: Origin
    key: str | None
    until: float | None
    future: Future[Inspection] = field(default_factory=Future)
    accepted: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    is_decoded: bool = False
    loaded: Loaded | None = None
    picture: Picture | None = None
    prepared: Prepared | None = None
    detection: Detection | None = None
    error: str | None = None

    @property
    def is_late(self) -> bool:
        return self.until is not None and time.monotonic() > self.until


class Inspector:
    """Takes images in and gives inspections.

    Attributes:
        deadline_s: Seconds that an image may take, by default.
    """

    def __init__(
        self,
        history: History,
        events: EventHub,
        limits: Limits,
        audit: float = 0.0,
        changed: Callable[[Station], object] = lambda station: None,
        keeps: Callable[[Inspection], object] = lambda inspection: None,
    ) -> None:
        """audit: the share of images that is drawn at random. changed: called where the line says something new of a station.
        keeps: called with each inspection that is kept; it must not wait.
        """
        self.deadline_s = limits.deadline_s
        self._history, self._events, self._limits, self._audit, self._changed = history, events, limits, audit, changed
        self._keeps = keeps
        self.metrics = Metrics(lambda: self.waiting, lambda: events.listener_count)
        self._problem: str | None = None
        self._refused_at = 0.0
        self._room = Condition()
        self._waiting: Counter[str] = Counter()
        self._stopped = False
        self._usual_s = 0.1
        self._incoming: SimpleQueue[_Job | None] = SimpleQueue()
        self._ready: SimpleQueue[_Job | None] = SimpleQueue()
        self._scored: SimpleQueue[_Job | None] = SimpleQueue()
        self._decoded = Semaphore(thread_count() + ahead_count())  # pixels are larger than files: few are held
        self._readers = [Thread(target=self._work, args=(self._incoming, self._read)) for _ in range(thread_count())]
        self._model = [Thread(target=self._work, args=(self._ready, self._score))]
        self._savers = [Thread(target=self._work, args=(self._scored, self._save)) for _ in range(_SAVERS)]

    @property
    def problem(self) -> str | None:
        """Why nothing could be kept just now, in a sentence; None where the next image may try.

        A load balancer sends no images to a service that is not ready: it would never find that the disk has room again.
        """
        return self._problem if time.monotonic() < self._refused_at + _TRIED_AGAIN_S else None

    @property
    def waiting(self) -> int:
        """How many images are on their way."""
        return self._waiting.total()

    def waiting_for(self, station: str) -> int:
        """How many of them are for a station."""
        return self._waiting[station]

    def start(self) -> None:
        """Start the threads."""
        for thread in (*self._readers, *self._model, *self._savers):
            thread.daemon = True
            thread.start()

    def stop(self) -> None:
        """Take no more, finish what is in hand, and end the threads. What waits gets `StoppedError`."""
        with self._room:
            self._stopped = True
            self._room.notify_all()
        with suppress(Empty):
            while (job := self._incoming.get_nowait()) is not None:
                self._finish(job, StoppedError("the service stops: send the image again later"))
        steps = (self._incoming, self._readers), (self._ready, self._model), (self._scored, self._savers)
        for queue, threads in steps:
            for _ in threads:
                queue.put(None)
            for thread in threads:
                if thread.is_alive():
                    thread.join()

    async def inspect(
        self,
        station: Station,
        data: bytes,
        source: str,
        origin: Origin = "api",
        deadline_s: float | None = None,
        key: str | None = None,
    ) -> Inspection:
        """Inspect the bytes of an image file.

        Args:
            station: The station.
            data: The file.
            source: What people call it.
            origin: How it came.
            deadline_s: Seconds that it may take; None: as the limits say.
            key: The idempotency key: the same one again gives the earlier inspection.

        Raises:
            BusyError: Too many images wait.
            LateError: It was not inspected in time.
            PausedError: The station is paused.
            StoppedError: The service stops.
            StationError: The station is damaged.
            HistoryError: It cannot be kept: the database is lost.
            DiskError: Likewise: the disk is full.
            UsageError: The key was used for another image.
        """
        seconds = self._limits.deadline_s if deadline_s is None else deadline_s
        with self._room:
            self._check_open(station)
            if self.waiting >= self._limits.queue:
                self.metrics.refused.labels("busy").inc()
                raise BusyError(max(1, math.ceil(self._usual_s * self.waiting)))
            job = self._submit(_Job(station, data, source, origin, key, time.monotonic() + seconds))
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(asyncio.wrap_future(job.future))
        except TimeoutError as error:
            self.metrics.refused.labels("late").inc()
            raise _late(seconds) from error

    def inspect_waiting(
        self, station: Station, data: bytes, source: str, origin: Origin, key: str | None = None
    ) -> Inspection:
        """As `inspect`, for threads: it waits while the station is paused, and for room, half of which is left to others.

        Raises as `inspect`, but for `BusyError`, `LateError` and `PausedError`.
        """
        with self._room:
            while station.paused or self.waiting >= max(1, self._limits.queue // 2):
                if self._stopped:
                    break
                self._room.wait(1.0)
            self._check_open(station, may_pause=True)
            job = self._submit(_Job(station, data, source, origin, key, None))
        return job.future.result()

    def pause(self, station: Station, paused: bool = True) -> None:
        """Pause a station, or let it go on."""
        with self._room:
            station.paused = paused
            self._room.notify_all()
        self._events.publish("paused", station.name, {"paused": paused})

    def _check_open(self, station: Station, may_pause: bool = False) -> None:
        if self._stopped:
            raise StoppedError("the service stops: send the image again later")
        if station.paused and not may_pause:
            raise PausedError("the station is paused: let it go on first")

    def _submit(self, job: _Job) -> _Job:
        self._waiting[job.station.name] += 1
        self._incoming.put(job)
        return job

    def _work(self, queue: SimpleQueue[_Job | None], step: Callable[[_Job], None]) -> None:
        """A thread: take what comes until None comes. A fault of ours ends one job, and not the thread."""
        while (job := queue.get()) is not None:
            try:
                if job.is_late and job.detection is None and job.error is None:
                    self._finish(job, _late(self._limits.deadline_s))
                else:
                    step(job)
            except OddlensError as error:
                self._finish(job, error)
            except Exception as error:
                _LOG.exception("an image could not be inspected")
                self._finish(job, error)
            del job  # before the next one is waited for

    def _read(self, job: _Job) -> None:
        job.loaded = job.station.loaded()
        self._decoded.acquire()
        job.is_decoded = True
        started = time.perf_counter()
        try:
            picture = read_upload(Upload(job.source, job.data), self._limits.max_megapixels)
            job.prepared = job.loaded.encoder.prepare(picture)
            if job.loaded.learning is not None or job.loaded.namer is not None or self._audit:
                job.picture = picture
        except OddlensError as error:
            job.error = str(error)
        job.seconds += time.perf_counter() - started
        (self._ready if job.error is None else self._scored).put(job)

    def _score(self, job: _Job) -> None:
        assert job.loaded is not None
        assert job.prepared is not None
        started, detector = time.perf_counter(), job.loaded.detector
        try:
            (encoded,) = job.loaded.encoder.encode([job.prepared])
            (job.detection,) = detector.predict(encoded, detector.object_name)
            if job.loaded.namer is not None and job.picture is not None:
                job.detection = job.loaded.namer.named(job.detection, job.picture.pixels)
        except OddlensError as error:
            job.error = str(error)
        job.prepared = None
        job.seconds += time.perf_counter() - started
        self._scored.put(job)

    def _save(self, job: _Job) -> None:
        try:
            kept, is_new = self._kept(job)
        except (OddlensError, OSError) as error:
            self._say_kept(str(error))
            raise error if isinstance(error, HistoryError | DiskError) else DiskError(str(error)) from error
        self._say_kept(None)
        if job.key is not None and kept.digest != digest_of(job.data):
            raise UsageError("this Idempotency-Key was used for another image: give each image its own")
        if is_new:  # what is sent again with its key is no further part
            self._see(job)
            self.metrics.inspected.labels(kept.station, kept.outcome).inc()
        self._events.publish("result", kept.station, kept.to_dict())
        self._keeps(kept)
        self._finish(job, kept)

    def _kept(self, job: _Job) -> tuple[Inspection, bool]:
        """Keep the files, then the row that names them. Of what is no image nothing is kept but the row.

        Returns the inspection, and whether it is new: the key may have one already.
        """
        loaded, found, pictures = job.loaded, job.detection, self._history.pictures
        assert loaded is not None
        now = datetime.now(UTC)
        kept = self._history.add(
            NewInspection(
                station=job.station.name,
                station_version=loaded.version,
                time=now,
                source=job.source,
                origin=job.origin,
                digest=digest_of(job.data) if found is None else pictures.put(job.data),
                detection=None if found is None else found.to_dict(),
                error=job.error,
                map_digest=None if found is None else pictures.put_map(found.anomaly_map),
                identity=loaded.identity,
                ms=round(1000 * job.seconds, 2),
                audit=bool(self._audit and job.picture and is_drawn(job.picture.digest(), self._audit)),
                key=job.key,
                value_range=None if found is None else found.value_range,
            )
        )
        return kept, kept.time == now

    def _see(self, job: _Job) -> None:
        """Show the line of the station an image that is kept."""
        if job.loaded is None or job.detection is None:
            return
        drift = job.loaded.drift
        try:
            if job.station.see(job.loaded, job.detection, job.picture):
                self._changed(job.station)
        except (OddlensError, OSError) as error:  # the image is inspected all the same
            _LOG.warning("the station %s cannot learn: %s", job.station.name, error)
        if job.loaded.drift != drift:
            self._events.publish("drift", job.station.name, {"sentence": job.loaded.drift})

    def _say_kept(self, problem: str | None) -> None:
        """Tell all who listen where the history is lost, or there again."""
        if (problem is None) != (self._problem is None):
            sentence = problem or "the history is kept again"
            self._events.publish("history", None, {"ok": problem is None, "sentence": sentence})
        self._problem, self._refused_at = problem, time.monotonic()

    def _finish(self, job: _Job, outcome: Inspection | Exception) -> None:
        seconds = time.monotonic() - job.accepted
        if job.is_decoded:
            self._decoded.release()
        with self._room:
            self._waiting[job.station.name] -= 1
            self._room.notify()
        if isinstance(outcome, Exception):
            job.future.set_exception(outcome)
        else:
            self._usual_s += 0.1 * (job.seconds - self._usual_s)
            self.metrics.seconds.labels(job.station.name).observe(seconds)
            job.future.set_result(outcome)


def _late(seconds: float) -> LateError:
    return LateError(f"the image was not inspected within {seconds:g} seconds: send it again, or send fewer at once")
