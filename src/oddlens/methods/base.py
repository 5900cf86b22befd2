"""What every method is: a recipe, prompts that are encoded once, images that are encoded once, and a score of both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.tensors import aligned
from oddlens.backbone.vision_pass import VisionPass
from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.methods.card import MethodCard, imported
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.common.templates import PromptEnsemble
from oddlens.methods.recipe import held_fields
from oddlens.methods.recipe_fields import Recipe
from oddlens.methods.registry import scores_no_sets, takes_no_references
from oddlens.methods.scoring import Array, Numbers
from oddlens.methods.scoring import Scores as AnyScores
from oddlens.methods.weights import MethodWeights

R = TypeVar("R", bound=Recipe)

Features = dict[str, Tensor]
"""The image side of a batch by name; every tensor's first dimension is the image. Where images differ in size, so may the other
dimensions: batches are joined at the largest, padded with zeros, and a method keeps beside them what is real."""


def tensors_of(features: Mapping[str, Array]) -> Features:
    """Features that torch made, as such. Raises `TypeError` where they are arrays of numpy, which graphs made."""
    found = {name: value for name, value in features.items() if isinstance(value, Tensor)}
    if strange := features.keys() - found.keys():
        raise TypeError(f"{', '.join(sorted(strange))}: an array of numpy, where torch computes")
    return found


def join_features(parts: Sequence[Mapping[str, Tensor]]) -> Features:
    """Batches of one method as one. Where images of several sizes have features of several sizes, smaller ones end in zeros."""
    return {name: _stacked([part[name] for part in parts]) for name in parts[0]}


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    inner = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    padded = [
        F.pad(part, [n for most, own in zip(inner[::-1], part.shape[:0:-1], strict=True) for n in (0, most - own)])
        for part in parts
    ]
    return torch.cat(padded)


Text = dict[str, Tensor]
"""The text side of an object by name: "prototypes" [2, embed_dim], unit norm, row 0 normal; and what else a method needs."""


Scores = AnyScores[Tensor]
"""What a method says of a batch, in tensors."""


class Method(ABC, Generic[R]):
    """A method bound to a backbone. `encode` sees images, `encode_prompts` words, `score` brings both together.

    `encode` and `score` are functions of tensors: they keep nothing, and `torch.export` takes them with any number of images
    where the recipe trains nothing on them.

    Attributes:
        card: What is known of the method without its code.
        backbone: The model that it runs on.
        recipe: The settings in force.
    """

    card: ClassVar[MethodCard]

    def __init__(self, backbone: Backbone, recipe: R, weights: MethodWeights | None = None) -> None:
        """Bind the method to a backbone.

        Raises:
            UsageError: Weights are given to a method that takes none, or are missing; or the recipe does not fit the model.
            ModelError: The weights are not of this method or not for this model.
        """
        if weights is not None:
            self.card.check_takes_weights()
        self.backbone = backbone
        self.recipe = recipe

    def learned(self, weights: MethodWeights | None) -> MethodWeights:
        """The weights of a method that needs some. Raises `UsageError` that says where they come from where none are given."""
        if weights is None:
            raise UsageError(f"{self.card.name} needs {self.card.weights}")
        return weights

    @property
    def parts(self) -> tuple[AnyMethod, ...]:
        """The methods whose features it needs: itself, or several that run as one. Each has a pass, or they share one."""
        return (self,)

    def joined(self, parts: Sequence[Mapping[str, Tensor]]) -> Features:
        """What each of `parts` made of a batch as what this method scores."""
        return dict(parts[0])

    @property
    def no_export(self) -> str | None:
        """Why `torch.export` cannot take `encode` and `score` under this recipe, in a sentence; None where it can."""
        return None

    @property
    def unguaranteed(self) -> str:
        """Why thresholds from leave-one-out scores promise nothing under this recipe, see `MethodCard.unguaranteed`; else ""."""
        return self.card.unguaranteed

    @property
    def unguaranteed_maps(self) -> str:
        """Likewise of the largest values of maps, of which thresholds of pixels and the scores of a region of interest are made."""
        return "" if self.card.falling_maps else self.unguaranteed

    @property
    def no_references(self) -> str | None:
        """Why it takes no good examples, in a sentence; None where it takes them."""
        return takes_no_references(self.card)

    def with_recipe(self, recipe: R) -> Self:
        """The same method, in the same memory, with another recipe. Only query fields may differ."""
        if held_fields(recipe) != held_fields(self.recipe):
            raise ValueError("another recipe of a loaded method may differ in query fields only")
        other = copy(self)
        other.recipe = recipe
        return other

    @property
    def machine(self) -> Mapping[str, object]:
        """What computes, for `Identity.machine`. No number may depend on it."""
        return {"runtime": "torch", "device": str(self.backbone.device), "threads": torch.get_num_threads()}

    @property
    def precision(self) -> str:
        """Of the numbers that it computes with."""
        return "fp32"

    def inference(self) -> AbstractContextManager[object]:
        """What `encode`, `fit_prompts`, `score` and `score_set` run in where nobody trains."""
        return torch.inference_mode()

    def from_arrays(self, arrays: Mapping[str, Numbers]) -> Features:
        """Features that were stored as numpy's, on the model's device. They may be read only: they are copied."""
        return {
            name: aligned(torch.from_numpy(np.array(value))).to(self.backbone.device) for name, value in arrays.items()
        }

    def vision_pass(
        self, images: Sequence[Pixels], request: FeatureRequest, sizes: Sequence[tuple[int, int]] = ()
    ) -> VisionPass:
        """A pass of images, as `request.view` gives them, for all methods on this model that `request` is joined from.

        sizes: (width, height) of the images themselves; () where the views are parts of images.
        """
        return VisionPass(self.backbone, images, request, sizes=sizes)

    @abstractmethod
    def encode_prompts(self, object_name: str) -> Text:
        """The text side for an object."""

    @property
    def ensemble(self) -> PromptEnsemble | None:
        """The sentences that the prototypes of every object are made of; None where the text side is made otherwise, or nothing."""
        return None

    @property
    @abstractmethod
    def request(self) -> FeatureRequest:
        """What it wants of the vision tower."""

    @abstractmethod
    def encode(self, vision_pass: VisionPass) -> Features:
        """The image side of a batch that met the request: all that `score` and `fit` need."""

    def reference_views(self, pixels: Pixels) -> Sequence[Pixels]:
        """The images that stand for one good example in the memory: the image itself first, then what is made of it.

        They are as many for every image. See `methods.common.augmentation`.
        """
        return (pixels,)

    def reference_features(self, features: Mapping[str, Tensor], views: int) -> Features:
        """The features of good examples, from what `encode` gives of their views.

        Args:
            features: [images * views, ...], the views of an image in a row.
            views: How many there are of each image.

        Returns:
            What `encode` gives of each image itself, by which `score` knows it, and what `fit` makes the memory of: [images, ...].
        """
        return dict(features)

    def fit(self, references: Mapping[str, Tensor]) -> MemoryBank:
        """A memory of good examples, from their `reference_features`. Raises `UsageError` where the method takes none."""
        raise UsageError(self.no_references)

    def fit_prompts(
        self, memory: MemoryBank, references: Mapping[str, Tensor], text: Mapping[str, Tensor]
    ) -> tuple[MemoryBank, Scores | None]:
        """The memory as images are scored with it under these prompts.

        Returns:
            The memory, with what depends on the prompts besides; its features stay shared. And what `score` gives of the good
            examples themselves, each with the others as its memory, where that came up on the way; else None.
        """
        return memory, None

    def beside_defects(self, memory: MemoryBank, rows: Mapping[str, Numbers]) -> MemoryBank:
        """The memory beside one of known defects, of these rows by name. Raises `UsageError` where the method takes none."""
        if not self.card.defect_memory:
            raise UsageError(
                f"{self.card.name} takes no memory of defects: it does not compare with the nearest good example alone"
            )
        return memory.beside_defects(MemoryBank.of_rows(self.from_arrays(rows)))

    @property
    def neutral_values(self) -> Mapping[str, float] | None:
        """What `values_of` is for a memory of one image or of tiles, as constants; None: it is made all the same."""
        return None

    @property
    def grids(self) -> Mapping[str, str]:
        """Features of images of several sizes, [images, rows, columns, channels] that may end in zeros.

        By name: the feature that says how many rows and columns are real, int64 [images, 2].
        """
        return {}

    def held_out(
        self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None
    ) -> Features:
        """What `values_of` and `finish` need of images of one size: the first step of `score`, where there are `values_of`.

        memory: of good examples themselves one that leaves them out; None where there is no other one.
        """
        return {}

    def values_of(self, held_out: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What `fit_prompts` keeps beside the rows of a memory, of what `held_out` gave for all its images; {} for nothing."""
        return {}

    def finish(self, held_out: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """The second step of `score`, of what `held_out` gave."""
        raise NotImplementedError

    @abstractmethod
    def score(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """Scores and maps of encoded images; few-shot where there is a memory, which `fit_prompts` gave for this text."""

    def score_set(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> Scores:
        """Scores and maps of images beside each other: each is judged by the set, which is all the method knows.

        Raises `UsageError` where the method scores every image alone.
        """
        raise scores_no_sets(self.card)

    @abstractmethod
    def value_range(self, with_references: bool) -> tuple[float, float]:
        """The values that the method's maps can take. The upper end is infinite where they have no bound."""

    def range_of(self, memory: MemoryBank | None) -> tuple[float, float]:
        """The ends of the colours for images without a calibration: finite also where values have no bound."""
        return self.value_range(memory is not None)

    def known(self, memory: MemoryBank | None) -> MemoryBank:
        """The memory of a method that cannot do without. Raises `UsageError` where there is none."""
        if memory is None:
            raise UsageError(self.lacks_references)
        return memory

    @property
    def lacks_references(self) -> str:
        """What to do where a method that needs good examples has none, in a sentence."""
        return self.card.needs_references

    def kept(self, references: Mapping[str, Tensor], name: str) -> Tensor:
        """What `reference_features` made. Raises `UsageError` for features of images that are not encoded as references."""
        if name not in references:
            raise UsageError(
                f"these images were encoded as images, not as references of {self.card.name}: encode them with "
                "Detector.encode_references"
            )
        return references[name]


AnyMethod = Method[Any]
"""A method whatever its recipe."""


def method_class(card: MethodCard) -> type[AnyMethod]:
    """The class of the method that a card describes, imported now."""
    return cast("type[AnyMethod]", imported(card.home))
