"""One look of the vision tower at a batch, shared by every method that wants the same size and preprocessing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.vision import Embedded, PositionResize, Tap, VisionFeatures, VisionTower
from oddlens.pixels import Pixels


@dataclass(frozen=True)
class WalkRequest:
    """What a method wants of the tower; see `Backbone.to_pixels`, `VisionTower.embed` and `VisionTower.walk` for the fields."""

    image_size: int
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    position: PositionResize = "bicubic"
    taps: tuple[Tap, ...] = ()
    local_taps: tuple[int, ...] = ()
    local_from: int = 1

    @property
    def look(self) -> tuple[object, ...]:
        """What two requests must agree on to be met by one walk; a local stream must begin at the same block."""
        return self.image_size, self.interpolation, self.position, self.local_from if self.local_taps else None

    def joined(self, other: WalkRequest) -> WalkRequest:
        """One request that meets both; they must agree on `look`."""
        return replace(
            self,
            taps=tuple(dict.fromkeys((*self.taps, *other.taps))),
            local_taps=tuple(dict.fromkeys((*self.local_taps, *other.local_taps))),
        )


class Walk:
    """A batch after the tower. `features` holds what was asked for; windows are embedded on first request and kept."""

    def __init__(self, vision: VisionTower, embedded: Embedded, features: VisionFeatures) -> None:
        self.vision = vision
        self.features = features
        self._embedded = embedded
        self._windows: dict[int, Tensor] = {}

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return self.features.grid

    def windows(self, size: int) -> Tensor:
        """`VisionTower.windows`: [batch, windows, embed_dim], not normalised."""
        if size not in self._windows:
            self._windows[size] = self.vision.windows(self._embedded, size)
        return self._windows[size]


def take_walk(backbone: Backbone, pictures: Sequence[Pixels], request: WalkRequest) -> Walk:
    """Run the tower over pictures, uint8 [height, width, 3] each."""
    return walk_pixels(backbone, backbone.to_pixels(pictures, request.image_size, request.interpolation), request)


def walk_pixels(backbone: Backbone, pixels: Tensor, request: WalkRequest) -> Walk:
    """As `take_walk`, of normalised pixels [batch, 3, size, size]."""
    embedded = backbone.vision.embed(pixels, request.position)
    return Walk(
        backbone.vision,
        embedded,
        backbone.vision.walk(embedded, request.taps, request.local_taps, request.local_from),
    )
