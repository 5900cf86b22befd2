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

    Attributes:
        image_size: Pixels on each side of the image that the model gets.
        interpolation: How images are resized.
        position: How position embeddings are resized.
        activation: The GELU of both towers. The released code runs OpenAI's weights, which were trained with QuickGELU,
            with exact GELU, and the published layers and figures rest on that: it is the default. None: the one that
            the model's weights were trained with. Choose before training: the weights keep it.
        layers: Blocks whose patch tokens are compared with the prompts, each by a linear layer.
        reference_taps: The features by which images are compared with the references: block numbers or names of a
            stem's taps; None: what the model's card names, else `layers`, as in the code.
        temperature: Divides the cosines before both softmaxes.
        image_score: What the scores with references are relative to: "references" (ours), or "transductive", the whole
            test set (theirs), which only an evaluation can do.
        memory_dtype: The numbers in which patch tokens are kept, also in the memory bank and in stations; float16 takes
            half the space.
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
