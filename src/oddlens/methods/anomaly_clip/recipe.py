"""AnomalyCLIP's settings, without the code that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from oddlens.backbone.options import Activation, PositionResize
from oddlens.methods.recipe_fields import Recipe, layer_field, query_field, size_field


@dataclass(frozen=True)
class AnomalyCLIPRecipe(Recipe):
    """The settings of AnomalyCLIP; the values are those of the released code.

    Attributes:
        image_size: Pixels on each side of the image that the model gets.
        interpolation: How images are resized.
        position: How position embeddings are resized.
        activation: The GELU of both towers; None: the one that the model's weights were trained with, as in the code
            (OpenAI's: QuickGELU).
        temperature: Divides the cosines before all softmaxes.
        layers: Blocks after which the local stream gives a map.
        local_from: The block with which the local stream begins.
        context_length: Learned tokens in a prompt.
        prompt_depth: Text blocks that learned tokens enter, the first one included.
        deep_tokens: Learned tokens that enter each of these blocks after the first.
        sigma: Standard deviation of the Gaussian that smooths the map, in pixels at image_size.

    Named recipes: "published", layer 24 alone, is what the published weights mean: the code of their time summed four copies of it,
    which ranks alike. "multilayer" sums layers 6, 12, 18 and 24, which that code meant to do.
    """

    image_size: int = size_field(518, native=336)
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    position: PositionResize = "bilinear"
    activation: Activation | None = None
    temperature: float = query_field(0.07)
    layers: tuple[int, ...] = layer_field((24,), of=24)
    local_from: int = layer_field(6, of=24)
    context_length: int = 12
    prompt_depth: int = layer_field(9, of=12, tower="text")
    deep_tokens: int = 4
    sigma: float = query_field(4.0, most=1000)

    NAMED: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "published": {"layers": (24,)},
        "multilayer": {"layers": (6, 12, 18, 24)},
    }
