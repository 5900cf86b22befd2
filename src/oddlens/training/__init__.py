"""Training of what learns. The methods that can be trained by name: this is the one place that knows which there are."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from oddlens.errors import known_name

if TYPE_CHECKING:
    from oddlens.backbone.backbone import Backbone
    from oddlens.training.trainable import Trainable

TRAINABLE: dict[str, tuple[str, str, str]] = {
    "anomalyclip": ("oddlens.training.anomaly_clip", "TrainableAnomalyCLIP", "AnomalyCLIPTraining"),
    "april-gan": ("oddlens.training.april_gan", "TrainableAprilGAN", "AprilGANTraining"),
}
"""Method name -> where its learning part lives: a module, a `Trainable` class, and the class of its training settings."""


class TrainableClass(Protocol):
    """How a `Trainable` is made."""

    def __call__(self, backbone: Backbone, recipe: Any, settings: Any) -> Trainable:
        """New tensors to learn, drawn by the settings' seed. Raises `UsageError` where the recipe does not fit the model."""


def trainable_class(name: str) -> TrainableClass:
    """The learning part of a method; `UsageError` for a name that is none."""
    made: TrainableClass = _part(name, 1)
    return made


def settings_class(name: str) -> type[Any]:
    """The class of a method's training settings: a frozen dataclass, see `loop.Settings`; `UsageError` for a name that is none."""
    found: type[Any] = _part(name, 2)
    return found


def _part(name: str, which: int) -> Any:
    module, *parts = TRAINABLE[known_name("method to train", name, TRAINABLE)]
    return getattr(import_module(module), parts[which - 1])
