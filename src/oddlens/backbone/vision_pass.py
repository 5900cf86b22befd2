"""One pass of a batch through the vision tower, shared by all methods that want the same size and preprocessing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.options import Interpolation, PositionResize, Tap
from oddlens.backbone.tower import StemOutput, VisionFeatures, VisionTower
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


class VisionPass:
    """A batch of images and its features, each computed once, at its first use.

    Attributes:
        images: uint8 [height, width, 3] each, as `FeatureRequest.view` gives them.
        sizes: (width, height) of the images themselves; () where they are not known or the views are parts of images.
        seconds: What the features that were computed so far have cost.
    """

    def __init__(
        self,
        backbone: Backbone,
        images: Sequence[Pixels],
        request: FeatureRequest,
        pixels: Tensor | None = None,
        sizes: Sequence[tuple[int, int]] = (),
    ) -> None:
        self.images = tuple(images)
        self.sizes = tuple(sizes)
        self.seconds = 0.0
        self._backbone = backbone
        self._request = request
        self._given = pixels
        self._windows: dict[int, Tensor] = {}

    @property
    def vision(self) -> VisionTower:
        """The tower."""
        return self._backbone.vision

    @cached_property
    def pixels(self) -> Tensor:
        """The images resized and normalised: float32 [batch, 3, height, width]."""
        if self._given is not None:
            return self._given
        with self._timed():
            request, first = self._request, self.images[0]
            size = request.size_of(first) if request.cut_to is None else request.view(first).shape[:2]
            return self._backbone.to_pixels(self.images, size, request.interpolation)

    @cached_property
    def features(self) -> VisionFeatures:
        """The requested features."""
        embedded, request = self._embedded, self._request
        with self._timed():
            return self.vision.run_blocks(
                embedded, request.taps, request.local_taps, request.local_from, image=request.image
            )

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return self.features.grid

    def windows(self, size: int) -> Tensor:
        """`VisionTower.windows`: [batch, windows, embed_dim], not normalised."""
        if size not in self._windows:
            embedded = self._embedded
            with self._timed():
                self._windows[size] = self.vision.windows(embedded, size)
        return self._windows[size]

    @cached_property
    def _embedded(self) -> StemOutput:
        pixels = self.pixels
        with self._timed():
            return self.vision.embed(pixels, self._request.position)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - started


def pass_pixels(backbone: Backbone, pixels: Tensor, request: FeatureRequest) -> VisionPass:
    """A pass over pixels that are resized and normalised already: [batch, 3, size, size]."""
    return VisionPass(backbone, (), request, pixels)
