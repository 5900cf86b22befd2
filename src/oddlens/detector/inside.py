"""Scores and maps of a region of interest: what lies outside of it counts for nothing."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from oddlens.detection import RegionOfInterest
from oddlens.methods.base import Scores


def within(scores: Scores, region: RegionOfInterest, low: float) -> Scores:
    """What is left of a method's scores and maps inside of a region.

    Outside of it a map has its lowest value. The score of an image is the largest value of its map inside: that of the method has
    seen the whole image. Scores of good images are made in the same way, so that calibrations keep their promises.

    low: the lowest value of the method's maps.
    """
    if isinstance(scores.maps, Tensor):
        best, maps = _of(scores.maps, region, low)
        return replace(scores, scores=best, maps=maps)
    each = [_of(one[None], region, low) for one in scores.maps]
    return replace(scores, scores=torch.cat([best for best, _ in each]), maps=[maps[0] for _, maps in each])


def _of(maps: Tensor, region: RegionOfInterest, low: float) -> tuple[Tensor, Tensor]:
    """The largest values inside of maps [batch, height, width], and the maps; float32."""
    height, width = maps.shape[1:]
    inside = torch.from_numpy(region.inside((width, height)).copy()).to(maps.device)
    maps = maps.float()
    return maps[:, inside].amax(dim=1), maps.where(inside, low)
