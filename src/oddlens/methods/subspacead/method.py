"""SubspaceAD: patches of good examples span a subspace, and what of a patch lies outside it is its score.

arXiv 2602.23013, CVPR 2026. The steps are those of the released code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.options import Tap
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.methods.base import Features, Method, Scores, Text
from oddlens.methods.common.augmentation import drawn_angles, turned_by
from oddlens.methods.common.maps import gaussian_weights, mean_of_highest, square_grid, upsample_and_filter
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.subspacead.card import CARD
from oddlens.methods.subspacead.recipe import SubspaceADRecipe
from oddlens.methods.weights import MethodWeights

_LARGEST_ANGLE = 345.0
_BLUR = tuple(gaussian_weights(4, radius=1))
"""3 x 3 pixels at sigma 4: nearly a box, see `SubspaceADRecipe`."""


class SubspaceAD(Method[SubspaceADRecipe]):
    """SubspaceAD on a backbone.

    Features: "patches" [batch, patches, width], the mean of the layers. Of references besides "moments", float64 [images,
    width + 3, width]: how many patches (in every column), their sum for the mean, their sum and the sum of their outer products
    for the covariance. These add up over images, so that a memory is one sum, and one that leaves an image out is that sum less
    one term: 8 * width * width bytes an image, 19 MB at width 1,536, however many views it has.

    Map: [0, inf), squared lengths in the model's own feature units: it depends on the model, and no range is common to all.
    """

    card = CARD

    def __init__(self, backbone: Backbone, recipe: SubspaceADRecipe, weights: MethodWeights | None = None) -> None:
        super().__init__(backbone, recipe, weights)
        self._taps: tuple[Tap, ...] = recipe.reference_taps or backbone.card.reference_taps or recipe.layers

    def encode_prompts(self, object_name: str) -> Text:
        """Nothing: it compares images alone."""
        return {}

    @property
    def request(self) -> FeatureRequest:
        """The whole image, and the tokens after some blocks."""
        recipe = self.recipe
        return FeatureRequest(recipe.image_size, recipe.interpolation, recipe.position, self._taps)

    def encode(self, vision_pass: VisionPass) -> Features:
        """The mean of the taps' patch tokens."""
        tokens = [vision_pass.features.patches(tap) for tap in self._taps]
        if len({each.shape[-1] for each in tokens}) > 1:
            raise UsageError(f"the features {', '.join(map(str, self._taps))} differ in width: give taps of one width")
        return {"patches": torch.stack(tokens).mean(dim=0)}

    def reference_views(self, pixels: Pixels) -> Sequence[Pixels]:
        """The image, and turned copies of it; those for the covariance after those for the mean where they differ."""
        recipe = self.recipe
        if recipe.augment == "none":
            return (pixels,)
        count = recipe.rotations * (1 if recipe.draws == "one" else 2)
        return pixels, *turned_by(pixels, drawn_angles(pixels, count, recipe.seed, _LARGEST_ANGLE))

    def reference_features(self, features: Mapping[str, Tensor], views: int) -> Features:
        """The image's own patches, and the moments of those of all views."""
        patches = features["patches"].view(-1, views, *features["patches"].shape[1:])
        copies = self.recipe.rotations if self.recipe.draws == "two" and views > 1 else 0
        moments = [_moments(each[: views - copies], torch.cat([each[:1], each[1 + copies :]])) for each in patches]
        return {"patches": patches[:, 0], "moments": torch.stack(moments)}

    def fit(self, references: Mapping[str, Tensor]) -> MemoryBank:
        """The moments of every good example."""
        return MemoryBank({"moments": self.kept(references, "moments")}, unit=False)

    def fit_prompts(
        self, memory: MemoryBank, references: Mapping[str, Tensor], text: Mapping[str, Tensor]
    ) -> tuple[MemoryBank, Scores | None]:
        """The memory with "mean" [width] and "residual" [width, width], the projection on all that the subspace leaves out."""
        mean, residual = self._subspace(_by_image(memory).sum(dim=0))
        return memory.with_values({"mean": mean, "residual": residual}), None

    def score(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """How much of each patch lies outside the subspace, squared; maps and scores of it."""
        memory = self.known(memory)
        patches = features["patches"].float()
        ranges = memory.left_out_ranges
        if ranges is None:
            outside = (patches - memory.values["mean"]) @ memory.values["residual"]
        else:
            moments = _by_image(memory)
            total, parts = moments.sum(dim=0), []
            for own, (first, last) in zip(patches, ranges, strict=True):
                mean, residual = self._subspace(total - moments[first : last + 1].sum(dim=0))
                parts.append((own - mean) @ residual)
            outside = torch.stack(parts)
        side = self.recipe.image_size
        distance = outside.square().sum(dim=-1)
        maps = distance.view(-1, *square_grid(distance.shape[1]))
        maps = upsample_and_filter(maps, (side, side), _BLUR, "mirror")
        return Scores(mean_of_highest(maps.flatten(1), self.recipe.top), maps)

    def score_set(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> Scores:
        """The subspace is that of the set itself, and each image is scored by the fit that saw it, as the authors have it."""
        moments = torch.stack([_moments(each[None], each[None]) for each in features["patches"]])
        memory, _ = self.fit_prompts(self.fit({"moments": moments}), {}, text)
        return self.score(features, text, memory)

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """Squared lengths have no bound."""
        return 0.0, math.inf

    def range_of(self, memory: MemoryBank | None) -> tuple[float, float]:
        """From 0 to the variance of the good examples' patches: a patch at the end is as far outside as they are spread."""
        if memory is None:
            return self.value_range(False)
        _, covariance = _mean_and_covariance(_by_image(memory).sum(dim=0))
        return 0.0, max(float(covariance.trace()), 1e-9)

    def _subspace(self, moments: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and residual projection, float32; computed in float64."""
        mean, covariance = _mean_and_covariance(moments)
        values, vectors = torch.linalg.eigh(covariance)  # rising
        kept = self.recipe.components
        if kept is None:
            share = values.flip(0).clamp(min=0).cumsum(0)
            kept = 1 + int((share < self.recipe.variance * share[-1]).sum())
        left_out = vectors[:, : max(0, len(values) - kept)]
        return mean.float(), (left_out @ left_out.T).float()


def _moments(for_mean: Tensor, for_covariance: Tensor) -> Tensor:
    """What is kept of the patches of one good example, [views, patches, width]: float64 [width + 3, width], see `SubspaceAD`."""
    one, other = (each.flatten(0, 1).double() for each in (for_mean, for_covariance))
    count = torch.full_like(one[:1], len(one))
    return torch.cat([count, one.sum(dim=0, keepdim=True), other.sum(dim=0, keepdim=True), other.T @ other])


def _by_image(memory: MemoryBank) -> Tensor:
    """The moments of a memory, float64 [images, width + 3, width]."""
    rows = memory.rows("moments")
    return rows.view(-1, rows.shape[1] + 3, rows.shape[1])


def _mean_and_covariance(moments: Tensor) -> tuple[Tensor, Tensor]:
    """Of all patches that moments are of: [width], [width, width]."""
    count, own, other, products = moments[0, 0], moments[1], moments[2], moments[3:]
    mean = own / count
    crossed = torch.outer(mean, other)
    return mean, (products - crossed - crossed.T + count * torch.outer(mean, mean)) / (count - 1).clamp(min=1)
