"""The training settings that all methods of the frozen-feature loop share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


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
