"""AnoVL's settings, without the code that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from oddlens.backbone.options import Activation, PositionResize
from oddlens.errors import UsageError
from oddlens.methods.recipe_fields import Recipe, query_field, size_field


@dataclass(frozen=True)
class AnoVLRecipe(Recipe):
    """The settings of AnoVL; all are the released code's for MVTec AD, but for `optimiser` (there "kept").

    Attributes:
        image_size: Pixels on each side of the image that the model gets.
        interpolation: How images are resized.
        position: How position embeddings are resized.
        activation: The GELU of both towers; None: the one that the model's weights were trained with.
        local_from: The block with which the local stream begins.
        domain: Which prompts: those of an "object" or of a "texture"; "auto" takes MVTec AD's five texture names for
            textures, all else for objects.
        temperature: Divides the cosines before all softmaxes; 1 leaves them as they are.
        views: The score is the mean over this many views of the image.
        tiles: "none" squeezes the image to a square; "wide" scales its shorter side to image_size and covers it with
            squares, so that the map has the image's aspect.
        adapt: Whether an adapter is trained on every image. It changes the map, never the score.
        adapter: "text", a residual that is a mix of prompt embeddings, or "linear", a plain linear layer.
        steps: Training steps on each image.
        learning_rate: The learning rate of AdamW.
        noise: Standard deviation of the noise that makes tokens abnormal.
        ratio: The adapter's share of adapted tokens, at most 1.
        hard_weight: The weight of the cross-entropy (real tokens normal, noisy ones abnormal) beside the entropy in the
            loss.
        seed: Seed of the adapter's first values and of the noise, the same for every image.
        optimiser: "fresh" for every image, or "kept": its moments and count of steps go on from image to image, so that
            maps depend on the order of the images; it starts over with every detector and object name.

    Named recipes: "clean", the default; "released", with the optimiser kept, as the released code has it for MVTec AD;
    "released-visa", its settings for VisA.
    """

    image_size: int = size_field(240, native=240)
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

    @property
    def is_independent(self) -> bool:
        """A kept optimiser goes on from image to image."""
        return not self.adapt or self.optimiser == "fresh"

    def __post_init__(self) -> None:
        """Raises `UsageError` for a ratio above 1."""
        if self.ratio > 1:
            raise UsageError(f"ratio {self.ratio} is more than the whole: give the adapter's part, at most 1")
