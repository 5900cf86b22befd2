"""What turns pixels into patch tokens: CLIP's patch embedding. A stem gives a grid of tokens and, by name, its own raw features."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn


@dataclass(frozen=True)
class Stemmed:
    """What a stem gives for a batch.

    tokens: [batch, width, grid height, grid width], before class token and position embedding.
    raw: features of the stem itself by tap name, each [batch, channels, grid height, grid width].
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
