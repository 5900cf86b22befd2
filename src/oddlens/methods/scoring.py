"""What a detector asks of a method, whatever computes it: torch (`methods.base.Method`) or exported graphs. No torch is needed.

Features, prompt embeddings and memories pass through the rooms above as they are: only what made them computes with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from oddlens.backbone.cards import Card
from oddlens.backbone.request import FeatureRequest
from oddlens.io.pixels import Pixels
from oddlens.methods.card import MethodCard
from oddlens.methods.recipe_fields import Recipe
from oddlens.provenance import ModelIdentity

if TYPE_CHECKING:
    from torch import Tensor

Numbers: TypeAlias = NDArray[np.generic]
"""An array of numpy."""

Array: TypeAlias = "Tensor | Numbers"
"""A tensor of torch, or an array of numpy."""

Features: TypeAlias = "Mapping[str, Array]"
"""The image side of a batch by name, as `Method.encode` gives it; the first dimension is the image."""

Text: TypeAlias = "Mapping[str, Array]"
"""The text side of an object by name, as `Method.encode_prompts` gives it."""

A = TypeVar("A")
"""The arrays that a method computes with."""

M = TypeVar("M", bound="Memory")
"""Its memories."""

P = TypeVar("P", bound="AnyPass")
"""Its passes."""

R = TypeVar("R", bound=Recipe, contravariant=True)
"""Its recipe."""

Made = TypeVar("Made", covariant=True)
"""The arrays of what it says."""


@dataclass(frozen=True)
class Scores(Generic[Made]):
    """What a method says of a batch, in arrays of one kind. Higher is more anomalous.

    Attributes:
        scores: Of the images, [batch].
        maps: Anomaly maps, one [height, width] an image, stacked where all have one size.
        parts: What the scores are made of, by name, [batch] each, where the scores of a whole set are made of them
            (`evaluation.set_scores`); else {}.
        labels: The known class of every pixel, uint8 as the maps are, as numbers into `label_names`; None where a
            method knows no classes.
        label_names: The known classes.
        unseen: Of which images the method looked at nothing, bool [batch]: their scores say nothing. None: there are none.
    """

    scores: Made
    maps: Made | Sequence[Made]
    parts: Mapping[str, Made] = field(default_factory=dict)
    labels: Made | Sequence[Made] | None = None
    label_names: tuple[str, ...] = ()
    unseen: Made | None = None


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
    def device(self) -> object:
        """Where it computes, as its runtime calls it."""


class Memory(Protocol):
    """What a method remembers of good examples, see `methods.common.memory_bank.MemoryBank`. A value: nothing changes it."""

    @property
    def picture_count(self) -> int:
        """How many pictures it is of."""

    @property
    def values(self) -> Mapping[str, Array]:
        """What a method keeps beside their features, by name."""

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """The same memory with arrays of its own kind beside its features."""

    def add(self, *others: Self) -> Self:
        """A memory of the images of all, this one's first."""

    def of_tiles(self, pictures: NDArray[np.int64]) -> Memory:
        """The same memory, whose images are tiles of these pictures, by number: [images]."""

    def leaving_out(self, images: NDArray[np.int64]) -> Memory:
        """The same memory for queries that are images of it, by number: each is compared with all pictures but its own."""


class AnyPass(Protocol):
    """A batch of images on its way to `encode`."""

    @property
    def seconds(self) -> float:
        """What the features that were computed so far have cost."""


class TypedMethod(Protocol[A, M, P, R]):
    """A method on a model: images, words and good examples in, scores and maps out.

    What its members mean stands at `methods.base.Method`. It takes arrays, memories and passes of its own kind alone.
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

    def joined(self, parts: Sequence[Mapping[str, A]]) -> Mapping[str, A]:
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

    def with_recipe(self, recipe: R) -> Self:
        """The same method with another recipe, which differs in query fields only."""

    def inference(self) -> AbstractContextManager[object]:
        """What `encode`, `fit_prompts`, `score` and `score_set` run in."""

    def from_arrays(self, arrays: Mapping[str, Numbers]) -> Mapping[str, A]:
        """Features that were stored as numpy's, where this method computes."""

    def vision_pass(
        self, images: Sequence[Pixels], request: FeatureRequest, sizes: Sequence[tuple[int, int]] = ()
    ) -> P:
        """A pass of images, as `request.view` gives them, for all methods on this model that `request` is joined from.

        sizes: (width, height) of the images themselves; () where the views are parts of images.
        """

    def encode_prompts(self, object_name: str) -> Mapping[str, A]:
        """The text side for an object."""

    def encode(self, vision_pass: P) -> Mapping[str, A]:
        """The image side of a batch."""

    def reference_views(self, pixels: Pixels) -> Sequence[Pixels]:
        """The images that stand for one good example in the memory, the image itself first."""

    def reference_features(self, features: Mapping[str, A], views: int) -> Mapping[str, A]:
        """The features of good examples, from what `encode` gives of their views."""

    def fit(self, references: Mapping[str, A]) -> M:
        """A memory of good examples."""

    def fit_prompts(self, memory: M, references: Mapping[str, A], text: Mapping[str, A]) -> tuple[M, Scores[A] | None]:
        """The memory as images are scored with it under these prompts, and the scores of the good examples where they came up."""

    def beside_defects(self, memory: M, rows: Mapping[str, Numbers]) -> M:
        """The memory beside one of known defects. Raises `UsageError` where the method takes none."""

    def score(self, features: Mapping[str, A], text: Mapping[str, A], memory: M | None) -> Scores[A]:
        """Scores and maps of encoded images; few-shot where there is a memory."""

    def score_set(self, features: Mapping[str, A], text: Mapping[str, A]) -> Scores[A]:
        """Scores and maps of images beside each other."""

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """The values that maps can take. The upper end is infinite where they have no bound."""

    def range_of(self, memory: M | None) -> tuple[float, float]:
        """The ends of the colours for images without a calibration."""


ScoringMethod: TypeAlias = TypedMethod[Any, Any, Any, Any]
"""A method whatever it computes with. What it gave is kept beside it, and goes to no other one."""
