"""What `oddlens detect --station` says of the line: how far the station has learned, whether its promise holds, and drift."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.calibration import Exchangeability, chosen
from oddlens.errors import printable
from oddlens.inference.line import sinks_of
from oddlens.inference.records import Record
from oddlens.inference.sinks import Sink
from oddlens.station.history import read_station_version
from oddlens.station.learning import kept_count

if TYPE_CHECKING:
    from oddlens.detector import Detector


class StationLine:
    """The line of a station during a run.

    sinks: what watches it; they stand before those that write. said: gets what is to be known of the run, by kind.
    """

    def __init__(self, detector: Detector, station: str, object_name: str, said: dict[str, list[str]]) -> None:
        self._detector, self._station, self._object_name, self._said = detector, station, object_name, said
        self._learning, self._watch = sinks_of(detector, station, object_name)
        if self._learning is not None:
            self._tested(self._learning.compared())  # what earlier runs brought, before anything is promised

    @property
    def sinks(self) -> list[Sink]:
        """In their order."""
        return [each for each in (self._learning, self._watch, _Finish(self)) if each is not None]

    def notice(self) -> None:
        """What was found of the sample of the line counts no more where images of it were deleted, as with `with_comparison`."""
        state = self._detector.state
        tested = None if state is None else state.tested
        if self._learning is None or state is None or tested is None or tested.groups != "line":
            return
        if kept_count(Path(self._station)) < tested.later:
            self._detector.state = replace(state, tested=None)

    def finish(self) -> None:
        """Gather what is to be said; all images are done."""
        self.notice()
        if self._learning is not None:
            self._tested(self._learning.compared())
            self._said["station"] = [self._learning.sentence(self._station)]
        elif self._watch is not None:
            self._tested(self._watch.compared())
        if self._watch is not None:
            alarm = self._watch.monitor.alarm
            self._said["drift"] = [] if alarm is None else [f"Drift: {alarm.sentence}."]
        self._said["verdicts"] = [
            f"the station {printable(self._station)}, version {read_station_version(self._station)}"
        ]
        if self._detector.accepted is not None:
            self._said["references"] = [
                f"{printable(source)} {reason}, and was accepted"
                for source, reason in self._detector.accepted.reasons.items()
            ]
        promise = chosen(self._detector.thresholds, self._detector.calibration(self._object_name)).promise
        self._said["promise"] = [] if promise is None else [promise]

    def _tested(self, found: Exchangeability | None) -> None:
        state = self._detector.state
        if found is not None and state is not None:
            self._detector.state = replace(state, tested=found)


class _Finish(Sink):
    def __init__(self, line: StationLine) -> None:
        self._line = line

    def write(self, number: int, record: Record) -> Record:
        self._line.notice()
        return record

    def finish(self) -> None:
        self._line.finish()
