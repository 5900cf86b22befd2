"""The processes of one training: one alone, or several that `torchrun` starts, which divide each step's images among them.

Every process holds all that is learned and makes the same steps: gradients are added up over the processes (see `gradients`), so
that a step is that of one process with all images. The first process speaks and writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from oddlens.backbone.load import choose_device
from oddlens.errors import OddlensError, UsageError

T = TypeVar("T")

_PATIENCE = timedelta(days=7)
"""How long a process waits for the others: their parts may differ by hours, and one that ends is noticed at once."""

_joins = count()


@dataclass(frozen=True)
class Processes:
    """One of `count` processes, and what they do together. All of them must make the same calls in the same order.

    Attributes:
        rank: Its number, from 0.
        count: How many there are, on all machines.
        local_rank: Its number on its machine, from 0.

    Raises:
        OddlensError: Of every method that waits for the others: one of them has ended.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether it is the one that speaks and writes."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """The part of this process of items that all have in the same order; it may be empty."""
        return items[self.rank :: self.count]

    def wait(self) -> None:
        """Wait until all are here."""
        self.gather(None)

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank."""
        if self.count == 1:
            return [value]
        values: list[T] = [value] * self.count
        with _together():
            dist.all_gather_object(values, value)
        return values

    def from_first(self, make: Callable[[], T]) -> T:
        """What the first process makes; the others get a copy."""
        if self.count == 1:
            return make()
        values = [make() if self.first else None]
        with _together():
            dist.broadcast_object_list(values, src=0)
        made: T = values[0]  # type: ignore[assignment]
        return made

    def sums(self, values: Mapping[str, float]) -> dict[str, float]:
        """The sum of each value over all processes; one that lacks it adds nothing."""
        if self.count == 1:
            return dict(values)
        totals: dict[str, float] = {}
        for each in self.gather(dict(values)):
            for name, value in each.items():
                totals[name] = totals.get(name, 0.0) + value
        return totals

    def add_up(self, tensor: Tensor) -> None:
        """Replace the values of a tensor by their sums over all processes."""
        if self.count > 1:
            with _together():
                dist.all_reduce(tensor)

    def device(self, name: str) -> str:
        """The device of this process, where `name` is given for all: of GPUs each process of a machine has one of its own.

        Raises:
            UsageError: The machine has fewer GPUs than processes, or the device cannot be used.
        """
        if self.count == 1 or choose_device(name) != torch.device("cuda"):
            return name
        there = torch.cuda.device_count()
        if self.local_rank >= there:
            raise UsageError(
                f"process {self.local_rank + 1} of this machine has no GPU of its own, as there are {there}: "
                f"start torchrun with --nproc-per-node {there}, or give --device cpu"
            )
        torch.cuda.set_device(self.local_rank)
        return f"cuda:{self.local_rank}"


ALONE = Processes()
"""One process."""


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that `torchrun` started, this one among them; within, they work together.

    They end together: the error of the first that fails is raised there, and all others end in silence, `SystemExit` with 1.
    """
    agreed, rank, size = next(rendezvous("env://", timeout=_PATIENCE))
    store = PrefixStore(f"training-{next(_joins)}", agreed)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
    processes = Processes(rank, size, int(os.environ["LOCAL_RANK"]))
    try:
        with _ending_together(processes):
            yield processes
    except BaseException as error:
        if not _is_success(error) and not _first_to_fail(store):
            raise SystemExit(1) from error
        raise
    finally:
        dist.destroy_process_group()


@contextmanager
def _ending_together(processes: Processes) -> Iterator[None]:
    """Where all goes well, none goes before all are done."""
    try:
        yield
    except SystemExit as end:
        if _is_success(end):
            processes.wait()
        raise
    processes.wait()


def _is_success(error: BaseException) -> bool:
    return isinstance(error, SystemExit) and not error.code


def _first_to_fail(store: Store) -> bool:
    try:
        failed: int = store.add("failed", 1)
        return failed == 1
    except RuntimeError:  # who keeps the store has ended: with an error of its own
        return False


@contextmanager
def _together() -> Iterator[None]:
    """What waits for other processes."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # gloo and nccl raise it where a connection breaks
        raise OddlensError(
            "another process of this training has ended: start it again, and it goes on from its checkpoint"
        ) from error
