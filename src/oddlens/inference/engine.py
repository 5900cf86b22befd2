"""Where the images of a run are computed: in this process, or by an engine that has workers in others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from oddlens.inference.records import Record

if TYPE_CHECKING:
    from oddlens.inference.predictor import Predictor
    from oddlens.inference.sinks import Sink
    from oddlens.inference.task import Task
    from oddlens.io.inputs import Input


@dataclass(frozen=True, eq=False)
class Drawn:
    """The outcome of an image that a worker has computed and drawn.

    Attributes:
        record: Its record, with what was drawn of it.
        hand_over: Gives the run's sinks what their copies kept of it, see `Sink.keep`; called with the image's number.
    """

    record: Record
    hand_over: Callable[[int], None]


class Engine(Protocol):
    """Computes and draws the images of a run in other processes. `oddlens.inference.ray.RayEngine` is one.

    What an image gives is the same to the bit as in one process that computes with as many threads as a worker.
    """

    def check(self, task: Task) -> None:
        """Raise `UsageError` where the images of a task cannot run on it."""

    def outcomes(
        self,
        predictor: Predictor,
        task: Task,
        images: Sequence[Input],
        sinks: Sequence[Sink],
        batch_size: int,
        begin: Callable[[], None],
    ) -> Iterator[Drawn]:
        """One outcome an image, in order, as they come.

        Args:
            predictor: The detector; every worker gets a copy.
            task: The task.
            images: Those that run, in whole groups of `batch_size`: images of one group run together.
            sinks: Of the run; their copies draw, see `Sink.elsewhere`.
            batch_size: Images that run together.
            begin: To be called when the workers can be had, before any of them draws.

        Raises:
            OddlensError: The workers cannot be had, or one of them could not go on; nothing that was given before is lost.
        """
