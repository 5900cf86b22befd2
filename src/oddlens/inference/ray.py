"""A run on Ray: every worker, a process of any machine of a cluster, has a copy of the detector, and draws what it finds.

Paths go to the workers, records come back, in the order of the images; pixels and maps stay where they are computed. All machines
see the same files at the same paths. A worker that dies is started again, and what it had not given back runs again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.errors import Failure, UsageError, counted, printable
from oddlens.inference.engine import Drawn
from oddlens.inference.records import Record
from oddlens.inference.runner import run
from oddlens.inference.sinks import Sink
from oddlens.inference.task import Item, RunInfo, SentImage, Task
from oddlens.inference.workers import HERE, Worker, Workers, connected, need_ray, packed
from oddlens.io.remote import RemotePath
from oddlens.io.strict_json import checked, parse_json
from oddlens.io.video import VideoFrame

if TYPE_CHECKING:
    from oddlens.detection import Detection
    from oddlens.inference.predictor import Predictor
    from oddlens.io.inputs import Input
    from oddlens.io.pixels import Pixels

_Part = tuple[Item, ...]
_Row = tuple[bytes, dict[int, object]]
"""Of an image: its record as JSON, and what sinks kept of it, by their places."""

PART = 64
"""Images that a worker takes at once, at most: what it has not given back is lost where it is killed."""


class RayEngine:
    """Runs images on the workers of a Ray cluster, or on processes of this machine: an `Engine`.

    Raises `UsageError` where Ray is not installed.
    """

    def __init__(self, workers: Workers = HERE) -> None:
        need_ray("--engine ray")
        self._workers = workers

    def check(self, task: Task) -> None:
        """See `Engine`."""
        for item in task.items:
            if isinstance(item, VideoFrame):
                raise UsageError(
                    f"{printable(os.fspath(item.video.path))} is a video, whose frames are read one after the other: "
                    "run it without --engine ray"
                )
            if not isinstance(item, Path | RemotePath | Failure):
                raise UsageError(
                    f"{printable(os.fspath(item))} is no file that a worker could read: run without an engine"
                )

    def outcomes(
        self,
        predictor: Predictor,
        task: Task,
        images: Sequence[Input],
        sinks: Sequence[Sink],
        batch_size: int,
        begin: Callable[[], None],
    ) -> Iterator[Drawn]:
        """See `Engine`."""
        drawing = [sink for sink in sinks if type(sink).draw is not Sink.draw]
        work = _Work(predictor, task.object_name, [sink.elsewhere() for sink in drawing], batch_size)
        with connected(self._workers, packed(work)) as cluster:
            begin()
            parts = sent_parts(images, task, drawing, batch_size, cluster.workers)
            most = -(-len(images) // batch_size)
            with closing(cluster.mapped(parts, most, _Worker, _named)) as rows:
                for line, kept in rows:
                    yield Drawn(checked(parse_json(line), Record), partial(_hand_over, drawing, kept))


@dataclass(frozen=True, eq=False)
class _Work:
    """What every worker of a run gets. sinks: those that draw."""

    predictor: Predictor
    object_name: str
    sinks: Sequence[Sink]
    batch_size: int


class _Worker(Worker[_Part, _Row]):
    """Runs parts of a run, each as a run of its own, whose groups are groups of the whole."""

    def make(self, part: _Part) -> Iterator[_Row]:
        """One row an image."""
        work = self.work
        assert isinstance(work, _Work)
        results = _Results(work.sinks)
        outcomes = run(work.predictor, Task(work.object_name, part), [results], batch_size=work.batch_size)
        with closing(outcomes):
            try:
                for _ in outcomes:
                    yield from results.taken()
            finally:
                yield from results.taken()


class _Results(Sink):
    """The sinks of a worker: lets them draw, and gathers records with what the sinks kept."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.needs_image = any(sink.needs_image for sink in sinks)
        self._sinks = sinks
        self._rows: list[_Row] = []
        self._kept: dict[int, dict[int, object]] = {}

    def check(self, run: RunInfo) -> None:
        """See `Sink`."""
        for sink in self._sinks:
            sink.check(run)

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """See `Sink`."""
        record: Record = {}
        for sink in self._sinks:
            record |= sink.draw(number, detection, pixels)
        kept = {place: each for place, sink in enumerate(self._sinks) if (each := sink.kept(number)) is not None}
        if kept:
            self._kept[number] = kept
        return record

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        line = json.dumps(record, allow_nan=False).encode("ascii")
        self._rows.append((line, self._kept.pop(number, {})))
        return record

    def taken(self) -> list[_Row]:
        """The rows that were not taken yet."""
        rows, self._rows = self._rows, []
        return rows


def sent_parts(
    images: Sequence[Input], task: Task, sinks: Sequence[Sink], batch_size: int, workers: int
) -> Iterator[_Part]:
    """The images as workers get them, in parts of whole groups.

    The parts become smaller towards the end, where one that is still at work lets the other workers wait.
    """
    failures = {item.source: item for item in task.items if isinstance(item, Failure)}

    def sent(source: str) -> Item:
        names = (name for sink in sinks if (name := sink.drawn_as(source)) is not None)
        return failures.get(source) or SentImage(source, next(names, None))

    first = 0
    while first < len(images):
        fair = (len(images) - first) // (2 * workers)
        size = max(1, min(PART, fair) // batch_size) * batch_size
        yield tuple(sent(each.source) for each in images[first : first + size])
        first += size


def _named(part: _Part) -> str:
    """What images are called in sentences."""
    name = printable(os.fspath(part[0]))
    return name if len(part) == 1 else f"{counted(len(part), 'image')} from {name} on"


def _hand_over(sinks: Sequence[Sink], kept: Mapping[int, object], number: int) -> None:
    for place, each in kept.items():
        sinks[place].keep(number, each)
