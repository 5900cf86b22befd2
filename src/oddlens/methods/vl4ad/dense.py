"""Masks without training: every patch of a CLIP tower is a mask of its own, seen through the last block's values.

Ours: VL4AD learns its masks. What a patch shows is read from the local (V-V) stream, as AnomalyCLIP and AnoVL read it, in windows
of the tower's own size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.options import Capabilities, PositionResize
from oddlens.backbone.vision_pass import VisionPass
from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.methods.base import Features, Text
from oddlens.methods.vl4ad.windows import Windows, at_short_side

MAP_STRIDE = 4
"""Pixels of the working resolution a map's pixel stands for, as mask decoders have it."""

_MAP_PIXELS_AT_ONCE = 4096
"""Of an axis: all of it, of any usual frame."""

_WINDOWS_AT_ONCE = 8
"""Bounds the memory of the tower, whatever the size of the frame: what other methods let run at once, too."""


class DenseMasks:
    """A way to masks (`masks.Masks`) for any CLIP of ours.

    A mask is a bilinear bump around the middle of its patch: the masks of a frame add up to 1 everywhere. Features: "embeddings"
    [batch, masks, embed_dim], row-major over the patch grid; "masks" int64 [batch]; "frame" int64 [batch, 2], height and width in
    pixels at the working resolution.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        image_size: int,
        short_side: int | None = None,
        overlap: float = 0.5,
        position: PositionResize = "bicubic",
        local_from: int | None = None,
    ) -> None:
        """image_size: the side of a window in pixels. short_side: of a frame at the working resolution; None: the frame's own.

        local_from: the block before which the local stream leaves the ordinary one; None: the last.
        """
        backbone.require(Capabilities(patches=True, local=True, joint=True), "vl4ad without a mask decoder")
        config = backbone.vision.config
        if image_size < config.patch_size:
            raise UsageError(
                f"windows of {image_size} pixels hold no patch of {config.patch_size}: use a larger image_size"
            )
        self._backbone = backbone
        self._windows = Windows(image_size // config.patch_size, config.patch_size, overlap)
        self.short_side = short_side
        self._position: PositionResize = position
        self._local_from = local_from or config.layers
        self._temperature = trained_temperature(backbone)

    @property
    def temperature(self) -> float:
        """The model's own."""
        return self._temperature

    @property
    def no_export(self) -> str | None:
        """A graph has one window for an image: how many windows cover a larger frame differs from frame to frame."""
        if self.short_side in (None, self.side):
            return None
        return f"vl4ad exports images of one window, {self.side} pixels square: leave short_side {self.short_side} out"

    @property
    def side(self) -> int:
        """Pixels a side of a window, which is what an exported graph takes for an image."""
        return self._windows.side * self._windows.patch

    @property
    def text(self) -> Text | None:
        """None: patches are compared with words."""
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """()."""
        return ()

    @property
    def pooled(self) -> bool:
        """False: the embeddings are that view."""
        return False

    def encode(self, vision_pass: VisionPass) -> Features:
        """See `masks.Masks`. Memory: the tower's for a few windows, and the embeddings.

        A pass over ready pixels is one over images that are a window each, `side` pixels square.
        """
        if not vision_pass.images:
            return self._encode_windows(vision_pass.pixels)
        frames = [at_short_side(image, self.short_side) for image in vision_pass.images]
        embeddings = [self._embeddings(frame).flatten(0, 1) for frame in frames]
        at = embeddings[0].device
        return {
            "embeddings": pad_sequence(embeddings, batch_first=True),
            "masks": torch.tensor([len(each) for each in embeddings], device=at),
            "frame": torch.tensor([frame.shape[:2] for frame in frames], device=at),
        }

    def spread(self, features: Mapping[str, Tensor], values: Tensor) -> Tensor:
        """See `masks.Masks`: values between the middles of patches are interpolated, [channels, height, width] at a quarter of the
        working resolution.
        """
        exporting = torch.compiler.is_exporting()  # then no number of a tensor can be read
        height, width = (self.side, self.side) if exporting else features["frame"].tolist()
        patch = self._windows.patch
        grid = values.mT.reshape(*values.shape[:-2], values.shape[-1], -(-height // patch), -(-width // patch))
        down = _put_together([bumps @ grid[..., rows, :] for rows, bumps in _bumps(height, patch, values)], dim=-2)
        return _put_together([down[..., columns] @ bumps.T for columns, bumps in _bumps(width, patch, values)], dim=-1)

    def _encode_windows(self, pixels: Tensor) -> Features:
        """The features of images that are a window each: [batch, 3, side, side] normalised pixels."""
        weights = self._windows.weights().to(pixels.device)[..., None]
        embeddings = F.normalize(weights * self._encode_pixels(pixels), dim=-1).flatten(1, 2)
        count = pixels.shape[0]
        return {
            "embeddings": embeddings,
            "masks": torch.full((count,), embeddings.shape[1], device=pixels.device),
            "frame": torch.full((count, 2), self.side, device=pixels.device),
        }

    def _embeddings(self, frame: Pixels) -> Tensor:
        """[rows, columns, embed_dim], unit norm."""
        rows, columns = grid = self._windows.grid(frame)
        grown, corners = self._windows.grow(frame), self._windows.corners(grid)
        side, at = self._windows.side, self._backbone.device
        weights = self._windows.weights().to(at)[..., None]
        total = torch.zeros(max(rows, side), max(columns, side), self._backbone.vision.config.embed_dim, device=at)
        for first in range(0, len(corners), _WINDOWS_AT_ONCE):
            part = corners[first : first + _WINDOWS_AT_ONCE]
            windows = [self._windows.cut(grown, corner) for corner in part]
            seen = self._encode_pixels(self._backbone.to_pixels(windows, self.side))
            for (row, column), window in zip(part, seen, strict=True):
                total[row : row + side, column : column + side] += weights * window
        return F.normalize(total[:rows, :columns], dim=-1)

    def _encode_pixels(self, pixels: Tensor) -> Tensor:
        """Pixels of windows -> their patches in the joint space: [windows, rows, columns, embed_dim], unit norm."""
        vision, side = self._backbone.vision, self._windows.side
        last = vision.config.layers
        features = vision.run_blocks(
            vision.embed(pixels, self._position), local_taps=(last,), local_from=self._local_from
        )
        return F.normalize(vision.project(features.local_patches(last)), dim=-1).view(
            -1, side, side, vision.config.embed_dim
        )


def trained_temperature(backbone: Backbone) -> float:
    """The temperature that a model compared images and words with when it was trained; at least 0.01, CLIP's bound."""
    return math.exp(-min(float(backbone.model.logit_scale), math.log(100)))


def _put_together(pieces: list[Tensor], dim: int) -> Tensor:
    return (
        pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim)
    )  # a frame's map is 10 MB: it is not copied for nothing


def _bumps(pixels: int, patch: int, like: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """How much each patch along an axis has of each pixel of the map: [map pixels, patches], rows add up to 1.

    A piece of the axis at a time, with the patches that matter there: as one matrix that of a long frame would take all memory.
    """
    length, last = -(-pixels // MAP_STRIDE), -(-pixels // patch) - 1
    for start in range(0, length, _MAP_PIXELS_AT_ONCE):
        numbers = np.arange(start, min(start + _MAP_PIXELS_AT_ONCE, length))
        middles = ((numbers + 0.5) * pixels / length / patch - 0.5).clip(0, last)
        first, end = int(middles[0]), min(int(middles[-1]) + 1, last) + 1
        distance = np.abs(middles[:, None] - np.arange(first, end))
        yield slice(first, end), torch.from_numpy((1 - distance).clip(min=0)).to(like)
