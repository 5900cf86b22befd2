"""AnoVL's settings, without the code that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from oddlens.backbone.options import Activation, PositionResize
from oddlens.errors import UsageError
from oddlens.methods.recipe_fields import LARGEST_SIDE, Recipe, held, query_field


@dataclass(frozen=True)
class AnoVLRecipe(Recipe):
    """The settings of AnoVL; all are the released code's for MVTec AD, but for `optimiser` (there "kept").

    image_size: pixels a side. interpolation, position: how pictures and position embeddings are resized. activation: of both
    towers; None: what the model's weights mean. local_from: the block that the local stream begins with. domain: whose prompts,
    an object's or a texture's; "auto" goes by `TEXTURES`. temperature: of all softmaxes; 1 is none. views: how many views of a
    picture the score is the mean of. tiles: "none", a picture is squeezed to a square; "wide", its shorter side gets
    image_size, squares cover it, and its map has its aspect.

    adapt: whether an adapter is trained on every picture; it changes the map, never the score. adapter: "text" or "linear", see
    `Adapter`. steps, learning_rate: of AdamW. noise: standard deviation of what corrupts tokens. ratio: the adapter's part of
    adapted tokens. hard_weight: see `adaptation_loss`. seed: of first adapter and noise, the same for every picture. optimiser:
    "fresh" for every picture, or "kept": its moments and count of steps go on from picture to picture, so that maps depend on the
    order of asking; it begins anew with every detector and object name.

    Named recipes: "clean", the default; "released", with the optimiser kept, as the released code has it for MVTec AD;
    "released-visa", its settings for VisA.
    """

    image_size: int = held(240, most=LARGEST_SIDE)
    interpolation: Literal["bicubic", "bilinear"] = "bilinear"
    position: PositionResize = "bicubic"
    activation: Activation | None = None
    local_from: int = 1
    domain: Literal["auto", "object", "texture"] = query_field("auto")
    temperature: float = query_field(1.0)
    views: Literal[22, 1] = 22
    tiles: Literal["none", "wide"] = "none"
    adapt: bool = query_field(True)
    adapter: Literal["text", "linear"] = query_field("text")
    steps: int = query_field(5, most=1000)
    learning_rate: float = query_field(1e-3, most=10)
    noise: float = query_field(0.055, most=1000)
    ratio: float = query_field(0.5)
    hard_weight: float = query_field(0.5, most=1000)
    seed: int = query_field(111, most=2**63 - 1)
    optimiser: Literal["fresh", "kept"] = query_field("fresh")

    NAMED: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "clean": {},
        "released": {"optimiser": "kept"},
        "released-visa": {"optimiser": "kept", "views": 1, "tiles": "wide", "adapter": "linear", "seed": 42},
    }

    def __post_init__(self) -> None:
        """Raises `UsageError` for a ratio above 1."""
        if self.ratio > 1:
            raise UsageError(f"ratio {self.ratio} is more than the whole: give the adapter's part, at most 1")
