"""A run over many images: a predictor scores them, threads draw its detections, sinks take the results in the images' order."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from oddlens.calibration import NOT_FINITE
from oddlens.detection import Detection
from oddlens.errors import DiskError, Failure, OddlensError, UsageError, printable, shortened
from oddlens.inference.engine import Drawn, Engine
from oddlens.inference.predictor import Predictor
from oddlens.inference.records import Record
from oddlens.inference.run_document import RunDocument
from oddlens.inference.run_images import Reading, Room, RunImage
from oddlens.inference.sinks import Sink
from oddlens.inference.smoothing import Smoothing
from oddlens.inference.task import RunInfo, Task
from oddlens.inference.times import Times
from oddlens.io.freed_memory import give_back_memory
from oddlens.io.inputs import Input
from oddlens.io.loader import BATCH_SIZE, ahead_count, checked_count, thread_count
from oddlens.io.strict_json import checked
from oddlens.io.video import VideoFrame

FORMAT = 2
"""Rises whenever the lines of an earlier version would mean something else."""

_GROUPS_SETTLING = 8
"""After each of so many groups freed memory goes back to the system: what loading and the first images leave behind adds up."""

HELD_PIXELS = 48_000_000
"""The most pixels of images that are held until their overlays are drawn; beyond that, images are read once more.

What is read ahead is bounded apart from that, by `oddlens.io.loader.MAX_PIXELS`."""


def run(
    predictor: Predictor,
    task: Task,
    sinks: Sequence[Sink] = (),
    *,
    smoothing: Smoothing | None = None,
    batch_size: int = BATCH_SIZE,
    max_pixels: int = HELD_PIXELS,
    threads: int | None = None,
    times: Times | None = None,
    engine: Engine | None = None,
) -> Generator[Detection | Failure, None, None]:
    """Run the images of a task: one outcome for each, in order, when every sink has taken it.

    Images run in fixed groups of `batch_size`, the same ones in a continued run: a stopped run ends with the same numbers as an
    undisturbed one. The results of an earlier run, as a sink knows them, are not computed again: their records go to the sinks
    unchanged, and are yielded here without a map. While the predictor works, threads draw the detections before.

    Sinks are closed at the end of the iteration, whatever ends it, at `close`, and where the iterator is dropped before its first
    step. If a sink fails, the others still take what is computed; then its error is raised.

    Args:
        predictor: The detector.
        task: The images, and the object on them.
        sinks: Take the results, one after the other; each gets the record that the one before it returns.
        smoothing: Of the frames of videos. It continues from the maps of a sink.
        batch_size: Images that run together.
        max_pixels: Of images that are held for drawing.
        threads: The number of threads that draw; None: as many as read.
        times: Receives where the time went.
        engine: Computes and draws in other processes; None: this one does. With an engine, detections come without a map.

    Raises:
        UsageError: A sink or the engine cannot take this run, or `batch_size` or `threads` is no whole number above 0; no image has
            been read.
        DiskError: While iterating, if a disk takes no more data. Finished results stay.
        RuntimeError: While iterating, if the predictor does not give one outcome an image.
    """
    checked_count("batch_size", batch_size)
    if threads is not None:
        checked_count("threads", threads)
    if engine is not None:
        engine.check(task)
        if smoothing is not None:
            raise UsageError("smoothing follows frames in their order, which workers do not: leave one of both out")
    work = _Run(predictor, task, tuple(sinks), smoothing, batch_size, max_pixels, threads, times or Times(), engine)
    work.check()
    return _Outcomes(work)


def settings_of(
    predictor: Predictor, task: Task, sinks: Sequence[Sink], smoothing: Smoothing | None = None
) -> RunDocument:
    """What run.json says of a run: see `RunInfo.settings`."""
    identity = predictor.identity
    run: dict[str, object] = {"format": FORMAT, **identity.to_dict(), "object": task.object_name}
    for sink in sinks:
        run |= sink.settings()
    every = sorted({item.video.every for item in task.items if isinstance(item, VideoFrame)})
    run["smoothing"] = smoothing and {"share": smoothing.share, "every": every}
    document = {"run": run, "machine": dict(identity.machine), "passed_over": dict(task.passed_over)}
    return checked(json.loads(json.dumps(document)), RunDocument)  # as it is read back from disk


class _Outcomes(Generator[Detection | Failure, None, None]):
    """The outcomes of a run, which also closes its sinks where nobody takes the first one: a generator alone would not."""

    def __init__(self, work: _Run) -> None:
        self._work = work
        self._outcomes = work.outcomes()

    def send(self, value: None) -> Detection | Failure:
        """The next outcome."""
        return self._outcomes.send(value)

    def throw(self, *error: Any) -> Detection | Failure:
        """Raise an error where the run stands, see `Generator`."""
        return self._outcomes.throw(*error)

    def close(self) -> None:
        """Stop the run: what is computed goes to the sinks, and they are closed."""
        self._outcomes.close()
        for error in self._work.close():
            raise error

    def __del__(self) -> None:
        self.close()


class _Images:
    """The images that must run, as a collection, so that the predictor reads them ahead."""

    def __init__(self, images: Iterable[Input], most: int) -> None:
        self._images = images
        self._most = most

    def __len__(self) -> int:
        return self._most

    def __iter__(self) -> Iterator[Input]:
        return iter(self._images)


@dataclass(frozen=True, eq=False)
class _Group:
    """Images that ran together, with the outcome of each; None: they did not run. ms: milliseconds a detection."""

    images: Sequence[RunImage]
    outcomes: Sequence[Detection | Failure | Drawn | None]
    ms: float


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


class _Run:
    """The state of one run."""

    def __init__(
        self,
        predictor: Predictor,
        task: Task,
        sinks: tuple[Sink, ...],
        smoothing: Smoothing | None,
        batch_size: int,
        max_pixels: int,
        threads: int | None,
        times: Times,
        engine: Engine | None,
    ) -> None:
        self.predictor = predictor
        self._engine = engine
        self.times = times
        holds = any(sink.needs_image for sink in sinks)
        self._reading = Reading(predictor.max_megapixels, holds, Room(max_pixels), times)
        self._task = task
        self._sinks = sinks
        self._smoothing = None if smoothing is None else Smoothing(smoothing.share)
        self._batch_size = batch_size
        self._max_pixels = max_pixels
        self._threads = thread_count() if threads is None else threads
        self._ahead: deque[RunImage] = deque()  # read or passed over, and not yet waited for
        self._waiting: deque[_Waiting] = deque()
        self._info = RunInfo(task, smoothing is not None, self._settings)
        self._begun = self._given = False
        self._open: deque[Sink] = deque()  # their checks passed, and they are not closed
        self._failed: list[Sink] = []  # they raised in `write`, and get no more

    def check(self) -> None:
        """Raise UsageError if a sink cannot take the run."""
        try:
            for sink in self._sinks:
                sink.check(self._info)
                self._open.append(sink)
        except BaseException:
            self.close()
            raise

    def close(self) -> list[Exception]:
        """Close every sink that is open, whatever another one raises; returns what they raised."""
        errors: list[Exception] = []
        while self._open:
            try:
                self._open.popleft().close()
            except Exception as error:
                errors.append(error)
        return errors

    def outcomes(self) -> Generator[Detection | Failure, None, None]:
        """See `run`."""
        pool = ThreadPoolExecutor(self._threads, "oddlens-draw")
        errors: list[BaseException] = []
        try:
            with closing(self._groups()) as groups:
                for group in groups:
                    for image, outcome in zip(group.images, group.outcomes, strict=True):
                        self._waiting.append(self._taken(pool, image, outcome, group.ms))
                    yield from self._written()
            yield from self._written(everything=True)
            for sink in self._sinks:
                sink.finish()
        except BaseException as error:  # also where somebody stops the run: what is found is not lost
            if not isinstance(error, GeneratorExit):
                errors.append(error)
            errors += self._write_the_rest()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            errors += self.close()
        if errors:
            raise errors[0]

    def _settings(self) -> RunDocument:
        return settings_of(self.predictor, self._task, self._sinks, self._smoothing)

    def _groups(self) -> Generator[_Group, None, None]:
        """The images in order, group by group as they ran; those of groups that are done already come as groups of their own."""
        images = self._to_run()
        first = next(images, None)
        if first is not None:
            inputs = _Images(chain([first], images), len(self._task.items))
            outcomes, groups = self._predicted(inputs), 0
            try:
                started = time.perf_counter()
                while group := list(islice(outcomes, self._batch_size)):
                    seconds = self.times.add("predicting", started)
                    ms = 1000 * seconds / max(1, sum(isinstance(outcome, Detection) for outcome in group))
                    passed = self._passed_over()
                    given: list[tuple[RunImage, object]] = []
                    while len(given) < len(group) and self._ahead and self._ahead[0].runs:
                        given.append((self._ahead.popleft(), group[len(given)]))
                    good = [(image, _finite(image, each)) for image, each in given if isinstance(each, _OUTCOME)]
                    if good:
                        self._begin_sinks()  # only now: a run that cannot even start leaves the earlier one as it is
                    yield passed
                    yield _Group([image for image, _ in good], [outcome for _, outcome in good], ms)
                    for image, each in given:
                        if not isinstance(each, _OUTCOME):
                            raise self._wrong(f"{shortened(each)} for {printable(os.fspath(image.item))}")
                    if len(group) > len(given):
                        raise self._wrong("more outcomes than it was given images")
                    if self._reading.holds and groups < _GROUPS_SETTLING:
                        give_back_memory()
                    groups += 1
                    started = time.perf_counter()
            finally:
                if isinstance(outcomes, Generator):
                    outcomes.close()
        is_left = next(images, None) is not None  # it did not even ask for it
        yield self._passed_over()
        if self._ahead or is_left:
            raise self._wrong("fewer outcomes than there are images")

    def _predicted(self, inputs: _Images) -> Iterator[object]:
        """What the engine or the predictor gives; it may be another program's, so that nothing is taken for granted."""
        if self._engine is not None:
            given = (self.predictor, self._task, list(inputs), self._sinks, self._batch_size, self._begin_sinks)
            return self._engine.outcomes(*given)
        outcomes: object = self.predictor.detect_each(inputs, self._task.object_name, self._batch_size)
        if not isinstance(outcomes, Iterable):
            raise self._wrong(shortened(outcomes))
        return iter(outcomes)

    def _wrong(self, given: str) -> RuntimeError:
        return RuntimeError(
            f"{type(self.predictor).__name__}.detect_each gave {given}: it must give one Detection or Failure for each image"
        )

    def _begin_sinks(self) -> None:
        if not self._begun:
            self._begun = True
            for sink in self._sinks:
                sink.begin()

    def _to_run(self) -> Iterator[Input]:
        """The images of the groups that are not done, as the predictor takes them; `_ahead` gets every image."""
        items = self._task.items
        for first in range(0, len(items), self._batch_size):
            numbers = range(first, min(first + self._batch_size, len(items)))
            earlier = [self._earlier(number) for number in numbers]
            runs = not all(earlier)
            for number, record in zip(numbers, earlier, strict=True):
                image = RunImage(items[number], number, record, runs, self._reading)
                self._ahead.append(image)
                if runs:
                    yield Input(
                        os.fspath(image.item), image.read, isinstance(image.item, VideoFrame), self._reading.holds
                    )

    def _earlier(self, number: int) -> Record | None:
        """The earlier result of an image from the first sink that has one; all sinks are called, before the image is read."""
        known = [sink.earlier(number) for sink in self._sinks]
        return next((record for record in known if record is not None), None)

    def _passed_over(self) -> _Group:
        """The next images whose groups are done already."""
        images = []
        while self._ahead and not self._ahead[0].runs:
            image = self._ahead.popleft()
            images.append(image)
            ends_group = (image.number + 1) % self._batch_size == 0
            if self._smoothing is not None and isinstance(image.item, VideoFrame) and ends_group:
                self._go_on_from(self._smoothing, image.item, image.earlier or {})
        return _Group(images, [None] * len(images), 0.0)

    def _go_on_from(self, smoothing: Smoothing, frame: VideoFrame, record: Record) -> None:
        """Start the smoothing from the last result of an earlier run."""
        for sink in self._sinks:
            anomaly_map = sink.earlier_map(record)
            if anomaly_map is not None:
                smoothing.go_on_from(frame.video, anomaly_map, record["score"])
                return

    def _taken(
        self, pool: ThreadPoolExecutor, image: RunImage, outcome: Detection | Failure | Drawn | None, ms: float
    ) -> _Waiting:
        """Start drawing an outcome, if there is anything to draw."""
        item = image.item
        if self._smoothing is not None and isinstance(outcome, Detection) and isinstance(item, VideoFrame):
            outcome = self._smoothing(item.video, outcome)
        if image.earlier is not None:  # the outcome is the same: it ran for the others of its group
            return _Waiting(image, None, image.earlier)
        assert outcome is not None
        if isinstance(outcome, Drawn):
            outcome.hand_over(image.number)
            return _Waiting(image, None, outcome.record)
        if isinstance(outcome, Failure):
            image.release()
            return _Waiting(image, outcome, {"path": os.fspath(item), "error": outcome.reason})
        if not self._sinks:
            return _Waiting(image, outcome, {})
        return _Waiting(image, outcome, pool.submit(self._drawn, image, outcome, ms))

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
            self.times.add("drawing", started)
        return record

    def _written(self, *, everything: bool = False) -> Iterator[Detection | Failure]:
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
            self.times.add("waiting", started)
            started = time.perf_counter()
            del self._waiting[0]
            record = self._write(head.image.number, record)
            self.times.add("writing", started)
            self._given = self._given or head.image.earlier is None
            if "error" in record:
                yield Failure(os.fspath(head.image.item), record["error"])
            elif (outcome := head.outcome or _detection_of(record)) is not None:
                yield outcome

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

    def _write_the_rest(self) -> list[Exception]:
        """Let the sinks that work take all that is computed, past what cannot be drawn or written; returns what was raised."""
        errors: list[Exception] = []
        while self._waiting:
            try:
                deque(self._written(everything=True), maxlen=0)
            except Exception as error:
                errors.append(error)
        return errors

    def _is_crowded(self) -> bool:
        """Whether so many outcomes wait to be drawn that the next group must wait too."""
        held = sum(each.image.held_pixels for each in self._waiting)
        return len(self._waiting) > ahead_count() or 2 * held > self._max_pixels


_OUTCOME = (Detection, Failure, Drawn)


def _finite(image: RunImage, outcome: Detection | Failure | Drawn) -> Detection | Failure | Drawn:
    """The outcome, or a failure in place of a detection whose numbers are not finite."""
    if not isinstance(outcome, Detection):
        return outcome
    numbers = [outcome.score] if outcome.p_value is None else [outcome.score, outcome.p_value]
    if np.isfinite(numbers).all() and np.isfinite(outcome.anomaly_map).all():
        return outcome
    path = os.fspath(image.item)
    return Failure(path, f"{printable(path)} {NOT_FINITE}")


def _detection_of(record: Record) -> Detection | None:
    """The detection of an earlier run, without its map; None for a line without one. The sinks have the line in any case."""
    try:
        return Detection.from_dict(record)
    except UsageError:
        return None
