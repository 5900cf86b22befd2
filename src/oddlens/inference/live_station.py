"""A station that inspects one image after another, and is opened again when it changes on disk."""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import RLock

import numpy as np

from oddlens.calibration import Calibration, Exchangeability, chosen
from oddlens.detection import Detection, Thresholds
from oddlens.detector import Detector
from oddlens.detector.detector import encoder_of
from oddlens.encoding import Encoder
from oddlens.errors import OddlensError, OddlensWarning, UsageError
from oddlens.inference.line import MOST_COMPARED, LearningSink, LineSink, sinks_of
from oddlens.inference.records import Record
from oddlens.io.images import Picture
from oddlens.loading import open_station
from oddlens.methods.card import TAKEN
from oddlens.station.comparison import LINE, last_comparison
from oddlens.station.document import STATION, read_document
from oddlens.station.folder import FEEDBACK
from oddlens.station.learning import LEAST_COMPARED
from oddlens.teaching.namer import Namer, namer_of

_AGAIN_S = 5.0
"""A damaged station is tried again after so many seconds: what was damaged may be no part of station.json."""

Stamp = tuple[int, int, int]
"""Of a file of a station on disk: it is another one for another version."""


def stamp_of(folder: Path, name: str = STATION) -> Stamp | None:
    """Of the version that is in force, or of another file; None: there is none."""
    try:
        found = (folder / name).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class StationError(OddlensError):
    """A station cannot inspect, because it is damaged. The others can."""


@dataclass(eq=False)
class Loaded:
    """A version of a station, ready to inspect.

    Attributes:
        detector: It is never changed, but for what the line says of its calibration.
        encoder: Prepares and encodes images for it.
        version: Its number.
        identity: `Identity.to_dict()`, with the name of the "object", on which scores depend, too.
        drift: What the line says of a drift, in a sentence; None: there is none.
        namer: Names marked regions; None: there are no names to give, or its model cannot.
    """

    detector: Detector
    encoder: Encoder
    version: int
    identity: dict[str, object]
    learning: LearningSink | None
    watch: LineSink | None
    drift: str | None = None
    namer: Namer | None = None
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

    def take_comparison(self, station: Path) -> None:
        """Take what the last comparison with the line said, of whichever program: what the station promises depends on it."""
        state, calibration = self.detector.state, self.calibration
        if state is not None and calibration is not None:
            self.detector.state = replace(state, tested=last_comparison(station, calibration))

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
            count, before = len(self.learning.sample) // LEAST_COMPARED, self._compared
            self._compared = count
            if count > before:
                found = self.learning.compared()
            elif count < before and self.detector.state is not None:  # images of it were deleted: they count no more
                self.detector.state = replace(self.detector.state, tested=None)
                return True
        elif self.watch is not None and not self._compared and self.watch.ok_count >= MOST_COMPARED:
            self._compared, found = 1, self.watch.compared()
        state = self.detector.state
        if found is None or state is None or state.tested == found:
            return False
        self.detector.state = replace(state, tested=found)
        return True


class LiveStation:
    """A station on disk, opened. Threads share it.

    Attributes:
        name: The name of its folder.
        folder: Where it lies.
    """

    def __init__(self, name: str, folder: Path, runtime: str) -> None:
        self.name, self.folder = name, folder
        self._runtime = runtime
        self._lock = RLock()
        self._stamp: Stamp | None = None
        self._line: Stamp | None = None
        self._seen = self._stamps()
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
            stamp, now = stamp_of(self.folder), time.monotonic()
            if stamp != self._stamp or (self._loaded is None and now >= self._next_try):
                self._next_try = now + _AGAIN_S
                self._line = stamp_of(self.folder, LINE)
                self._open()
                self._stamp = stamp
            if self._loaded is None:
                raise StationError(self._problem or "")
            if (line := stamp_of(self.folder, LINE)) != self._line:
                self._line = line
                self._loaded.take_comparison(self.folder)
            return self._loaded

    def is_changed(self) -> bool:
        """Whether it was changed, marked or compared with its line since the last call, by whichever program. It is not opened."""
        before, self._seen = self._seen, self._stamps()
        return before != self._seen

    def _stamps(self) -> tuple[Stamp | None, ...]:
        return tuple(stamp_of(self.folder, name) for name in (STATION, FEEDBACK, LINE))

    def to_dict(self) -> dict[str, object]:
        """What it is, as JSON values; of a damaged one its name and its problem."""
        found: dict[str, object] = {
            "name": self.name,
            "object_name": None,
            "method": None,
            "takes": list(TAKEN),  # of a damaged one nobody knows
            "model": None,
            "runtime": None,
            "version": None,
            "state": None,
            "problem": None,
            "references": 0,
            "calibrated": 0,
            "calibration_kind": None,
            "thresholds": asdict(Thresholds()),
            "image_size": None,
            "defects": [],
            "drift": None,
            "caution": None,
        }
        try:
            loaded = self.loaded()
        except StationError as problem:
            return found | {"problem": str(problem)}
        detector, calibration, thresholds = loaded.detector, loaded.calibration, loaded.thresholds
        return found | {
            "object_name": detector.object_name,
            "method": detector.name,
            "takes": list(detector.card.takes),
            "model": detector.model_name or detector.backbone.identity.name,
            "runtime": detector.runtime,
            "version": loaded.version,
            "state": None if detector.state is None else detector.state.stage,
            "references": 0 if detector.references is None else len(detector.references),
            "calibrated": 0 if calibration is None else len(calibration),
            "calibration_kind": None if calibration is None else calibration.kind,
            "thresholds": asdict(thresholds),
            "image_size": None if detector.image_size is None else list(detector.image_size),
            "defects": [] if detector.defects is None else list(detector.defects.words),
            "drift": loaded.drift,
            "caution": detector.caution or None,
        }

    def opened(self, version: int | None = None) -> Detector:
        """The version in force once more, to be changed, or an earlier one. Raises `StationError` where it cannot be opened."""
        loaded = self.loaded()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OddlensWarning)
            detector = open_station(self.folder, runtime=self._runtime, version=version)
        if version is None:
            detector.take_fit(loaded.detector)
        return detector

    def see(self, loaded: Loaded, detection: Detection, picture: Picture | None) -> bool:
        """As `Loaded.see`; one image after the other."""
        with self._lock:
            return loaded.see(detection, picture)

    def _open(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", OddlensWarning)
                self._loaded, self._problem = _opened(self.folder, self._runtime, self._loaded), None
        except OddlensError as error:
            self._loaded, self._problem = None, str(error)


def _opened(folder: Path, runtime: str, earlier: Loaded | None = None) -> Loaded:
    version = read_document(folder / STATION)["version"]["number"]
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
        version,
        detector.identity.to_dict() | {"object": detector.object_name},
        learning,
        watch,
        namer=_namer_of(detector),
    )
    loaded._compare()  # what earlier runs brought, before anything is promised
    return loaded


def _namer_of(detector: Detector) -> Namer | None:
    try:
        return namer_of(detector)
    except UsageError:  # its model cannot name: marked defects only keep their names
        return None
