"""Where a training stands: kept in a file while it runs, so that a stopped one goes on and ends with the same bits.

The file is a SHA-256 (32 bytes) and what it is of: a torch file of tensors and plain values. One that was damaged counts as none.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from oddlens.backbone.checkpoint import read_state as read_torch_file
from oddlens.errors import OddlensError
from oddlens.io.atomic import write_bytes
from oddlens.io.paths import read_bytes
from oddlens.provenance import differing

EVERY_SECONDS = 60.0
_DIGEST_BYTES = 32

_PARTS = {"facts", "tensors", "optimiser", "losses", "seconds"}

Losses = dict[str, float]
"""The parts of one step's loss by name, weighted: their sum is what is minimised."""


class Checkpointable(Protocol):
    """What a checkpoint keeps: learned tensors by name."""

    def tensors(self) -> dict[str, Tensor]:
        """Them."""

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from such tensors."""


@dataclass
class History:
    """What happened so far: of every step the losses and the seconds it took."""

    losses: list[Losses] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        """How many steps are done."""
        return len(self.losses)

    def epochs(self, steps: int) -> list[Losses]:
        """The means of every epoch that is begun, an epoch being so many steps."""
        parts = [self.losses[first : first + steps] for first in range(0, len(self), steps)]
        return [{name: sum(each[name] for each in part) / len(part) for name in part[0]} for part in parts]


class Checkpoint:
    """The file of one training. facts: all that its result depends on, JSON values by name; a file of other facts is not used.

    every: seconds between two writings within an epoch.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], every: float = EVERY_SECONDS) -> None:
        self.path = path
        self._facts = json.loads(json.dumps(facts, default=str))
        self._every = every
        self._written = time.monotonic()

    def differs(self) -> list[str] | None:
        """The names of the facts in which the file's training is another one: none, it can go on; None without a file."""
        state = self._read()
        if state is None:
            return None
        facts = state["facts"]
        return sorted(differing(facts, self._facts))

    def resume(self, learner: Checkpointable, optimiser: torch.optim.Optimizer) -> History:
        """Bring both to where the file stands and give what happened until there; nothing has, where no file fits."""
        state = self._read()
        if state is None or differing(state["facts"], self._facts):
            return History()
        learner.load(state["tensors"])
        optimiser.load_state_dict(state["optimiser"])
        return History(state["losses"], state["seconds"])

    def write(self, learner: Checkpointable, optimiser: torch.optim.Optimizer, history: History) -> None:
        """Write where the training stands, whole or not at all."""
        state = {
            "facts": self._facts,
            "tensors": learner.tensors(),
            "optimiser": optimiser.state_dict(),
            "losses": history.losses,
            "seconds": history.seconds,
        }
        write_state(self.path, state)
        self._written = time.monotonic()

    def write_in_time(self, learner: Checkpointable, optimiser: torch.optim.Optimizer, history: History) -> None:
        """Write if the last writing is long enough ago."""
        if time.monotonic() - self._written >= self._every:
            self.write(learner, optimiser, history)

    def remove(self) -> None:
        """Forget it, as the training is done."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        """What was written; None where there is no file, or none that is whole."""
        state = read_state(self.path)
        return _without_checksum(self.path) if state is None else state


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values, whole or not at all, so that damage shows."""
    stream = io.BytesIO()
    torch.save(dict(state), stream)
    content = stream.getvalue()
    write_bytes(path, sha256(content).digest() + content)


def read_state(path: Path) -> dict[str, Any] | None:
    """What `write_state` wrote, on the CPU; None where there is no file, or one that is not what was written."""
    try:
        data = read_bytes(path)
    except OSError:  # there is none, or none that can be read
        return None
    digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if sha256(content).digest() != digest:
        return None
    state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state


def _without_checksum(path: Path) -> dict[str, Any] | None:
    """The checkpoint of the first version, a torch file alone; None for anything else."""
    try:
        state = read_torch_file(path)
    except OddlensError:
        return None
    return state if isinstance(state, dict) and state.keys() == _PARTS else None
