"""What every method is: a recipe, a text side that is prepared once, an image side that is encoded once, and a score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.vision_pass import FeatureRequest, VisionPass
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.weights import MethodWeights

Features = dict[str, Tensor]
"""The image side of a batch by name; every tensor's first dimension is the image. Where pictures differ in size, so may the other
dimensions: batches are joined at the largest, padded with zeros, and a method keeps beside them what is real."""


def join_features(parts: Sequence[Mapping[str, Tensor]]) -> Features:
    """Batches of one method as one. Where pictures of several sizes have features of several sizes, smaller ones end in zeros."""
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

Parts = Mapping[str, Tensor]
"""What the image scores of pictures are made of, by name, [pictures] each; empty in methods whose scores are never `Relative`."""


@dataclass(frozen=True)
class Scores:
    """scores: [batch], image level; NaN where they are `Relative`. maps: one [height, width] a picture, stacked where all have a
    size. Higher = more anomalous.

    labels: the known class of every pixel, one uint8 [height, width] a picture, as numbers into label_names; None where a method
    tells none.
    """

    scores: Tensor
    maps: Tensor | Sequence[Tensor]
    parts: Parts = field(default_factory=dict)
    labels: Sequence[Tensor] | None = None
    label_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Relative:
    """How few-shot image scores are told beside other pictures.

    to: "references", the good examples, each looked at with the others as its memory (one alone: zero-shot); or "set", all pictures
    that are asked about together, at least two. score: the parts of pictures, and the parts of these others -> scores [pictures].
    """

    to: Literal["references", "set"]
    score: Callable[[Parts, Parts], Tensor]


class Method(Protocol):
    """A method bound to a backbone. `encode` looks at pictures, `encode_prompts` at words, `score` brings both together."""

    recipe: Any
    """The frozen recipe in force. A question may be put to a copy with other values in the fields marked `query_field`."""

    @property
    def backbone(self) -> Backbone:
        """The model it runs on."""

    @property
    def no_references(self) -> str | None:
        """Why it takes no good examples, in a sentence; None where it takes them."""

    @property
    def relative(self) -> Relative | None:
        """How its scores are told beside other pictures; None where each picture's stands alone, as `score` gives it."""

    def encode_prompts(self, object_name: str) -> Text:
        """The text side for an object."""

    @property
    def request(self) -> FeatureRequest:
        """What it wants of the vision tower."""

    def encode(self, vision_pass: VisionPass) -> Features:
        """The image side of a batch that met the request: all that `score` and `fit` need."""

    def fit(self, references: Mapping[str, Tensor]) -> MemoryBank:
        """A memory of the encoded good examples; never asked of a method that takes none."""

    def score(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """Scores and maps of encoded pictures; few-shot where there is a memory."""

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """The values that the method's maps can take, for pictures without a calibration."""


class MethodClass(Protocol):
    """How a method is made: its recipe type, and a constructor that takes backbone, recipe and learned weights."""

    recipe_type: type[Any]

    def __call__(self, backbone: Backbone, recipe: Any, weights: MethodWeights | None) -> Method:
        """Bind the method to a backbone. Raises `UsageError` for weights it cannot use or lacks, `ModelError` for misfits."""
