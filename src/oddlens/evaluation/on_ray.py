"""The cells of a benchmark on workers of Ray: each takes a category, with all that is measured on it.

Where there are few categories for so many workers, each takes some images of one, and what they gave is joined without loss: the
figures are those of one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from oddlens.errors import DiskError, OddlensError
from oddlens.evaluation.cell_key import Variant
from oddlens.evaluation.chunks import Chunks
from oddlens.evaluation.evaluate import CategoryScorer, is_divisible
from oddlens.evaluation.findings import CellFindings, finished
from oddlens.evaluation.kept_chunks import folder_of
from oddlens.evaluation.plan import Job, Plan
from oddlens.evaluation.runner import Evaluated, evaluate_here, write_cells
from oddlens.inference.workers import Worker, Workers, connected, need_ray, packed

_PARTS_OF_A_WORKER = 2
"""Where categories are divided, there are so many parts for each worker, so that none waits long for the last one."""


@dataclass(frozen=True, eq=False)
class _Work:
    """What every worker gets. groups: jobs that are evaluated together."""

    groups: Sequence[Sequence[Job]]
    plan: Plan
    out: Path
    chunks: Chunks


@dataclass(frozen=True)
class _Part:
    """Images of a group; None: all of them, and the worker finishes the cells."""

    group: int
    images: range | None


_Made = Evaluated | list[dict[Variant, CellFindings | OddlensError]]
"""`Evaluated` of a group, or what the images gave, or the error for which they gave nothing."""


class _Worker(Worker[_Part, _Made]):
    """Evaluates groups of jobs, or scores a part of their images."""

    _scorer: tuple[int, CategoryScorer] | None = None

    def make(self, part: _Part) -> Iterator[_Made]:
        """See `_Made`."""
        work = self.work
        assert isinstance(work, _Work)
        made: _Made
        if part.images is None:
            (made,) = evaluate_here([work.groups[part.group]], work.plan, work.out, _nothing, work.chunks)
        else:
            try:
                folder = folder_of(work.out, work.groups[part.group], work.chunks)
                made = self._scorer_of(part.group).score(part.images, folder=folder)
            except DiskError:
                raise
            except OddlensError as error:
                made = error
        yield made

    def _scorer_of(self, group: int) -> CategoryScorer:
        """It encodes the references of a group once for all parts that this worker gets."""
        work = self.work
        assert isinstance(work, _Work)
        if self._scorer is None or self._scorer[0] != group:
            self._scorer = group, CategoryScorer(work.groups[group], work.plan, work.out, work.chunks)
        return self._scorer[1]


class RayEvaluation:
    """Evaluates groups of jobs on workers: an `Evaluation`. Raises `UsageError` where Ray is not installed.

    All machines need the data sets and OUT at the same paths.
    """

    def __init__(self, workers: Workers) -> None:
        need_ray("--engine ray")
        self._workers = workers

    def __call__(
        self,
        groups: Sequence[Sequence[Job]],
        plan: Plan,
        out: Path,
        advance: Callable[[int], None],
        chunks: Chunks,
    ) -> Iterator[Evaluated]:
        """See `Evaluation`."""
        if not groups:
            return
        with ExitStack() as stack:
            cluster = stack.enter_context(connected(self._workers, packed(_Work(groups, plan, out, chunks))))
            parts = [
                [_Part(number, images) for images in divided(jobs, len(groups), cluster.workers, chunks)]
                for number, jobs in enumerate(groups)
            ]
            every = [part for each in parts for part in each]

            def name(part: _Part) -> str:
                job = groups[part.group][0]
                return f"{job.category} of {job.source.name}"

            found = stack.enter_context(closing(cluster.mapped(every, len(every), _Worker, name)))
            for jobs, of_group in zip(groups, parts, strict=True):
                made: list[_Made] = []
                for part in of_group:
                    made.append(next(found))
                    count = len(jobs[0].records) if part.images is None else len(part.images)
                    advance(count * len(jobs))
                yield cast("Evaluated", made[0]) if of_group[0].images is None else _joined(jobs, made, out, chunks)


def divided(jobs: Sequence[Job], groups: int, workers: int, chunks: Chunks) -> list[range | None]:
    """The parts of a category: all of it where there are as many categories as workers, or its images need each other.

    A part begins where a chunk of the whole begins, so that the same images run through the tower together as in one process.
    """
    images, size = len(jobs[0].records), chunks.images
    wanted = -(-_PARTS_OF_A_WORKER * workers // groups) if groups < workers else 1
    length = -(-images // (wanted * size)) * size
    if length >= images or not all(map(is_divisible, jobs)):
        return [None]
    return [range(first, min(first + length, images)) for first in range(0, images, length)]


def _joined(jobs: Sequence[Job], made: Sequence[object], out: Path, chunks: Chunks) -> Evaluated:
    """The cells of a group, written, from what its parts gave; or the error of the first part that has one."""
    for each in made:
        if isinstance(each, OddlensError):
            return each
    whole, *others = cast("Sequence[list[dict[Variant, CellFindings | OddlensError]]]", made)
    for part in others:
        for own, more in zip(whole, part, strict=True):
            for variant, other in more.items():
                findings = own[variant]
                if isinstance(findings, OddlensError):
                    continue  # the first fault of a cell is the one that is named
                if isinstance(other, OddlensError):
                    own[variant] = other
                else:
                    findings.merge(other)
    try:
        results = finished(jobs, whole)
    except OddlensError as error:
        return error
    write_cells(jobs, results, out, chunks)
    return results


def _nothing(_: int) -> None:
    """Nobody is told how far a worker is."""
