"""How long images stay. Results, feedback and the audit log stay for ever: they are small."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

from oddlens.errors import OddlensError
from oddlens.history.history import History
from oddlens.history.pictures import Kept
from oddlens.history.records import DIGEST, Retention
from oddlens.station.feedback import read_feedback

_EVERY_S = 600
_LOG = logging.getLogger("oddlens.service")


@dataclass
class Removed:
    """What went: how many images, maps and drawings, and how many bytes."""

    images: int = 0
    maps: int = 0
    drawn: int = 0
    size: int = 0


def retain(
    history: History,
    max_age: timedelta | None = None,
    max_bytes: int | None = None,
    stations: Iterable[Path] = (),
) -> Removed:
    """Remove images and maps that were last inspected too long ago, then the oldest ones until all take no more than `max_bytes`.

    A drawing is as old as its image, whenever it was drawn, and goes with it.

    Age takes no image that a person said something of, and size takes those last: drawings go first, since they are drawn again,
    then what nobody marked, the oldest first.

    Args:
        history: Whose pictures.
        max_age: None: any age.
        max_bytes: Of all files together; None: any number.
        stations: Folders of stations: images that their feedback names count as marked.

    Raises:
        HistoryError: Nobody can say what is marked: nothing is removed.
    """
    if max_age is None and max_bytes is None:
        return Removed()
    marked, files = history.marked() | set(_named(stations)), history.pictures.files()
    removed = Removed()
    if max_age is not None:
        oldest = time.time() - max_age.total_seconds()
        images = {each.digest: each.modified for each in files if each.kind == "images"}

        def is_old(each: Kept) -> bool:
            inspected = images.get(each.digest, 0) if each.kind == "drawn" else each.modified
            return inspected < oldest and each.digest not in marked

        files = [each for each in files if not (is_old(each) and _remove(history, each, removed))]
    if max_bytes is not None:
        size = sum(each.size for each in files)
        for each in sorted(files, key=lambda each: (each.digest in marked, each.kind != "drawn", each.modified)):
            if size <= max_bytes:
                break
            size -= each.size if _remove(history, each, removed) else 0
    return removed


class Keeper:
    """Calls `retain` every ten minutes, in a thread of its own. stations: gives their folders."""

    def __init__(self, history: History, limits: Retention, stations: Callable[[], Iterable[Path]]) -> None:
        self._history, self._limits, self._stations = history, limits, stations
        self._stopped = Event()
        self._thread = Thread(target=self._work, name="retention", daemon=True)

    def start(self) -> None:
        """Begin, where there is a limit."""
        if self._limits != Retention():
            self._thread.start()

    def stop(self) -> None:
        """End, once what is in hand is done."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def tidy(self) -> Removed:
        """Apply the limits now. Raises as `retain`."""
        days = self._limits.max_days
        age = None if days is None else timedelta(days=days)
        return retain(self._history, age, self._limits.max_bytes, self._stations())

    def _work(self) -> None:
        while True:
            try:
                removed = self.tidy()
                if removed != Removed():
                    _LOG.info("retention: %s", removed)
            except (OddlensError, OSError) as error:
                _LOG.warning("images that are too old stay for now: %s", error)
            if self._stopped.wait(_EVERY_S):
                return


def _remove(history: History, each: Kept, removed: Removed) -> bool:
    if not history.pictures.remove(each):
        return False
    setattr(removed, each.kind, getattr(removed, each.kind) + 1)
    removed.size += each.size
    return True


def _named(stations: Iterable[Path]) -> Iterator[str]:
    """The digests of kept images that the feedback of stations names by their paths."""
    for folder in stations:
        for mark in read_feedback(folder).marks:
            name = Path(mark.image).stem
            if DIGEST.fullmatch(name):
                yield name
