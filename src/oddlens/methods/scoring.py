"""What a detector asks of a method, whatever computes it: torch (`methods.base.Method`) or exported graphs. No torch is needed.

Features, prompt embeddings and memories pass through the rooms above as they are: only what made them computes with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from oddlens.backbone.cards import Card
from oddlens.backbone.request import FeatureRequest
from oddlens.io.pixels import Pixels
from oddlens.methods.card import MethodCard
from oddlens.methods.recipe_fields import Recipe
from oddlens.provenance import ModelIdentity

Array = Any
"""A tensor of torch, or an array of numpy."""

Features = dict[str, Array]
"""The image side of a batch by name, as `Method.encode` gives it; the first dimension is the image."""

Text = dict[str, Array]
"""The text side of an object by name, as `Method.encode_prompts` gives it."""

Numbers = NDArray[Any]
"""An array of numpy."""

A = TypeVar("A")


@dataclass(frozen=True)
class Scores(Generic[A]):
    """What a method says of a batch, in arrays of one kind. Higher is more anomalous.

    Attributes:
        scores: Of the images, [batch].
        maps: Anomaly maps, one [height, width] an image, stacked where all have one size.
        parts: What the scores are made of, by name, [batch] each, where the scores of a whole set are made of them
            (`evaluation.set_scores`); else {}.
        labels: The known class of every pixel, uint8 as the maps are, as numbers into `label_names`; None where a
            method knows no classes.
        label_names: The known classes.
    """

    scores: A
    maps: A | Sequence[A]
    parts: Mapping[str, A] = field(default_factory=dict)
    labels: A | Sequence[A] | None = None
    label_names: tuple[str, ...] = ()


class AnyModel(Protocol):
    """A loaded model, as far as a detector looks at it."""

    @property
    def card(self) -> Card:
        """What is known about it."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What it was loaded from."""

    @property
    def identity(self) -> ModelIdentity:
        """What results on it are recorded under."""

    @property
    def mean(self) -> Sequence[float]:
        """Of RGB in [0, 1], which images are normalised by."""

    @property
    def std(self) -> Sequence[float]:
        """Likewise."""

    @property
    def device(self) -> Any:
        """Where it computes, as its runtime calls it."""


class Memory(Protocol):
    """What a method remembers of good examples, see `methods.common.memory_bank.MemoryBank`. A value: nothing changes it."""

    @property
    def picture_count(self) -> int:
        """How many pictures it is of."""

    def add(self, other: Any) -> Memory:
        """A memory of the images of both, this one's first."""

    def of_tiles(self, pictures: NDArray[np.int64]) -> Memory:
        """The same memory, whose images are tiles of these pictures, by number: [images]."""

    def leaving_out(self, images: NDArray[np.int64]) -> Memory:
        """The same memory for queries that are images of it, by number: each is compared with all pictures but its own."""


class AnyPass(Protocol):
    """A batch of images on its way to `encode`."""

    @property
    def seconds(self) -> float:
        """What the features that were computed so far have cost."""


class ScoringMethod(Protocol):
    """A method on a model: images, words and good examples in, scores and maps out.

    What its members mean stands at `methods.base.Method`.
    """

    @property
    def card(self) -> MethodCard:
        """What is known of the method without its code."""

    @property
    def backbone(self) -> AnyModel:
        """The model that it runs on."""

    @property
    def recipe(self) -> Recipe:
        """The settings in force."""

    @property
    def request(self) -> FeatureRequest:
        """What it wants of the vision tower."""

    @property
    def parts(self) -> tuple[ScoringMethod, ...]:
        """The methods whose features it needs: itself, or several that run as one."""

    def joined(self, parts: Sequence[Features]) -> Features:
        """What each of `parts` made of a batch as what this method scores."""

    @property
    def machine(self) -> Mapping[str, object]:
        """What computes, for `Identity.machine`: "runtime", "device", "threads". No number may depend on it."""

    @property
    def precision(self) -> str:
        """Of the numbers that it computes with: "fp32", or less."""

    @property
    def no_references(self) -> str | None:
        """Why it takes no good examples, in a sentence; None where it takes them."""

    @property
    def lacks_references(self) -> str:
        """What to do where good examples are needed and there are none, in a sentence."""

    @property
    def unguaranteed(self) -> str:
        """Why thresholds from leave-one-out scores promise nothing; else ""."""

    @property
    def unguaranteed_maps(self) -> str:
        """Likewise of the largest values of maps."""

    def with_recipe(self, recipe: Any) -> ScoringMethod:
        """The same method with another recipe, which differs in query fields only."""

    def inference(self) -> AbstractContextManager[object]:
        """What `encode`, `fit_prompts`, `score` and `score_set` run in."""

    def from_arrays(self, arrays: Mapping[str, Numbers]) -> Features:
        """Features that were stored as numpy's, where this method computes."""

    def vision_pass(
        self, images: Sequence[Pixels], request: FeatureRequest, sizes: Sequence[tuple[int, int]] = ()
    ) -> AnyPass:
        """A pass of images, as `request.view` gives them, for all methods on this model that `request` is joined from.

        sizes: (width, height) of the images themselves; () where the views are parts of images.
        """

    def encode_prompts(self, object_name: str) -> Text:
        """The text side for an object."""

    def encode(self, vision_pass: Any) -> Features:
        """The image side of a batch."""

    def reference_views(self, pixels: Pixels) -> Sequence[Pixels]:
        """The images that stand for one good example in the memory, the image itself first."""

    def reference_features(self, features: Features, views: int) -> Features:
        """The features of good examples, from what `encode` gives of their views."""

    def fit(self, references: Features) -> Memory:
        """A memory of good examples."""

    def fit_prompts(self, memory: Any, references: Features, text: Text) -> tuple[Memory, Scores[Any] | None]:
        """The memory as images are scored with it under these prompts, and the scores of the good examples where they came up."""

    def beside_defects(self, memory: Any, rows: Mapping[str, Numbers]) -> Memory:
        """The memory beside one of known defects. Raises `UsageError` where the method takes none."""

    def score(self, features: Features, text: Text, memory: Any) -> Scores[Any]:
        """Scores and maps of encoded images; few-shot where there is a memory."""

    def score_set(self, features: Features, text: Text) -> Scores[Any]:
        """Scores and maps of images beside each other."""

    def range_of(self, memory: Any) -> tuple[float, float]:
        """The ends of the colours for images without a calibration."""
