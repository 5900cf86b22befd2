"""Names of defects: what a region is probably called, of the words that a user gives and of regions that a user has named.

A region is cut out with some of what is around it. Words are compared with that crop in the joint space of a CLIP, as "a photo
of a {object} with a {defect}"; a name that fits the whole image as well as the crop says nothing of the region. Named regions are
compared by the mean of the patch features inside the region, the nearest one of each name; where they decide, they win over
words. What neither decides is "unknown". A name is a suggestion: no verdict depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from oddlens.detection import Detection, Region
from oddlens.errors import needs_torch
from oddlens.io.pixels import Pixels
from oddlens.methods.scoring import AnyModel
from oddlens.runtime.graph_method import GraphModel
from oddlens.station.defects import UNKNOWN, NamedRegions
from oddlens.teaching.crop_tower import CropTower, Vectors, unit
from oddlens.teaching.graph_tower import GraphTower
from oddlens.teaching.region_crops import grid_weights, region_crop

if TYPE_CHECKING:
    from oddlens.detector import Detector

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

    embeddings: Vectors | None
    features: Vectors


def crop_tower(model: AnyModel, *, with_words: bool) -> CropTower:
    """The model of a detector. Raises `UsageError` where it cannot give what names need."""
    if isinstance(model, GraphModel):
        return GraphTower(model)
    with needs_torch("naming defects"):
        from oddlens.teaching.torch_tower import TorchTower
    return TorchTower(model, with_words=with_words)


def namer_of(detector: Detector, words: Sequence[str] = (), object_name: str | None = None) -> Namer | None:
    """What names the marked regions of a detector; None where there are no names to choose from: one alone decides nothing.

    words: in place of those that it knows. object_name: in place of its own.

    Raises `UsageError` where its model cannot name.
    """
    known = detector.defects
    if not words and (known is None or not (known.words or len(set(known.regions.names)) > 1)):
        return None
    chosen, regions = (words, None) if known is None else (words or known.words, known.regions)
    return Namer(detector.backbone, chosen, object_name or detector.object_name, regions)


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
        self._tower = crop_tower(backbone, with_words=bool(words))
        self.words, self.object_name = tuple(words), object_name
        self.known = known or NamedRegions()
        self._prompts: Vectors | None = None
        if words:
            self._prompts = self._tower.words([PROMPT.format(object=object_name, defect=word) for word in words])

    def named(self, detection: Detection, pixels: Pixels) -> Detection:
        """The detection with names for its regions, of which the `MOST_REGIONS` hottest get some.

        pixels: of the image, uint8 [height, width, 3].
        """
        regions = detection.regions
        if not regions:
            return detection
        names = self.names(pixels, regions[:MOST_REGIONS])
        named = tuple(replace(region, names=each) for region, each in zip(regions, names, strict=False))
        return detection.with_regions(named + regions[len(named) :])

    def names(self, pixels: Pixels, regions: Sequence[Region]) -> list[Names]:
        """The names of each region of an image, the best first; "unknown" comes before those that are not decided."""
        if not regions:
            return []
        seen = self._look(pixels, regions, whole=self._prompts is not None)
        by_regions = self.by_regions(seen.features, self.known) or [()] * len(regions)
        by_words = self._by_words(seen.embeddings) or [()] * len(regions)
        return [
            near if near and (near[0][0] != UNKNOWN or not words) else words
            for near, words in zip(by_regions, by_words, strict=True)
        ]

    def features(self, pixels: Pixels, regions: Sequence[Region]) -> Vectors:
        """What is compared with named regions, of each region: float32 [regions, channels], unit norm."""
        return self._look(pixels, regions, whole=False).features

    @staticmethod
    def by_regions(features: Vectors, known: NamedRegions) -> list[Names]:
        """The names of regions by the nearest one of each name; [] where none is known. features: as `features` gives them."""
        names = sorted(set(known.names))
        if not names:
            return []
        near: Vectors = features @ known.features.T
        owners = np.array(known.names)
        best: Vectors = np.stack([near[:, owners == name].max(axis=1) for name in names], axis=1)
        weights = _softmax(best / CROP_TEMPERATURE).tolist()
        return [_ranked(names, each, says=len(names) > 1) for each in weights]

    def settings(self) -> dict[str, object]:
        """What names depend on beside the model, as JSON values."""
        known: dict[str, int] = {name: self.known.names.count(name) for name in sorted(set(self.known.names))}
        return {"words": list(self.words), "named_regions": known}

    def _look(self, pixels: Pixels, regions: Sequence[Region], *, whole: bool) -> _Seen:
        """The crops of the regions through the tower; where `whole`, the last embedding is that of the image."""
        crops = [region_crop(pixels, region) for region in regions]
        seen = self._tower.see([*(crop.pixels for crop in crops), *([pixels] if whole else [])], embeds=whole)
        weights = np.stack([grid_weights(crop.inside, seen.grid) for crop in crops])
        return _Seen(seen.embeddings, unit((weights[..., None] * seen.patches[: len(crops)]).sum(axis=1)))

    def _by_words(self, embeddings: Vectors | None) -> list[Names]:
        if self._prompts is None or embeddings is None:
            return []
        fits = embeddings @ self._prompts.T
        gains = fits[:-1] - fits[-1]
        weights = _softmax(fits[:-1] * self._tower.scale).tolist()
        return [
            _ranked(self.words, each, says=bool(gain[int(np.argmax(each))] > 0))
            for each, gain in zip(weights, gains, strict=True)
        ]


def _softmax(values: Vectors) -> Vectors:
    """Along the last axis."""
    raised: Vectors = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: Vectors = raised / raised.sum(axis=-1, keepdims=True)
    return shares


def _ranked(names: Sequence[str], weights: Sequence[float], *, says: bool) -> Names:
    """Names by falling weight, behind "unknown" where nothing `says` the first one or it does not lead by the margin."""
    ranked = sorted(zip(names, weights, strict=True), key=lambda each: -each[1])
    lead = ranked[0][1] - (ranked[1][1] if len(ranked) > 1 else 0.0)
    rounded = tuple((name, round(weight, 4)) for name, weight in ranked)
    if says and lead >= MARGIN:
        return rounded
    return ((UNKNOWN, round(1 - ranked[0][1], 4)), *rounded)
