"""Names of defects: what a region is probably called, of the words that a user gives and of regions that a user has named.

A region is cut out with some of what is around it. Words are compared with that crop in the joint space of a CLIP, as "a photo
of a {object} with a {defect}"; a name that fits the whole image as well as the crop says nothing of the region. Named regions are
compared by the mean of the patch features inside the region, the nearest one of each name; where they decide, they win over
words. What neither decides is "unknown". A name is a suggestion: no verdict depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.options import Capabilities, Tap
from oddlens.detection import Detection, Region
from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.methods.scoring import AnyModel
from oddlens.station.defects import UNKNOWN, NamedRegions
from oddlens.teaching.region_crops import grid_weights, region_crop

PROMPT = "a photo of a {object} with a {defect}"

MARGIN = 0.2
"""The weight by which the first name must lead the second one: chosen, as what follows, on generated images of training classes."""

CROP_TEMPERATURE = 0.1
"""Of the weights of named regions: there the weight of the first name was, on average, how often it was right."""

MOST_REGIONS = 8
"""Regions of an image that get names, the hottest ones: each costs a pass through the vision tower."""

Names = tuple[tuple[str, float], ...]
"""Names and their weights, the best first. What is not decided begins with "unknown", whose weight is what the best one lacks."""


class _Seen(NamedTuple):
    """Crops after the tower: embeddings in the joint space [crops, embed_dim], None where there is none, and region features."""

    embeddings: Tensor | None
    features: Tensor


class Namer:
    """Names the regions of images of one kind of object. Several threads may use it at once.

    Args:
        backbone: The model. Words need a text tower, named regions need patch tokens.
        words: Names of defects, two or more; () compares with named regions only.
        object_name: What is on the images.
        known: Regions that were named.

    Raises:
        UsageError: The model cannot do that.
    """

    def __init__(
        self,
        backbone: AnyModel,
        words: Sequence[str] = (),
        object_name: str = "part",
        known: NamedRegions | None = None,
    ) -> None:
        if not isinstance(backbone, Backbone):
            raise UsageError(
                "names of defects need the whole model, not its graphs: install torch (pip install 'oddlens[torch]') and load the "
                "detector with runtime 'torch'"
            )
        backbone.require(Capabilities(patches=True, text=bool(words), joint=bool(words)), "naming defects")
        self._backbone, self.words, self.object_name = backbone, tuple(words), object_name
        self.known = known or NamedRegions()
        self._prompts: Tensor | None = None
        if words:
            prompts = [PROMPT.format(object=object_name, defect=word) for word in words]
            self._prompts = F.normalize(backbone.encode_text(prompts), dim=-1)
        taps = backbone.card.reference_taps
        self._tap: Tap = taps[0] if taps else (backbone.vision.config.layers + 1) // 2

    def named(self, detection: Detection, pixels: Pixels) -> Detection:
        """The detection with names for its regions, of which the `MOST_REGIONS` hottest get some.

        pixels: of the image, uint8 [height, width, 3].
        """
        regions = detection.regions
        if not regions:
            return detection
        names = self.names(pixels, regions[:MOST_REGIONS])
        named = tuple(replace(region, names=each) for region, each in zip(regions, names, strict=False))
        other = replace(detection)
        other.__dict__["regions"] = named + regions[len(named) :]
        return other

    @torch.inference_mode()
    def names(self, pixels: Pixels, regions: Sequence[Region]) -> list[Names]:
        """The names of each region of an image, the best first; "unknown" comes before those that are not decided."""
        if not regions:
            return []
        seen = self._look(pixels, regions, whole=self._prompts is not None)
        by_regions = self.by_regions(seen.features.cpu().numpy(), self.known) or [()] * len(regions)
        by_words = self._by_words(seen.embeddings) or [()] * len(regions)
        return [
            near if near and (near[0][0] != UNKNOWN or not words) else words
            for near, words in zip(by_regions, by_words, strict=True)
        ]

    @torch.inference_mode()
    def features(self, pixels: Pixels, regions: Sequence[Region]) -> NDArray[np.float32]:
        """What is compared with named regions, of each region: float32 [regions, channels], unit norm."""
        features: NDArray[np.float32] = self._look(pixels, regions, whole=False).features.cpu().numpy()
        return features

    @staticmethod
    def by_regions(features: NDArray[np.float32], known: NamedRegions) -> list[Names]:
        """The names of regions by the nearest one of each name; [] where none is known. features: as `features` gives them."""
        names = sorted(set(known.names))
        if not names:
            return []
        near = torch.from_numpy(features @ known.features.T)
        owners = np.array(known.names)
        best = torch.stack([near[:, torch.from_numpy(owners == name)].amax(dim=1) for name in names], dim=1)
        weights = (best / CROP_TEMPERATURE).softmax(dim=-1).tolist()
        return [_ranked(names, each, says=len(names) > 1) for each in weights]

    def settings(self) -> dict[str, object]:
        """What names depend on beside the model, as JSON values."""
        known: dict[str, int] = {name: self.known.names.count(name) for name in sorted(set(self.known.names))}
        return {"words": list(self.words), "named_regions": known}

    def _look(self, pixels: Pixels, regions: Sequence[Region], *, whole: bool) -> _Seen:
        """The crops of the regions through the tower; where `whole`, the last embedding is that of the image."""
        backbone, vision = self._backbone, self._backbone.vision
        crops = [region_crop(pixels, region) for region in regions]
        batch = backbone.to_pixels(
            [crop.pixels for crop in crops] + ([pixels] if whole else []), backbone.card.image_size
        )
        found = vision.run_blocks(vision.embed(batch), (self._tap,), image=whole)
        patches = F.normalize(found.patches(self._tap)[: len(crops)], dim=-1)
        weights = torch.from_numpy(np.stack([grid_weights(crop.inside, found.grid) for crop in crops])).to(patches)
        features = F.normalize((weights[..., None] * patches).sum(dim=1), dim=-1).float()
        return _Seen(F.normalize(vision.embed_image(found.image), dim=-1) if whole else None, features)

    def _by_words(self, embeddings: Tensor | None) -> list[Names]:
        if self._prompts is None or embeddings is None:
            return []
        fits = embeddings @ self._prompts.T
        gains = (fits[:-1] - fits[-1]).tolist()
        weights = (fits[:-1] * self._backbone.model.logit_scale.exp()).softmax(dim=-1).tolist()
        return [
            _ranked(self.words, each, says=gain[int(np.argmax(each))] > 0)
            for each, gain in zip(weights, gains, strict=True)
        ]


def _ranked(names: Sequence[str], weights: Sequence[float], *, says: bool) -> Names:
    """Names by falling weight, behind "unknown" where nothing `says` the first one or it does not lead by the margin."""
    ranked = sorted(zip(names, weights, strict=True), key=lambda each: -each[1])
    lead = ranked[0][1] - (ranked[1][1] if len(ranked) > 1 else 0.0)
    rounded = tuple((name, round(weight, 4)) for name, weight in ranked)
    if says and lead >= MARGIN:
        return rounded
    return ((UNKNOWN, round(1 - ranked[0][1], 4)), *rounded)
