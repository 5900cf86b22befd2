"""Checkpoints: the state of a training in a file while it runs, so that a stopped one continues and ends with the same bits.

The file is a SHA-256 (32 bytes) and the content that it is of: a torch file of tensors and plain values. A damaged file counts as
none.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Protocol, TypedDict, TypeGuard, TypeVar

import torch
from torch import Tensor

from oddlens.backbone.weights_file import read_state as read_torch_file
from oddlens.errors import OddlensError
from oddlens.io.atomic import write_bytes
from oddlens.io.paths import read_bytes
from oddlens.provenance import differing
from oddlens.training.processes import ALONE, Processes

EVERY_SECONDS = 60.0
_DIGEST_BYTES = 32

_S = TypeVar("_S")

Losses = dict[str, float]
"""The parts of one step's loss by name, weighted: training minimises their sum."""


class Checkpointable(Protocol):
    """What a checkpoint saves: learned tensors by name."""

    def tensors(self) -> dict[str, Tensor]:
        """The tensors."""

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from such tensors."""


class _State(TypedDict):
    facts: dict[str, object]
    tensors: dict[str, Tensor]
    optimiser: dict[str, object]
    losses: list[Losses]
    seconds: list[float]


@dataclass
class History:
    """The losses and the seconds of every step so far."""

    losses: list[Losses] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        """The number of steps."""
        return len(self.losses)

    def epochs(self, steps: int) -> list[Losses]:
        """The mean losses of every epoch that has begun. steps: of one epoch."""
        parts = [self.losses[first : first + steps] for first in range(0, len(self), steps)]
        return [{name: sum(each[name] for each in part) / len(part) for name in part[0]} for part in parts]


class Checkpoint:
    """The checkpoint file of one training.

    Args:
        path: The file.
        facts: Everything that the result depends on, JSON values by name; a file with other facts is not used.
        every: Seconds between two writings within an epoch.
        processes: The first of them reads and writes the file; how many they are may change from a stop to the next start.
    """

    def __init__(
        self, path: Path, facts: Mapping[str, object], every: float = EVERY_SECONDS, processes: Processes = ALONE
    ) -> None:
        self.path = path
        self._facts = json.loads(json.dumps(facts, default=str))
        self.every = every
        self._processes = processes
        self._written = time.monotonic()

    @property
    def facts_sha256(self) -> str:
        """A hash of the facts."""
        return sha256(json.dumps(self._facts, sort_keys=True).encode()).hexdigest()

    def differs(self) -> list[str] | None:
        """The names of the facts in which the file differs: [] if the training can continue from it; None without a file."""
        state = self._read()
        return None if state is None else sorted(differing(state["facts"], self._facts))

    def differing_from(self, said: Mapping[str, object]) -> list[str]:
        """The names of the facts that weights say otherwise, of those that they say. said: their provenance."""
        both = [name for name in self._facts if name in said]
        return sorted(differing({name: said[name] for name in both}, {name: self._facts[name] for name in both}))

    def resume(self, trained: Checkpointable, optimiser: torch.optim.Optimizer) -> History:
        """Load the file into both and return its history; an empty one if no file fits."""
        state = self._processes.from_first(self._read)
        if state is None or differing(state["facts"], self._facts):
            return History()
        trained.load(state["tensors"])
        optimiser.load_state_dict(state["optimiser"])
        return History(state["losses"], state["seconds"])

    def write(self, trained: Checkpointable, optimiser: torch.optim.Optimizer, history: History) -> None:
        """Write the state of the training, whole or not at all."""
        if not self._processes.first:
            return
        state = {
            "facts": self._facts,
            "tensors": trained.tensors(),
            "optimiser": optimiser.state_dict(),
            "losses": history.losses,
            "seconds": history.seconds,
        }
        write_state(self.path, state)
        self._written = time.monotonic()

    def write_in_time(self, trained: Checkpointable, optimiser: torch.optim.Optimizer, history: History) -> None:
        """Write if the last writing is long enough ago."""
        if time.monotonic() - self._written >= self.every:
            self.write(trained, optimiser, history)

    def remove(self) -> None:
        """Delete the file after the training."""
        if self._processes.first:
            self.path.unlink(missing_ok=True)

    def _read(self) -> _State | None:
        """The state in the file; None without a file, or for a damaged one."""
        return read_state(self.path, _State) or _without_checksum(self.path)


def write_state(path: Path, state: Mapping[str, object]) -> None:
    """Write tensors and plain values with their SHA-256, whole or not at all."""
    stream = io.BytesIO()
    torch.save(dict(state), stream)
    content = stream.getvalue()
    write_bytes(path, sha256(content).digest() + content)


def read_state(path: Path, form: type[_S]) -> _S | None:
    """What `write_state` wrote, on the CPU; None without a file, or for a damaged one, or one of another form, a `TypedDict`."""
    try:
        data = read_bytes(path)
    except OSError:  # there is none, or none that can be read
        return None
    digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if sha256(content).digest() != digest:
        return None
    state: object = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state if _has_parts(state, form) else None


def _without_checksum(path: Path) -> _State | None:
    """The checkpoint of the first version, a torch file alone; None for anything else."""
    try:
        state = read_torch_file(path)
    except OddlensError:
        return None
    return state if _has_parts(state, _State) else None


def _has_parts(state: object, form: type[_S]) -> TypeGuard[_S]:
    """Whether the parts have the names of a `TypedDict`: `write_state` wrote them, so that they have its types."""
    return isinstance(state, dict) and state.keys() == form.__annotations__.keys()
