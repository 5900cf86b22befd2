"""patch-knn's settings, without the code that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal

from oddlens.backbone.options import Activation, Interpolation, PositionResize
from oddlens.methods.recipe_fields import Recipe, added_field, fixed_field, query_field, size_field


@dataclass(frozen=True)
class PatchKNNRecipe(Recipe):
    """The settings of patch-knn.

    Two variants have names: "plain" squeezes images into a square and divides nothing; "aligned" is for parts that lie at the same
    place in every image: a place far away counts as different, and map and score are divided by what is usual at each place.

    Attributes:
        image_size: Pixels on each side of the image that the model gets; with `aspect` of a square of as many pixels.
        aspect: Whether images keep their own aspect, up to 2 to 1, at that number of pixels; else they are squeezed into a
            square.
        interpolation: How images are resized.
        position: How position embeddings are resized; None: as the model's own code does.
        activation: The GELU of the model; None: the one that its weights were trained with.
        taps: The features that are compared: block numbers or names of a stem's taps, the finest first. None: what the
            model's card names, else the blocks after half, three quarters and all of the depth.
        score_taps: Which of them the score is made of: "all", or all but the first of several ("coarse").
        place: How much a distance in the image counts beside one in the features: half of this times the squared distance, where
            the image is 1 long and 1 wide; None: not at all.
        max_rows: How many rows of each reference are remembered at most, for each of the taps; None: all.
        rows: Which rows these are: an even sample by a seed ("sampled"), or one after another the row that is farthest from those
            taken ("coreset").
        turns: How many positions of each reference are remembered, turned evenly about its centre; 1: only the image as it is.
        flips: Whether each reference is remembered mirrored, too, in both directions.
        divide: What is divided, place by place, by the differences that are usual between references: the "map", the map and the
            score ("both"), or nothing ("none"). A score that is divided promises no false-alarm rate.
        top: The share of the image, its most anomalous cells, whose mean is the score.
        smoothing: The standard deviation of the Gaussian that smooths the map, in cells of the first of the taps.
        usual_smoothing: The same for what is usual between references.
    """

    NAMED: ClassVar[Mapping[str, Mapping[str, object]]] = MappingProxyType(
        {
            "plain": MappingProxyType({"aspect": False, "divide": "none"}),
            "aligned": MappingProxyType({"aspect": False, "divide": "both", "place": 3.0}),
        }
    )

    image_size: int = size_field(288, native=224)
    aspect: bool = True
    interpolation: Interpolation = "bicubic"
    position: PositionResize | None = None
    activation: Activation | None = None
    taps: tuple[int | str, ...] | None = None
    score_taps: Literal["all", "coarse"] = added_field("all", before="coarse", query=True)
    # 1 to 3 gain on the development sets, and lost on withheld categories and on new products: docs/methods/patch-knn.md.
    place: float | None = fixed_field(None, most=1000)
    max_rows: int | None = None
    rows: Literal["sampled", "coreset"] = "sampled"
    turns: int = fixed_field(1, most=64)
    flips: bool = False
    divide: Literal["none", "map", "both"] = query_field("map")
    top: float = query_field(0.01, most=1)
    smoothing: float = query_field(1.0, most=100)
    usual_smoothing: float = query_field(4.0, most=100)
