"""What a method asks of a vision tower, and how an image is brought to it. No torch is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from oddlens.backbone.options import Interpolation, PositionResize, Tap
from oddlens.io.pixels import Pixels
from oddlens.io.preprocess import resized

MOST_ASPECT = 2
"""How many times as long as wide an image may be that keeps its aspect; a longer one is squeezed to that."""


@dataclass(frozen=True)
class FeatureRequest:
    """What a method needs from the vision tower for a batch of images.

    Attributes:
        image_size: Pixels a side of the square that images are resized to.
        interpolation: How images are resized.
        position: How position embeddings are resized; None: as the model's own code does.
        taps: See `VisionTower.run_blocks`.
        local_taps: Likewise.
        local_from: Likewise.
        image: Whether the method wants what stands for the whole image; else a pass ends at its last tap.
        whole: Whether the method takes images at their own size, one at a time. Otherwise they come at the tower's size.
        short_side: The shorter side, in pixels, that the method resizes whole images to; None: it takes them as they are.
        aspect_cell: Images keep their own aspect, up to 2 to 1, at as many pixels as the square has; their sides are
            multiples of this number of pixels. None: they are squeezed into the square.
        cut_to: Images keep their aspect: `image_size` is their shorter side, and what is beyond a multiple of this number of pixels
            is cut off, right and below. None: nothing is.
    """

    image_size: int
    interpolation: Interpolation = "bicubic"
    position: PositionResize | None = None
    taps: tuple[Tap, ...] = ()
    local_taps: tuple[int, ...] = ()
    local_from: int = 1
    image: bool = True
    whole: bool = False
    short_side: int | None = None
    aspect_cell: int | None = None
    cut_to: int | None = None

    def size_of(self, pixels: Pixels) -> tuple[int, int]:
        """(height, width) that an image is resized to."""
        side, cell = self.image_size, self.aspect_cell
        height, width = pixels.shape[:2]
        if self.cut_to is not None:
            shorter = min(height, width)
            return int(side * height / shorter), int(side * width / shorter)
        if cell is None:
            return side, side
        root = min(max(width / height, 1 / MOST_ASPECT), MOST_ASPECT) ** 0.5
        height, width = (max(1, round(length / cell)) * cell for length in (side / root, side * root))
        return height, width

    @property
    def of_stem(self) -> bool:
        """Whether it wants taps of the stem alone, so that no token need be made."""
        return not (self.image or self.local_taps) and all(isinstance(tap, str) for tap in self.taps)

    def view(self, pixels: Pixels) -> Pixels:
        """An image as the method takes it: whole, or resized."""
        if self.whole:
            return pixels
        view = resized(pixels, self.size_of(pixels), self.interpolation)
        if self.cut_to is None:
            return view
        rows, columns = (max(1, length // self.cut_to) * self.cut_to for length in view.shape[:2])
        return np.ascontiguousarray(view[:rows, :columns])

    @property
    def preprocess_key(self) -> tuple[object, ...]:
        """What two requests must agree on to share one pass. A local stream must begin at the same block."""
        local_from = self.local_from if self.local_taps else None
        size = self.image_size, self.short_side, self.aspect_cell, self.cut_to
        return size, self.interpolation, self.position, local_from, self.whole

    def joined(self, other: FeatureRequest) -> FeatureRequest:
        """One request for the features of both, which must agree on `preprocess_key`."""
        return replace(
            self,
            taps=tuple(dict.fromkeys((*self.taps, *other.taps))),
            local_taps=tuple(dict.fromkeys((*self.local_taps, *other.local_taps))),
            image=self.image or other.image,
        )
