"""WinCLIP's settings, without the code that uses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from oddlens.backbone.options import Activation, PositionResize
from oddlens.methods.recipe_fields import LARGEST_SIDE, Recipe, held, query_field


@dataclass(frozen=True)
class WinCLIPRecipe(Recipe):
    """The settings of WinCLIP.

    image_size: pixels a side (240, section 5). interpolation, position: how pictures and position embeddings are resized.
    activation: of both towers; None: what the model's weights mean. templates: "paper", 22 templates, or "port21", the public
    ports' list with its typo. temperature: 0.07 (ports by zqhang and anomalib; others use 0.01). window_sizes: in patches (2
    and 3; section 4.2). reference_taps: the features that few-shot compares patch by patch: block numbers or a stem's tap
    names; None: what the model's card names, else the last block. fusion: how the few-shot map joins the zero-shot map: "sum"
    (zqhang), "mean" (anomalib), "harmonic" (caoyunkang).
    """

    image_size: int = held(240, most=LARGEST_SIDE)
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    position: PositionResize = "bicubic"
    activation: Activation | None = None
    templates: Literal["paper", "port21"] = query_field("paper")
    temperature: float = query_field(0.07)
    window_sizes: tuple[int, ...] = (2, 3)
    reference_taps: tuple[int | str, ...] | None = None
    fusion: Literal["sum", "mean", "harmonic"] = query_field("sum")
