"""A run over many images: a predictor scores them, threads draw its detections, sinks take the results in the images' order."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from oddlens.calibration import NOT_FINITE
from oddlens.detection import Detection
from oddlens.errors import Failure, UsageError, printable, shortened
from oddlens.inference.engine import Drawn, Engine
from oddlens.inference.predictor import Predictor
from oddlens.inference.records import Record
from oddlens.inference.run_document import RunDocument
from oddlens.inference.run_images import Reading, Room, RunImage
from oddlens.inference.sink_writer import Outcome, SinkWriter
from oddlens.inference.sinks import Sink
from oddlens.inference.smoothing import Smoothing
from oddlens.inference.task import RunInfo, Task
from oddlens.inference.times import Times
from oddlens.io.freed_memory import give_back_memory
from oddlens.io.inputs import Input
from oddlens.io.loader import BATCH_SIZE, checked_count, thread_count
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
    outcomes: Sequence[Outcome | None]
    ms: float


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
        self._writer = SinkWriter(sinks, thread_count() if threads is None else threads, max_pixels, times)
        self._smoothing = None if smoothing is None else Smoothing(smoothing.share)
        self._batch_size = batch_size
        self._ahead: deque[RunImage] = deque()  # read or passed over, and not yet waited for

    def check(self) -> None:
        """Raise UsageError if a sink cannot take the run."""
        self._writer.check(RunInfo(self._task, self._smoothing is not None, self._settings))

    def close(self) -> list[Exception]:
        """Close every sink that is open; returns what they raised."""
        return self._writer.close()

    def outcomes(self) -> Generator[Detection | Failure, None, None]:
        """See `run`."""
        errors: list[BaseException] = []
        try:
            with closing(self._groups()) as groups:
                for group in groups:
                    for image, outcome in zip(group.images, group.outcomes, strict=True):
                        self._writer.add(image, self._smoothed(image, outcome), group.ms)
                    yield from self._writer.written()
            yield from self._writer.written(everything=True)
            self._writer.finish()
        except BaseException as error:  # also where somebody stops the run: what is found is not lost
            if not isinstance(error, GeneratorExit):
                errors.append(error)
            errors += self._writer.write_the_rest()
        finally:
            errors += self._writer.close()
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
                        self._writer.begin()  # only now: a run that cannot even start leaves the earlier one as it is
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
            given = (self.predictor, self._task, list(inputs), self._sinks, self._batch_size, self._writer.begin)
            return self._engine.outcomes(*given)
        outcomes: object = self.predictor.detect_each(inputs, self._task.object_name, self._batch_size)
        if not isinstance(outcomes, Iterable):
            raise self._wrong(shortened(outcomes))
        return iter(outcomes)

    def _wrong(self, given: str) -> RuntimeError:
        return RuntimeError(
            f"{type(self.predictor).__name__}.detect_each gave {given}: it must give one Detection or Failure for each image"
        )

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

    def _smoothed(self, image: RunImage, outcome: Outcome | None) -> Outcome | None:
        if self._smoothing is not None and isinstance(outcome, Detection) and isinstance(image.item, VideoFrame):
            return self._smoothing(image.item.video, outcome)
        return outcome

    def _go_on_from(self, smoothing: Smoothing, frame: VideoFrame, record: Record) -> None:
        """Start the smoothing from the last result of an earlier run."""
        for sink in self._sinks:
            anomaly_map = sink.earlier_map(record)
            if anomaly_map is not None:
                smoothing.go_on_from(frame.video, anomaly_map, record["score"])
                return


_OUTCOME = (Detection, Failure, Drawn)


def _finite(image: RunImage, outcome: Outcome) -> Outcome:
    """The outcome, or a failure in place of a detection whose numbers are not finite."""
    if not isinstance(outcome, Detection):
        return outcome
    numbers = [outcome.score] if outcome.p_value is None else [outcome.score, outcome.p_value]
    if np.isfinite(numbers).all() and np.isfinite(outcome.anomaly_map).all():
        return outcome
    path = os.fspath(image.item)
    return Failure(path, f"{printable(path)} {NOT_FINITE}")
