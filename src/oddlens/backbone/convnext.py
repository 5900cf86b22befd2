"""A ConvNeXt as the vision tower of a CLIP: four stages of feature maps, and a head that brings means of them into the joint space.

Source: Liu et al., CVPR 2022, arXiv 2201.03545; as open_clip trains it on timm's trunk. Mask decoders use it because a convolution
computes the same on an image of any size (FC-CLIP, arXiv 2308.02487).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from oddlens.backbone.layers import activate
from oddlens.backbone.options import Capabilities
from oddlens.backbone.pyramid import FrozenMaps
from oddlens.backbone.tower import VisionTower

_KERNEL = 7
_EXPANSION = 4


@dataclass(frozen=True)
class ConvNextConfig:
    """The shape of a ConvNeXt tower of four stages, at strides 4, 8, 16 and 32.

    Attributes:
        image_size: Pixels a side that it was trained at.
        depths: Blocks of each stage.
        widths: Channels of each stage.
        embed_dim: The joint width with the text.
        hidden_width: Of the head's hidden layer; 0 for a head that is one linear map.
        eps: Of the LayerNorms.
    """

    image_size: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    embed_dim: int
    hidden_width: int = 0
    eps: float = 1e-6

    @property
    def patch_size(self) -> int:
        """Pixels a side of a cell of the last map."""
        return 32

    @property
    def width(self) -> int:
        """Channels of the last map."""
        return self.widths[-1]

    @property
    def mlp_width(self) -> int:
        """Channels between the two layers of a feed-forward part of the last stage."""
        return _EXPANSION * self.width

    @property
    def layers(self) -> int:
        """Blocks in all."""
        return sum(self.depths)

    @property
    def activation(self) -> str:
        """Exact GELU, always."""
        return "gelu"

    @property
    def grid(self) -> int:
        """Cells along one side of the last map at the native image size."""
        return self.image_size // self.patch_size


class _Block(nn.Module):
    """Depthwise 7x7, norm and feed-forward, added with a gain to what came in: [batch, channels, rows, columns]."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, _KERNEL, padding=_KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width, eps)
        self.fc_1 = nn.Linear(width, _EXPANSION * width)
        self.fc_2 = nn.Linear(_EXPANSION * width, width)
        self.gamma = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        inner = self.fc_2(activate(self.fc_1(inner), "gelu"))
        return x + (inner * self.gamma).permute(0, 3, 1, 2)


class _Stage(nn.Module):
    """A strided convolution without overlap, then blocks. Its norm comes behind it in the first stage, before it in others."""

    def __init__(self, given: int, width: int, depth: int, eps: float, *, first: bool) -> None:
        super().__init__()
        stride = 4 if first else 2
        self.first = first
        self.norm = nn.LayerNorm(width if first else given, eps)
        self.reduce = nn.Conv2d(given, width, stride, stride)
        self.blocks = nn.Sequential(*(_Block(width, eps) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        x = self._normed(self.reduce(x)) if self.first else self.reduce(self._normed(x))
        made: Tensor = self.blocks(x)
        return made

    def _normed(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return normed


class ConvNextTower(VisionTower):
    """A `pyramid.MapTower` without patch tokens. It serves mask decoders only."""

    kind = "ConvNeXt CLIP"
    capabilities = Capabilities()
    config: ConvNextConfig
    prefix = 0
    strides = (4, 8, 16, 32)

    def __init__(self, config: ConvNextConfig) -> None:
        super().__init__()
        self.config = config
        given = (3, *config.widths)
        self.stages = nn.ModuleList(
            _Stage(given[number], width, depth, config.eps, first=number == 0)
            for number, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True))
        )
        self.norm = nn.LayerNorm(config.width, config.eps)
        self.hidden = nn.Linear(config.width, config.hidden_width) if config.hidden_width else None
        self.projection = nn.Linear(config.hidden_width or config.width, config.embed_dim, bias=False)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the maps."""
        return self.config.widths

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """Last norm and projection."""
        return self.norm.weight, self.projection.weight

    def feature_maps(self, pixels: Tensor, *, dense: bool = True) -> FrozenMaps:
        """The maps of normalised pixels [batch, 3, height, width], sides multiples of 32; `dense` is the last of them."""
        x = pixels.contiguous(memory_format=torch.channels_last)  # norms and feed-forwards then need no copies
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return FrozenMaps(tuple(maps), x if dense else None)

    def embed_pooled(self, pooled: Tensor) -> Tensor:
        """Bring means over the last map, of an image or of a mask, into the joint space: [..., width] -> [..., embed_dim]."""
        x = self.norm(pooled)
        if self.hidden is not None:
            x = activate(self.hidden(x), "gelu")
        projected: Tensor = self.projection(x)
        return projected
