"""Outcomes of a run on their way into its sinks: threads draw the detections, and the sinks take the records in order."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from oddlens.detection import Detection
from oddlens.errors import DiskError, Failure, OddlensError, UsageError
from oddlens.inference.engine import Drawn
from oddlens.inference.records import Record
from oddlens.inference.run_images import RunImage
from oddlens.inference.sinks import Sink
from oddlens.inference.task import RunInfo
from oddlens.inference.times import Times
from oddlens.io.loader import ahead_count
from oddlens.io.strict_json import checked

Outcome = Detection | Failure | Drawn
"""Of an image that ran."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A result that is not written yet. outcome: None where all that is known of it is the record."""

    image: RunImage
    outcome: Detection | Failure | None
    record: Future[Record] | Record

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to wait for."""
        return not isinstance(self.record, Future) or self.record.done()


class SinkWriter:
    """Draws the outcomes of a run, and lets its sinks take them.

    Args:
        sinks: Take the results, one after the other; each gets the record that the one before it returns.
        threads: How many draw.
        max_pixels: Of images that are held for drawing.
        times: Receives where the time went.
    """

    def __init__(self, sinks: Sequence[Sink], threads: int, max_pixels: int, times: Times) -> None:
        self._sinks = sinks
        self._pool = ThreadPoolExecutor(threads, "oddlens-draw")
        self._max_pixels = max_pixels
        self._times = times
        self._waiting: deque[_Waiting] = deque()
        self._begun = self._given = False
        self._open: deque[Sink] = deque()  # their checks passed, and they are not closed
        self._failed: list[Sink] = []  # they raised in `write`, and get no more

    def check(self, run: RunInfo) -> None:
        """Raise UsageError if a sink cannot take the run."""
        try:
            for sink in self._sinks:
                sink.check(run)
                self._open.append(sink)
        except BaseException:
            self.close()
            raise

    def begin(self) -> None:
        """Let the sinks begin, unless they have."""
        if not self._begun:
            self._begun = True
            for sink in self._sinks:
                sink.begin()

    def add(self, image: RunImage, outcome: Outcome | None, ms: float) -> None:
        """Start drawing an outcome, if there is anything to draw. None: the image did not run. ms: milliseconds a detection."""
        self._waiting.append(self._taken(image, outcome, ms))

    def written(self, *, everything: bool = False) -> Iterator[Detection | Failure]:
        """Let the sinks take the outcomes that are drawn, in order, and yield them. everything: also wait for the others."""
        while self._waiting:
            head = self._waiting[0]
            # The first result is waited for: the next group would hold it up.
            if not (everything or head.is_done or not self._given or self._is_crowded()):
                return
            started = time.perf_counter()
            try:
                record = head.record.result() if isinstance(head.record, Future) else head.record
            except Exception:
                del self._waiting[0]
                raise
            self._times.add("waiting", started)
            started = time.perf_counter()
            del self._waiting[0]
            record = self._write(head.image.number, record)
            self._times.add("writing", started)
            self._given = self._given or head.image.earlier is None
            if "error" in record:
                yield Failure(os.fspath(head.image.item), record["error"])
            elif (outcome := head.outcome or _detection_of(record)) is not None:
                yield outcome

    def write_the_rest(self) -> list[Exception]:
        """Let the sinks that work take all that is computed, past what cannot be drawn or written; returns what was raised."""
        errors: list[Exception] = []
        while self._waiting:
            try:
                deque(self.written(everything=True), maxlen=0)
            except Exception as error:
                errors.append(error)
        return errors

    def finish(self) -> None:
        """Let the sinks finish: they have all results."""
        for sink in self._sinks:
            sink.finish()

    def close(self) -> list[Exception]:
        """Close every sink that is open, whatever another one raises; returns what they raised."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        errors: list[Exception] = []
        while self._open:
            try:
                self._open.popleft().close()
            except Exception as error:
                errors.append(error)
        return errors

    def _taken(self, image: RunImage, outcome: Outcome | None, ms: float) -> _Waiting:
        if image.earlier is not None:  # the outcome is the same: it ran for the others of its group
            return _Waiting(image, None, image.earlier)
        assert outcome is not None
        if isinstance(outcome, Drawn):
            outcome.hand_over(image.number)
            return _Waiting(image, None, outcome.record)
        if isinstance(outcome, Failure):
            image.release()
            return _Waiting(image, outcome, {"path": os.fspath(image.item), "error": outcome.reason})
        if not self._sinks:
            return _Waiting(image, outcome, {})
        return _Waiting(image, outcome, self._pool.submit(self._drawn, image, outcome, ms))

    def _drawn(self, image: RunImage, detection: Detection, ms: float) -> Record:
        """Let the sinks draw a detection; returns its record. Called in a thread."""
        started = time.perf_counter()
        path = os.fspath(image.item)
        try:
            record = checked({**detection.to_dict(), "path": path, "ms": round(ms, 1)}, Record)
            for sink in self._sinks:
                record |= sink.draw(image.number, detection, image.pixels)
        except DiskError as error:
            raise DiskError(f"{error}, then go on with --resume") from error
        except OddlensError as error:
            return {"path": path, "error": str(error)}
        finally:
            image.release()
            self._times.add("drawing", started)
        return record

    def _write(self, number: int, record: Record) -> Record:
        """Let every sink that works take a record. What the first one raises is raised when the others have it."""
        raised: BaseException | None = None
        for sink in self._sinks:
            if sink in self._failed:
                continue
            try:
                record = sink.write(number, record)
            except BaseException as error:
                raised = raised or error
                if isinstance(error, Exception):
                    self._failed.append(sink)
        if raised is not None:
            raise raised
        return record

    def _is_crowded(self) -> bool:
        """Whether so many outcomes wait to be drawn that the next group must wait too."""
        held = sum(each.image.held_pixels for each in self._waiting)
        return len(self._waiting) > ahead_count() or 2 * held > self._max_pixels


def _detection_of(record: Record) -> Detection | None:
    """The detection of an earlier run, without its map; None for a line without one. The sinks have the line in any case."""
    try:
        return Detection.from_dict(record)
    except UsageError:
        return None
