"""SubspaceAD's settings, without the code that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from oddlens.backbone.options import Activation, PositionResize
from oddlens.methods.recipe_fields import Recipe, fixed_field, layer_field, query_field, size_field


@dataclass(frozen=True)
class SubspaceADRecipe(Recipe):
    """The settings of SubspaceAD; all are the released code's, but for `draws` and for where the angles come from (`seed`).

    Attributes:
        image_size: Pixels on each side of the image that the model gets (672 with few good examples; 448 in the paper's studies).
        interpolation: How images are resized.
        position: How position embeddings are resized; None: as transformers does for the model.
        activation: The GELU of a CLIP's towers; None: the one that the model's weights were trained with.
        layers: Blocks whose patch tokens are averaged, before the final LayerNorm.
        reference_taps: Features that are averaged in place of those of `layers`: block numbers or names of a stem's taps, all
            of one width; None: what the model's card names, else `layers`.
        augment: "rotations": turned copies of every good example join it; "none", as the authors have it for a whole set of
            images and for MVTec AD's transistor.
        rotations: Turned copies of each good example, by 0 to 345 degrees, with black corners.
        draws: "one" draw of angles for mean and covariance; "two", as the released code has it: the mean is that of other turned
            copies than the covariance.
        seed: The angles are drawn by it and by the image's own pixels, so that they do not depend on the order of the images; the
            released code draws them one after another.
        variance: The share of the variance that the subspace keeps.
        components: The dimension of the subspace; None: by `variance`.
        top: The score is the mean of this share of the map's pixels, the highest ones.

    Named recipes: "released", with two draws.
    """

    image_size: int = size_field(672, native=518)
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    position: PositionResize | None = None
    activation: Activation | None = None
    layers: tuple[int, ...] = layer_field(
        (23, 24, 25, 26, 27, 28, 29), of=40, others={24: (14, 15, 16, 17, 18), 12: (8, 9)}
    )
    reference_taps: tuple[int | str, ...] | None = None
    augment: Literal["rotations", "none"] = "rotations"
    rotations: int = fixed_field(30, most=1000)
    draws: Literal["one", "two"] = "one"
    seed: int = fixed_field(42, most=2**63 - 1)
    variance: float = fixed_field(0.99, most=1)
    components: int | None = None
    top: float = query_field(0.01, most=1)

    NAMED: ClassVar[Mapping[str, Mapping[str, object]]] = {"released": {"draws": "two"}}
