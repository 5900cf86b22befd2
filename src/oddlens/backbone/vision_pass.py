"""One pass of a batch through the vision tower, shared by all methods that want the same size and preprocessing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.tower import StemOutput, VisionFeatures, VisionTower
from oddlens.io.pixels import Pixels


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
        """The images normalised, which have one size: float32 [batch, 3, height, width]."""
        if self._given is not None:
            return self._given
        with self._timed():
            height, width = self.images[0].shape[:2]
            return self._backbone.to_pixels(self.images, (height, width), self._request.interpolation)

    @cached_property
    def features(self) -> VisionFeatures:
        """The requested features."""
        request = self._request
        if request.of_stem:
            pixels = self.pixels
            with self._timed():
                return self.vision.run_stem(pixels, request.taps)
        embedded = self._embedded
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
