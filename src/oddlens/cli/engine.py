"""Where the images of a verb are computed: in its own process, or on workers of Ray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from oddlens.cli.options import one_of
from oddlens.errors import UsageError, shortened

if TYPE_CHECKING:
    from oddlens.inference.workers import Workers

ENGINES: tuple[Literal["process", "ray"], ...] = ("process", "ray")


@dataclass(frozen=True)
class EngineOptions:
    """Where images are computed."""

    engine: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="process: here. ray: on workers, which are processes of this machine or of a cluster; it needs 'oddlens[ray]'.",
        ),
    ] = "process"
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Of a Ray cluster; auto: the one that this machine belongs to.",
            show_default="Ray is started on this machine",
        ),
    ] = None
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="N[xT]",
            help="How many workers, and of how many threads each, as 4x2; without, of one.",
            show_default="as many as there are processors",
        ),
    ] = None

    def chosen(self, device: str) -> Workers | None:
        """The workers that they ask for; None: this process.

        device: as `--device` names it: with cuda each worker has a GPU of its own.

        Raises:
            UsageError: They contradict each other.
        """
        if one_of("--engine", self.engine, ENGINES) == "process":
            for option, value in (("--address", self.address), ("--workers", self.workers)):
                if value is not None:
                    raise UsageError(f"{option} is for workers of Ray: add --engine ray, or leave it out")
            return None
        count, threads = (None, 1) if self.workers is None else _workers(self.workers)
        from oddlens.inference.workers import Workers

        return Workers(self.address, count, threads, gpu=device.partition(":")[0] == "cuda")


def _workers(text: str) -> tuple[int, int]:
    count, x, threads = text.partition("x")
    numbers = [count, threads if x else "1"]
    if not all(number.isdecimal() and number.isascii() and int(number) for number in numbers):
        raise UsageError(
            f"--workers {shortened(text)} is no number of workers: give 4, for instance, or 4x2 for two threads each"
        )
    return int(numbers[0]), int(numbers[1])
