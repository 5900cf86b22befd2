"""Scores and maps of a region of interest: what lies outside of it counts for nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from oddlens.detection import RegionOfInterest
from oddlens.methods.scoring import Numbers, Scores


def within(scores: Scores[Numbers], region: RegionOfInterest, low: float) -> Scores[Numbers]:
    """What is left of a method's scores and maps inside of a region.

    Outside of it a map has its lowest value. The score of an image is the largest value of its map inside: that of the method has
    seen the whole image. Scores of good images are made in the same way, so that calibrations keep their promises.

    low: the lowest value of the method's maps.
    """
    if isinstance(scores.maps, np.ndarray):
        best, maps = _of(scores.maps, region, low)
        return replace(scores, scores=best, maps=maps)
    each = [_of(one[None], region, low) for one in scores.maps]
    return replace(scores, scores=np.concatenate([best for best, _ in each]), maps=[maps[0] for _, maps in each])


def _of(maps: Numbers, region: RegionOfInterest, low: float) -> tuple[Numbers, Numbers]:
    """The largest values inside of maps [batch, height, width], and the maps; float32."""
    height, width = maps.shape[1:]
    inside = region.inside((width, height))
    maps = maps.astype(np.float32, copy=False)
    return maps[:, inside].max(axis=1), np.where(inside, maps, np.float32(low))
