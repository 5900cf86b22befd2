"""MuSc's settings, without the code that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from oddlens.backbone.options import Activation, PositionResize
from oddlens.methods.recipe_fields import Recipe, fixed_field, layer_field, query_field, size_field


@dataclass(frozen=True)
class MuScRecipe(Recipe):
    """The settings of MuSc; all are the released code's for MVTec AD.

    Attributes:
        image_size: Pixels on each side of the image that the model gets.
        interpolation: How images are resized; the code takes "bilinear" for DINOv2.
        position: How position embeddings are resized; "authors": as their program does, without antialias on a CLIP, as
            facebookresearch's on a DINOv2. None: as the model's own code does.
        activation: The GELU of a CLIP's towers. The released code runs OpenAI's weights with exact GELU at every size but their
            own, and the published figures rest on that. None: the one that the weights were trained with, as at 336 pixels.
        layers: Blocks whose patch tokens are compared, before the final LayerNorm and projection (on a DINOv2 after the LayerNorm).
        reference_taps: The features that are compared in place of those of `layers`: block numbers or names of a stem's taps; None:
            what the model's card names, else `layers`.
        degrees: Sides of the neighbourhoods over which patches are averaged, odd (LNAMD).
        share: A patch's score is the mean over this share of the other images, those that hold the nearest patches; over one at
            least, where the code has no number below five images.
        rscin: For a set: each score becomes the mean over this many most similar images, itself included, and then over these
            numbers (RsCIN); [1, 8, 9] for VisA; [] leaves scores as they are.
        subset: For a set: every image is compared with at most this many of the others, the same for all, which `seed` and the
            images' own pixels choose; None: with all. Cost grows with images * subset.
        seed: See `subset`.
        memory_dtype: The numbers in which patch tokens are kept, also in the pool and in stations; float16 takes half the space.

    Named recipes: "visa", its numbers for RsCIN; "native", at 336 pixels, where the code runs QuickGELU; "dinov2".
    """

    image_size: int = size_field(518, native=336)
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    position: PositionResize | Literal["authors"] | None = "authors"
    activation: Activation | None = "gelu"
    layers: tuple[int, ...] = layer_field((6, 12, 18, 24), of=24)
    reference_taps: tuple[int | str, ...] | None = None
    degrees: tuple[Literal[1, 3, 5, 7, 9], ...] = (1, 3, 5)
    share: float = query_field(0.3, most=1)
    rscin: tuple[int, ...] | tuple[()] = query_field((1, 2, 3))
    subset: int | None = query_field(None)
    seed: int = query_field(42, most=2**63 - 1)
    memory_dtype: Literal["float32", "float16"] = fixed_field("float32")

    NAMED: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "visa": {"rscin": (1, 8, 9)},
        "native": {"image_size": 336, "activation": None},
        "dinov2": {"interpolation": "bilinear"},
    }
