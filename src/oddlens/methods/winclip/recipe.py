"""WinCLIP's settings, without the code that uses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from oddlens.backbone.options import Activation, PositionResize
from oddlens.methods.recipe_fields import Recipe, added_field, query_field, size_field


@dataclass(frozen=True)
class WinCLIPRecipe(Recipe):
    """The settings of WinCLIP.

    Attributes:
        image_size: Pixels on each side of the image that the model gets (240, section 5).
        interpolation: How images are resized.
        position: How position embeddings are resized.
        activation: The GELU of both towers; None: the one that the model's weights were trained with.
        templates: "paper", 22 templates, or "port21", the public ports' list with its typo.
        temperature: Divides the cosines of image and prompts before the softmax (0.07 in the ports by zqhang and
            anomalib; others use 0.01).
        window_sizes: Sides of the windows, in patches (2 and 3; section 4.2).
        reference_taps: The features by which images are compared with the references: block numbers or names of a
            stem's taps; None: what the model's card names, else the last block.
        reference_tokens: Whether patches are compared with the references as they leave a block ("block"), or after the final
            LayerNorm ("normed"), as anomalib compares them. Features of a stem stay as they are.
        fusion: How the map from the references joins the map from the prompts: "sum" (zqhang), "mean" (anomalib),
            "harmonic" (caoyunkang).
    """

    image_size: int = size_field(240, native=240)
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    position: PositionResize = "bicubic"
    activation: Activation | None = None
    templates: Literal["paper", "port21"] = query_field("paper")
    temperature: float = query_field(0.07)
    window_sizes: tuple[int, ...] = (2, 3)
    reference_taps: tuple[int | str, ...] | None = None
    reference_tokens: Literal["block", "normed"] = added_field("block")
    fusion: Literal["sum", "mean", "harmonic"] = query_field("sum")
