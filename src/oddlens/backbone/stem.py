"""CLIP's patch embedding. A stem turns pixels into a grid of patch tokens; some stems also give raw features by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from torch import Tensor, nn

from oddlens.backbone.options import Tap


@dataclass(frozen=True)
class Stemmed:
    """What a stem gives for a batch.

    Attributes:
        tokens: [batch, width, rows, columns], before class token and position embedding.
        raw: Features of the stem itself by name, [batch, channels, rows, columns] each: what its raw taps are made of.
    """

    tokens: Tensor
    raw: dict[str, Tensor] = field(default_factory=dict)


class Stem(nn.Module):
    """What every stem is. `forward` takes normalised pixels [batch, 3, height, width] and returns a `Stemmed`.

    Attributes:
        raw_taps: Its taps by name: the pixels a side of their cells.
    """

    raw_taps: Mapping[str, int] = MappingProxyType({})

    def load_taps(self, taps: Iterable[Tap]) -> None:
        """Load what these taps need beside what every pass computes."""

    def tap(self, name: str, raw: Mapping[str, Tensor]) -> Tensor:
        """A tap, of the raw features that `forward` gave: [batch, channels, rows, columns]."""
        return raw[name]


class PatchStem(Stem):
    """CLIP's own stem: one convolution with stride = kernel = patch size, no bias, no raw taps."""

    def __init__(self, width: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.conv = nn.Conv2d(3, width, patch_size, patch_size, bias=False)

    def forward(self, pixels: Tensor) -> Stemmed:
        """[batch, 3, height, width] normalised pixels -> tokens; a remainder smaller than a patch is left out."""
        return Stemmed(self.conv(pixels))
