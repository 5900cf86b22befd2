"""The training settings that all methods of the frozen-feature loop share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from oddlens.errors import UsageError, shortened

LARGEST_SEED = 2**63 - 1
"""What PyTorch takes."""


@dataclass(frozen=True)
class TrainingSettings:
    """How `loop.train_frozen` trains a method, which may add fields. The values are those of both published programs.

    Attributes:
        epochs: Times every image is shown.
        batch: Images a step; the last step of an epoch has what is left.
        learning_rate: Adam's, without weight decay or schedule.
        betas: Adam's.
        seed: Of the order, the mosaics, and the first values of what is learned.
        mosaic: The probability that an image is replaced by a mosaic of four of its category.
    """

    epochs: int = 15
    batch: int = 8
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.999)
    seed: int = 111
    mosaic: float = 0.0

    NAMED: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    """Published ways of training by name: the fields that they change."""

    def __post_init__(self) -> None:
        """Raise UsageError for values out of range."""
        for name in ("epochs", "batch"):
            check_range(name, getattr(self, name), 1, inf)
        if not 0 < self.learning_rate < inf:
            raise UsageError(f"learning_rate cannot be {shortened(self.learning_rate)}: give a number above 0")
        for beta in self.betas:
            if not 0 <= beta < 1:
                raise UsageError(f"betas cannot hold {shortened(beta)}: give numbers from 0, below 1")
        check_range("mosaic", self.mosaic, 0, 1)
        check_range("seed", self.seed, 0, LARGEST_SEED)


def check_range(name: str, value: float, least: float, most: float) -> None:
    """Raise UsageError for a setting that is not from `least` to `most`; a value that is no number is not, either."""
    if not least <= value <= most:
        wanted = f"{least} or more" if most == inf else f"a number from {least} to {most}"
        raise UsageError(f"{name} cannot be {shortened(value)}: give {wanted}")
