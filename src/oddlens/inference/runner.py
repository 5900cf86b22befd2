"""A run over many images: a predictor scores them, threads draw its detections, sinks take the results in the images' order."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain, islice

from oddlens.detection import Detection
from oddlens.errors import DiskError, Failure, ImageError, OddlensError, UsageError
from oddlens.inference.predictor import Predictor
from oddlens.inference.results import Record
from oddlens.inference.sinks import Sink
from oddlens.inference.smoothing import Smoothing
from oddlens.inference.task import Item, RunInfo, Task
from oddlens.inference.times import Times
from oddlens.io.freed_memory import give_back_memory
from oddlens.io.images import Picture, read_image
from oddlens.io.inputs import Input
from oddlens.io.loader import BATCH_SIZE, ahead_count, thread_count
from oddlens.io.pixels import Pixels
from oddlens.io.video import VideoFrame

FORMAT = 2
"""Rises whenever the lines of an earlier version would mean something else."""

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
) -> Generator[Detection | Failure, None, None]:
    """Run the images of a task: one outcome for each, in order, when every sink has taken it.

    Images run in fixed groups of `batch_size`, the same ones in a continued run: a stopped run ends with the same numbers as an
    undisturbed one. The results of an earlier run, as a sink knows them, are not computed again: their records go to the sinks
    unchanged, and are yielded here without a map. While the predictor works, threads draw the detections before.

    Args:
        predictor: The detector.
        task: The images, and the object on them.
        sinks: Take the results, one after the other; each gets the record that the one before it returns.
        smoothing: Of the frames of videos. It continues from the maps of a sink.
        batch_size: Images that run together.
        max_pixels: Of images that are held for drawing.
        threads: The number of threads that draw; None: as many as read.
        times: Receives where the time went.

    Raises:
        UsageError: A sink cannot take this run; no image has been read yet.
        DiskError: While iterating, if a disk takes no more data. Finished results stay.
    """
    work = _Run(predictor, task, tuple(sinks), smoothing, batch_size, max_pixels, threads, times or Times())
    work.check()
    return work.outcomes()


class _Image:
    """An image of a task: the predictor's threads read it, it is held if there is room, and sinks draw on it.

    earlier: its result in an earlier run. runs: whether it goes through the predictor: it, or another one of its group, is new.
    """

    def __init__(self, item: Item, number: int, earlier: Record | None, runs: bool, work: _Run) -> None:
        self.item = item
        self.number = number
        self.earlier = earlier
        self.runs = runs
        self.held: Picture | None = None
        self._work = work

    @property
    def held_pixels(self) -> int:
        """The number of pixels that are held."""
        return 0 if self.held is None else self.held.pixel_count

    def read(self) -> Picture:
        """The image. Raises ImageError if it cannot be read."""
        started = time.perf_counter()
        picture = self._read()
        self._work.times.add("reading", started)
        is_frame = isinstance(self.item, VideoFrame)  # held in any case: going back one frame decodes the video again
        if self._work.holds and self.earlier is None and self._work.room.take(picture.pixel_count, anyway=is_frame):
            self.held = picture
        return picture

    def pixels(self) -> Pixels:
        """Its pixels, to draw on."""
        started = time.perf_counter()
        picture = self.held or self._read()
        self._work.times.add("reading", started)
        return picture.pixels

    def release(self) -> None:
        """Stop holding its pixels."""
        self._work.room.give_back(self.held_pixels)
        self.held = None

    def _read(self) -> Picture:
        if isinstance(self.item, Failure):
            raise ImageError(self.item.reason)
        if isinstance(self.item, VideoFrame):
            return self.item.read()
        return read_image(self.item, max_megapixels=self._work.predictor.max_megapixels)


class _Room:
    """Pixels that may be held."""

    def __init__(self, pixels: int) -> None:
        self._left = pixels
        self._lock = threading.Lock()

    def take(self, pixels: int, *, anyway: bool) -> bool:
        """Reserve room; returns whether there is any. anyway: reserve it in any case."""
        with self._lock:
            if pixels > self._left and not anyway:
                return False
            self._left -= pixels
            return True

    def give_back(self, pixels: int) -> None:
        """Make room again."""
        with self._lock:
            self._left += pixels


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

    images: Sequence[_Image]
    outcomes: Sequence[Detection | Failure | None]
    ms: float


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A result that is not written yet. outcome: None for a result of an earlier run."""

    image: _Image
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
    ) -> None:
        self.predictor = predictor
        self.times = times
        self.holds = any(sink.needs_image for sink in sinks)
        self.room = _Room(max_pixels)
        self._task = task
        self._sinks = sinks
        self._smoothing = None if smoothing is None else Smoothing(smoothing.share)
        self._batch_size = batch_size
        self._max_pixels = max_pixels
        self._threads = threads or thread_count()
        self._ahead: deque[_Image] = deque()  # read or passed over, and not yet waited for
        self._waiting: deque[_Waiting] = deque()
        self._info = RunInfo(task, smoothing is not None, self._settings)
        self._begun = self._given = self._is_broken = False

    def check(self) -> None:
        """Raise UsageError if a sink cannot take the run."""
        checked: list[Sink] = []
        try:
            for sink in self._sinks:
                checked.append(sink)
                sink.check(self._info)
        except BaseException:
            for sink in checked:
                sink.close()
            raise

    def outcomes(self) -> Generator[Detection | Failure, None, None]:
        """See `run`."""
        pool = ThreadPoolExecutor(self._threads, "oddlens-draw")
        try:
            with closing(self._groups()) as groups:
                for group in groups:
                    for image, outcome in zip(group.images, group.outcomes, strict=True):
                        self._waiting.append(self._taken(pool, image, outcome, group.ms))
                    yield from self._written()
            yield from self._written(everything=True)
            for sink in self._sinks:
                sink.finish()
        except BaseException:  # also where somebody stops the run: what is found is not lost
            with suppress(OddlensError):
                if not self._is_broken:
                    deque(self._written(everything=True), maxlen=0)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            for sink in self._sinks:
                sink.close()

    def _settings(self) -> Mapping[str, object]:
        identity = self.predictor.identity
        run: dict[str, object] = {"format": FORMAT, **identity.to_dict(), "object": self._task.object_name}
        for sink in self._sinks:
            run |= sink.settings()
        every = sorted({item.video.every for item in self._task.items if isinstance(item, VideoFrame)})
        run["smoothing"] = self._smoothing and {"share": self._smoothing.share, "every": every}
        document = {"run": run, "machine": dict(identity.machine), "passed_over": dict(self._task.passed_over)}
        plain: dict[str, object] = json.loads(json.dumps(document))  # as it is read back from disk
        return plain

    def _groups(self) -> Generator[_Group, None, None]:
        """The images in order, group by group as they ran; those of groups that are done already come as groups of their own."""
        images = self._to_run()
        first = next(images, None)
        if first is not None:
            inputs = _Images(chain([first], images), len(self._task.items))
            outcomes = self.predictor.detect_each(inputs, self._task.object_name, self._batch_size)
            try:
                started = time.perf_counter()
                while group := list(islice(outcomes, self._batch_size)):
                    seconds = self.times.add("predicting", started)
                    ms = 1000 * seconds / max(1, sum(isinstance(outcome, Detection) for outcome in group))
                    passed = self._passed_over()
                    self._begin_sinks()  # only now: a run that cannot even start leaves the earlier one as it is
                    yield passed
                    yield _Group([self._ahead.popleft() for _ in group], group, ms)
                    if (
                        self.holds
                    ):  # images come and go in several threads: what they leave behind would be added to the model's
                        give_back_memory()
                    started = time.perf_counter()
            finally:
                if isinstance(outcomes, Generator):
                    outcomes.close()
        yield self._passed_over()
        if self._ahead:
            raise RuntimeError(f"{len(self._ahead)} images were given to the predictor, and nothing came of them")

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
                image = _Image(items[number], number, record, runs, self)
                self._ahead.append(image)
                if runs:
                    yield Input(os.fspath(image.item), image.read, isinstance(image.item, VideoFrame), self.holds)

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
        self, pool: ThreadPoolExecutor, image: _Image, outcome: Detection | Failure | None, ms: float
    ) -> _Waiting:
        """Start drawing an outcome, if there is anything to draw."""
        item = image.item
        if self._smoothing is not None and isinstance(outcome, Detection) and isinstance(item, VideoFrame):
            outcome = self._smoothing(item.video, outcome)
        if image.earlier is not None:  # the outcome is the same: it ran for the others of its group
            return _Waiting(image, None, image.earlier)
        assert outcome is not None
        if isinstance(outcome, Failure):
            image.release()
            return _Waiting(image, outcome, {"path": os.fspath(item), "error": outcome.reason})
        if not self._sinks:
            return _Waiting(image, outcome, {})
        return _Waiting(image, outcome, pool.submit(self._drawn, image, outcome, ms))

    def _drawn(self, image: _Image, detection: Detection, ms: float) -> Record:
        """Let the sinks draw a detection; returns its record. Called in a thread."""
        started = time.perf_counter()
        path = os.fspath(image.item)
        try:
            record = detection.to_dict() | {"path": path, "ms": round(ms, 1)}
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
                self.times.add("waiting", started)
                started = time.perf_counter()
                del self._waiting[0]
                for sink in self._sinks:
                    record = sink.write(head.image.number, record)
            except Exception:
                self._is_broken = True
                raise
            self.times.add("writing", started)
            if head.outcome is None:
                if (earlier := _detection_of(record)) is not None:
                    yield earlier
            else:
                self._given = True
                yield head.outcome if "error" not in record else Failure(os.fspath(head.image.item), record["error"])

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
