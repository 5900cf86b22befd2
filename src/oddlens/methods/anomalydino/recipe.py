"""AnomalyDINO's settings, without the code that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from oddlens.backbone.options import Activation, PositionResize
from oddlens.methods.recipe_fields import Recipe, fixed_field, query_field, size_field


@dataclass(frozen=True)
class AnomalyDINORecipe(Recipe):
    """The settings of AnomalyDINO; all are the released code's.

    Attributes:
        image_size: Pixels of the shorter side of the image that the model gets (448; the published tables belong to 672). The
            aspect is kept, and what is beyond a whole patch is cut off, right and below.
        interpolation: How images are resized.
        position: How position embeddings are resized; "facebookresearch": as that program does for DINOv2, which differs from
            transformers in models without registers; on other models as the model's own code does. None: that on every model.
        activation: The GELU of a CLIP's towers; None: the one that the model's weights were trained with.
        reference_taps: The features that are compared: block numbers or names of a stem's taps, each scaled to unit length where
            there are several; None: what the model's card names, else the last block after the final LayerNorm.
        augment: "rotations": turned copies of every good example join it (the code's "agnostic"); "none" ("masking_only").
        rotations: The good example and its turned copies, by all multiples of 360 degrees / rotations.
        mask: Which images get a mask of their background, found by the first principal component of their patches; background
            scores 0. "images": all; "both": all, and the good examples, too; "none"; "auto", as the code has it: images of the
            objects that it masks in MVTec AD (capsule, hazelnut, pill, screw, toothbrush) and of all objects of VisA, known by the
            object's name.
        mask_threshold: Above this value of the component a patch is foreground. It fits the scale of DINOv2-small's tokens;
            another model needs another.
        morphology: The mask is dilated and closed along the sequence of patches, row after row ("sequence", as the code does), or
            on the grid ("grid", as meant).
        metric: "cosine" distance, or "l2", the length of the difference of tokens as they are.
        neighbours: The distance of a patch is the mean over this many nearest patches.
        top: The score is the mean of this share of the patches, the highest ones.
        sigma: The standard deviation of the Gaussian that smooths the map, in pixels of the map.
        map_size: The map has the size of the "image", or of what the "model" gets.
        quantile: In a set alone (`Detector.detect_set`) a patch is compared with this share of the other images' patches, the
            nearest ones; below 2,000 patches with the nearest one alone, where the code has no number.

    Named recipes: "tables", at 672 pixels; "masking-only", without turned copies.
    """

    image_size: int = size_field(448, native=518)
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    position: PositionResize | Literal["facebookresearch"] | None = "facebookresearch"
    activation: Activation | None = None
    reference_taps: tuple[int | str, ...] | None = None
    augment: Literal["rotations", "none"] = "rotations"
    rotations: int = fixed_field(8, most=360)
    mask: Literal["auto", "none", "images", "both"] = "auto"
    mask_threshold: float = fixed_field(10.0)
    morphology: Literal["sequence", "grid"] = "sequence"
    metric: Literal["cosine", "l2"] = "cosine"
    neighbours: int = query_field(1, most=100)
    top: float = query_field(0.01, most=1)
    sigma: float = query_field(4.0, most=1000)
    map_size: Literal["image", "model"] = query_field("image")
    quantile: float = query_field(0.001, most=1)

    NAMED: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "tables": {"image_size": 672},
        "masking-only": {"augment": "none"},
    }
