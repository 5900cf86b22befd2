"""CLIP's patch embedding. A stem turns pixels into a grid of patch tokens; some stems also give raw features by name."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn


@dataclass(frozen=True)
class Stemmed:
    """What a stem gives for a batch.

    Attributes:
        tokens: [batch, width, rows, columns], before class token and position embedding.
        raw: Features of the stem itself by tap name, [batch, channels, rows, columns] each.
    """

    tokens: Tensor
    raw: dict[str, Tensor] = field(default_factory=dict)


class PatchStem(nn.Module):
    """CLIP's own stem: one convolution with stride = kernel = patch size, no bias, no raw taps."""

    raw_taps: tuple[str, ...] = ()

    def __init__(self, width: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.conv = nn.Conv2d(3, width, patch_size, patch_size, bias=False)

    def forward(self, pixels: Tensor) -> Stemmed:
        """[batch, 3, height, width] normalised pixels -> tokens; a remainder smaller than a patch is left out."""
        return Stemmed(self.conv(pixels))
