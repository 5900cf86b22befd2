"""The cells of a benchmark on workers of Ray: each takes a category, with all that is measured on it, whole.

So a cell's figures are made as in one process, of all its images, and nothing has to be joined.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from oddlens.evaluation.evaluate import Chunks
from oddlens.evaluation.plan import Job, Plan
from oddlens.evaluation.runner import Evaluated, evaluate_here
from oddlens.inference.ray import Worker, Workers, connected, need_ray, packed


@dataclass(frozen=True, eq=False)
class _Work:
    """What every worker gets. groups: jobs that are evaluated together."""

    groups: Sequence[Sequence[Job]]
    plan: Plan
    out: Path
    chunks: Chunks


class _Worker(Worker):
    """Evaluates groups of jobs."""

    columns = ("evaluated",)

    def rows(self, part: object) -> Iterator[dict[str, bytes]]:
        """One, of the group with a number."""
        work = self.work
        assert isinstance(work, _Work)
        assert isinstance(part, int)
        (evaluated,) = evaluate_here([work.groups[part]], work.plan, work.out, _nothing, work.chunks)
        yield {"evaluated": pickle.dumps(evaluated)}


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
        with (
            connected(self._workers, packed(_Work(groups, plan, out, chunks))) as cluster,
            closing(cluster.mapped(range(len(groups)), _Worker)) as rows,
        ):
            for jobs, row in zip(groups, rows, strict=True):
                advance(sum(len(job.records) for job in jobs))
                evaluated: Evaluated = pickle.loads(row["evaluated"])  # of a worker of ours
                yield evaluated


def _nothing(_: int) -> None:
    """Nobody is told how far a worker is."""
