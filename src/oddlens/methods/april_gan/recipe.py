"""APRIL-GAN's settings, without the code that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from oddlens.backbone.options import Activation, PositionResize
from oddlens.methods.recipe_fields import Recipe, layer_field, query_field, size_field


@dataclass(frozen=True)
class AprilGANRecipe(Recipe):
    """The settings of APRIL-GAN; all are the released code's, but for image_score.

    image_size: pixels a side. interpolation, position: how pictures and position embeddings are resized. activation: of both
    towers. The code runs OpenAI's weights, which were trained with QuickGELU, with exact GELU, and the published layers and figures
    come of that: it is the default. None: what the model was trained with; a choice to make before training, as weights keep it.
    layers: blocks whose tokens are compared with the words, by a linear layer each. reference_taps: what is compared with the
    good examples, block numbers or a stem's tap names; None: what the model's card names, else `layers`, as in the code.
    temperature: of both softmaxes. memory_dtype: what tokens are kept in between looking and asking, those of good examples and in
    stations among them; float16 is half as large.

    image_score: what few-shot scores are relative to: "references" (ours), or "transductive", the whole test set (theirs), which
    only an evaluation can do. See `AprilGAN`.
    """

    image_size: int = size_field(518, native=336)
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    position: PositionResize = "bicubic"
    activation: Activation | None = "gelu"
    layers: tuple[int, ...] = layer_field((6, 12, 18, 24), of=24)
    reference_taps: tuple[int | str, ...] | None = None
    temperature: float = query_field(0.01)
    image_score: Literal["references", "transductive"] = query_field("references")
    memory_dtype: Literal["float32", "float16"] = "float32"

    @property
    def alone(self) -> Mapping[str, object]:
        """See `Recipe.alone`: the transductive scores are those of a set."""
        return {"image_score": "references"} if self.image_score == "transductive" else {}
