"""The stations of a service: opened once, opened again when they change on disk, and watched as `oddlens detect --station` does."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import RLock

import numpy as np

from oddlens.calibration import Calibration, Exchangeability, chosen
from oddlens.detection import Detection, Thresholds
from oddlens.detector import Detector
from oddlens.detector.detector import encoder_of
from oddlens.encoding import Encoder
from oddlens.errors import OddlensError, OddlensWarning, UsageError, check_name, printable, shortened
from oddlens.inference.line import MOST_COMPARED, LearningSink, LineSink, sinks_of
from oddlens.inference.records import Record
from oddlens.io.images import Picture
from oddlens.io.paths import is_dir, matching
from oddlens.loading import open_station
from oddlens.service.settings import ServeSettings
from oddlens.station import read_station
from oddlens.station.document import STATION
from oddlens.station.learning import LEAST_COMPARED

_NAME = re.compile(r"\w(?:[\w .-]{0,62}\w)?")
"""Of a station that is made on the page: it becomes a folder."""

_AGAIN_S = 5.0
"""A damaged station is tried again after so many seconds: what was damaged may be no part of station.json."""


class UnknownStationError(UsageError):
    """There is no station of that name."""


class StationError(OddlensError):
    """A station cannot inspect, because it is damaged. The others can."""


@dataclass(eq=False)
class Loaded:
    """A version of a station, ready to inspect.

    Attributes:
        detector: It is never changed, but for what the line says of its calibration.
        encoder: Prepares and encodes images for it.
        version: Its number.
        identity: `Identity.to_dict()`.
        drift: What the line says of a drift, in a sentence; None: there is none.
    """

    detector: Detector
    encoder: Encoder
    version: int
    identity: dict[str, object]
    learning: LearningSink | None
    watch: LineSink | None
    drift: str | None = None
    _seen: int = field(default=0, repr=False)
    _compared: int = field(default=0, repr=False)

    @property
    def calibration(self) -> Calibration | None:
        """The calibration in force."""
        return self.detector.calibration()

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds in force."""
        return chosen(self.detector.thresholds, self.calibration)

    def see(self, detection: Detection, picture: Picture | None) -> bool:
        """Show the line an image that was inspected; whether something is to be said of it since. picture: for `learning`."""
        self._seen += 1
        pixels = np.zeros((1, 1, 3), np.uint8) if picture is None else picture.pixels
        record: Record = {"score": detection.score, "verdict": detection.verdict}
        for sink in (self.learning if picture is not None else None, self.watch):
            if sink is not None:
                sink.draw(self._seen, detection, lambda: pixels)
                sink.write(self._seen, record)
        return self._compare() | self._notice()

    def _notice(self) -> bool:
        alarm = None if self.watch is None else self.watch.monitor.alarm
        if alarm is None or self.drift is not None:
            return False
        self.drift = f"Drift: {alarm.sentence}."
        return True

    def _compare(self) -> bool:
        """Hold the calibration images against the line: while it learns, whenever so many came; else once."""
        found: Exchangeability | None = None
        if self.learning is not None:
            if (count := len(self.learning.sample) // LEAST_COMPARED) > self._compared:
                self._compared, found = count, self.learning.compared()
        elif self.watch is not None and not self._compared and self.watch.ok_count >= MOST_COMPARED:
            self._compared, found = 1, self.watch.compared()
            if found is not None and not found.is_refuted:
                return False
        state = self.detector.state
        if found is None or state is None or state.tested == found:
            return False
        self.detector.state = replace(state, tested=found)
        return True


class Station:
    """A station of a service.

    Attributes:
        name: The name of its folder.
        folder: Where it lies.
        paused: Whether nothing is inspected for now.
    """

    def __init__(self, name: str, folder: Path, runtime: str) -> None:
        self.name, self.folder = name, folder
        self.paused = False
        self._runtime = runtime
        self._lock = RLock()
        self._stamp: tuple[int, int, int] | None = None
        self._loaded: Loaded | None = None
        self._problem: str | None = None
        self._next_try = 0.0

    @property
    def problem(self) -> str | None:
        """Why it cannot inspect, in a sentence; None where it can."""
        try:
            self.loaded()
        except StationError as problem:
            return str(problem)
        return None

    def loaded(self) -> Loaded:
        """The version in force, which is opened where it is not. Raises `StationError` where it cannot be."""
        with self._lock:
            stamp, now = self._stamp_of_disk(), time.monotonic()
            if stamp != self._stamp or (self._loaded is None and now >= self._next_try):
                self._next_try = now + _AGAIN_S
                self._open()
                self._stamp = stamp
            if self._loaded is None:
                raise StationError(self._problem or "")
            return self._loaded

    def opened(self) -> Detector:
        """The version in force once more, to be changed. Raises `StationError` where it cannot be opened."""
        loaded = self.loaded()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OddlensWarning)
            detector = open_station(self.folder, runtime=self._runtime)
        detector.take_fit(loaded.detector)
        return detector

    def see(self, loaded: Loaded, detection: Detection, picture: Picture | None) -> bool:
        """As `Loaded.see`; one image after the other."""
        with self._lock:
            return loaded.see(detection, picture)

    def _stamp_of_disk(self) -> tuple[int, int, int] | None:
        try:
            found = (self.folder / STATION).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _open(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", OddlensWarning)
                self._loaded, self._problem = _opened(self.folder, self._runtime, self._loaded), None
        except OddlensError as error:
            self._loaded, self._problem = None, str(error)


def _opened(folder: Path, runtime: str, earlier: Loaded | None = None) -> Loaded:
    state = read_station(folder)
    detector = open_station(folder, runtime=runtime)
    if earlier is not None:
        detector.take_fit(earlier.detector)
    detector.check_alone()
    detector.check_references()
    encoder = encoder_of([detector])
    first = encoder.encode([encoder.prepare(Picture(np.zeros((64, 64, 3), np.uint8), "a first image"))])[0]
    detector.predict(first, detector.object_name)  # what is loaded when it is used first is loaded now
    learning, watch = sinks_of(detector, folder, detector.object_name)
    loaded = Loaded(
        detector,
        encoder,
        0 if state.version is None else state.version.number,
        detector.identity.to_dict(),
        learning,
        watch,
    )
    loaded._compare()  # what earlier runs brought, before anything is promised
    return loaded


class Stations:
    """The stations of a service by name, in their order."""

    def __init__(self, settings: ServeSettings) -> None:
        """Take them in; none is opened yet. Raises `UsageError` for two of one name, and for what is no folder."""
        self._runtime = settings.runtime
        self._made = settings.made_stations
        self._known: dict[str, Station] = {}
        for folder in (*settings.stations, *sorted(matching(self._made, f"*/{STATION}"))):
            self.add(folder.parent if folder.name == STATION else folder)

    def __iter__(self) -> Iterator[Station]:
        """All, in their order."""
        return iter(tuple(self._known.values()))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._known)

    def __getitem__(self, name: str) -> Station:
        """The station of a name. Raises `UnknownStationError`."""
        try:
            return self._known[name]
        except KeyError:
            raise UnknownStationError(f"there is no station {shortened(name)}") from None

    def add(self, folder: Path) -> Station:
        """Take one more station in. Raises `UsageError` where its name is taken, or its folder is none."""
        name = folder.resolve().name
        if name in self._known:
            raise UsageError(f"there are two stations called {printable(name)}: rename the folder of one")
        if not is_dir(folder):
            raise UsageError(
                f"{printable(str(folder))} is no station: give the folder that 'oddlens station create' made"
            )
        self._known[name] = Station(name, folder, self._runtime)
        return self._known[name]

    def new_folder(self, name: str) -> Path:
        """Where a new station goes. Raises `UsageError` for a name that is taken, or makes no good folder."""
        check_name("the name of a station", name)
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"a station cannot be called {shortened(name)}: give letters, digits, spaces, dots, dashes, at most 64"
            )
        if name.casefold() in {each.casefold() for each in self._known}:
            raise UsageError(f"there is a station called {printable(name)} already: give another name")
        return self._made / name

    def names(self) -> Sequence[str]:
        """Their names."""
        return tuple(self._known)
