"""Feature maps at several scales from a frozen tower of any kind: the input of mask decoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.tower import VisionTower

STRIDE = 32
"""Frames come with sides that are multiples of this many pixels."""


@dataclass(frozen=True)
class FrozenMaps:
    """Feature maps of frames [batch, 3, height, width].

    Attributes:
        maps: One a stride, [batch, channels, height / stride, width / stride].
        dense: [batch, channels, rows, columns]: masks are pooled from it before `MapTower.embed_pooled` brings them into the joint
            space. None if it was not requested.
    """

    maps: tuple[Tensor, ...]
    dense: Tensor | None


@runtime_checkable
class MapTower(Protocol):
    """A frozen vision tower as a source of feature maps."""

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels of the frame a cell of each map, ascending."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each map."""

    def feature_maps(self, pixels: Tensor, *, dense: bool = True) -> FrozenMaps:
        """The maps of normalised pixels [batch, 3, height, width]; sides are multiples of `STRIDE`."""

    def embed_pooled(self, pooled: Tensor) -> Tensor:
        """Bring means over cells of `FrozenMaps.dense` into the joint space: [..., channels] -> [..., embed_dim]."""


@runtime_checkable
class FinerStem(Protocol):
    """A stem with features on a grid that is twice as fine as the tokens'."""

    finer_channels: int

    def finer(self, raw: Mapping[str, Tensor]) -> Tensor:
        """These features, of the stem's raw ones: [batch, finer_channels, 2 * rows, 2 * columns]."""


class VisionMaps:
    """A transformer tower as a `MapTower`: its patch tokens as one map, and the stem's finer features where it has any.

    The patch tokens after the middle block and after the last one are concatenated: later ones carry more meaning, earlier ones are
    more precise in place. The stride of their map is the power of two nearest to the patch size. Where that is not the patch size
    itself (14), frames are resized so that patches lie on that grid. The dense map is the local stream after the last block, every
    patch in the joint space with unit length. Source: ours, after Li et al., ECCV 2022, arXiv 2203.16527 (a pyramid from a plain
    transformer) and AnomalyCLIP's local stream, which begins after a quarter of the blocks.
    """

    def __init__(self, tower: VisionTower) -> None:
        config = tower.config
        self._tower = tower
        self._stride = min((8, 16, 32), key=lambda stride: abs(stride - config.patch_size))
        self._taps = tuple(dict.fromkeys((-(-config.layers // 2), config.layers)))
        stem = getattr(tower, "stem", None)
        self._stem = stem if isinstance(stem, FinerStem) else None

    @property
    def strides(self) -> tuple[int, ...]:
        """The patches', and half of it where the stem has finer features."""
        return (self._stride,) if self._stem is None else (self._stride // 2, self._stride)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each map."""
        patches = len(self._taps) * self._tower.config.width
        return (patches,) if self._stem is None else (self._stem.finer_channels, patches)

    def feature_maps(self, pixels: Tensor, *, dense: bool = True) -> FrozenMaps:
        """The maps of normalised pixels [batch, 3, height, width]; sides are multiples of `STRIDE`."""
        tower, depth = self._tower, self._tower.config.layers
        if tower.config.patch_size != self._stride:
            size = [side // self._stride * tower.config.patch_size for side in pixels.shape[-2:]]
            pixels = F.interpolate(pixels, size=size, mode="bicubic", align_corners=False, antialias=True)
        embedded = tower.embed(pixels, "bicubic")
        features = tower.run_blocks(embedded, self._taps, (depth,) if dense else (), -(-depth // 4), image=False)
        taps = [F.layer_norm(features.patches(tap), (tower.config.width,)) for tap in self._taps]
        maps = [_as_map(torch.cat(taps, dim=-1), embedded.grid)]
        if self._stem is not None:
            maps.insert(0, self._stem.finer(embedded.raw))
        if not dense:
            return FrozenMaps(tuple(maps), None)
        local = F.normalize(tower.project(features.local[depth])[:, features.prefix :], dim=-1)
        return FrozenMaps(tuple(maps), _as_map(local, embedded.grid))

    def embed_pooled(self, pooled: Tensor) -> Tensor:
        """The dense map is in the joint space already."""
        return pooled


def map_tower(tower: VisionTower) -> MapTower:
    """Any vision tower as a source of feature maps."""
    return tower if isinstance(tower, MapTower) else VisionMaps(tower)


def _as_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Patch tokens [batch, patches, channels] to a map [batch, channels, rows, columns]."""
    return tokens.transpose(1, 2).view(tokens.shape[0], -1, *grid)
