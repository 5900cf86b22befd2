"""Training of what learns. Which methods can be trained, their cards say (`methods.registry`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from oddlens.errors import known_name
from oddlens.methods.card import imported
from oddlens.methods.registry import method_cards

if TYPE_CHECKING:
    from oddlens.backbone.backbone import Backbone
    from oddlens.training.trainable import Trainable

TRAINABLE = tuple(name for name, card in method_cards().items() if card.trainable)
"""The methods that the training loop can train, by name."""


class TrainableClass(Protocol):
    """How a `Trainable` is made.

    settings_type: the class of its training settings, a frozen dataclass, see `loop.Settings`.
    """

    settings_type: type[Any]

    def __call__(self, backbone: Backbone, recipe: Any, settings: Any) -> Trainable:
        """New tensors to learn, drawn by the settings' seed. Raises `UsageError` where the recipe does not fit the model."""


def trainable_class(name: str) -> TrainableClass:
    """The learning part of a method. Raises `UsageError` for a name that is none, and for a method that learns nothing here."""
    home = method_cards()[known_name("method to train", name, TRAINABLE)].trainable
    assert home is not None
    return cast("TrainableClass", imported(home))


def settings_class(name: str) -> type[Any]:
    """The class of a method's training settings. Raises as `trainable_class` does."""
    return trainable_class(name).settings_type
