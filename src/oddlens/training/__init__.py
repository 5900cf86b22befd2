"""Training. The cards of the methods say which can be trained (`methods.registry`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from oddlens.errors import known_name, needs_torch
from oddlens.methods.card import imported
from oddlens.methods.registry import method_cards

if TYPE_CHECKING:
    from oddlens.backbone.backbone import Backbone
    from oddlens.methods.recipe_fields import Recipe
    from oddlens.training.settings import TrainingSettings
    from oddlens.training.trainable import Trainable

TRAINABLE = tuple(name for name, card in method_cards().items() if card.trainable)
"""The methods that the training loop can train, by name."""


class TrainableClass(Protocol):
    """The class of a `Trainable`.

    Attributes:
        settings_type: The class of its training settings.
    """

    settings_type: type[TrainingSettings]

    def __call__(self, backbone: Backbone, recipe: Recipe, settings: TrainingSettings) -> Trainable:
        """New tensors to learn, drawn by the settings' seed. Raises UsageError if the recipe does not fit the model."""


def trainable_class(name: str) -> TrainableClass:
    """The trainable part of a method. Raises UsageError for an unknown name, a method that cannot be trained, and without torch."""
    home = method_cards()[known_name("method to train", name, TRAINABLE)].trainable
    assert home is not None
    with needs_torch("training"):
        return cast("TrainableClass", imported(home))


def settings_class(name: str) -> type[TrainingSettings]:
    """The class of a method's training settings. Raises as `trainable_class` does."""
    return trainable_class(name).settings_type
