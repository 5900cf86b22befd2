"""DINOv2 as a vision tower: a ViT with LayerScale and, in later models, registers. It has no text.

Oquab et al., arXiv 2304.07193; registers: Darcet et al., ICLR 2024, arXiv 2309.16588.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from oddlens.backbone.layers import Block, Nonlinearity, blocks_of
from oddlens.backbone.options import Capabilities, PositionResize, Tap
from oddlens.backbone.positions import resized_positions
from oddlens.backbone.tower import StemOutput, VisionFeatures, VisionTower, last_block


@dataclass(frozen=True)
class Dinov2Config:
    """The shape of a DINOv2.

    Attributes:
        image_size: Pixels a side that it was trained at.
        patch_size: Pixels a side of a patch.
        width: Channels of a token.
        layers: Blocks.
        heads: Attention heads.
        mlp_width: Channels that the nonlinearity gives; "swiglu" makes them of twice as many.
        registers: Tokens without a place in the image, between class token and patches.
        activation: Of the feed-forward parts.
        position: How the model's own code resizes position embeddings.
        eps: Of the LayerNorms.
    """

    image_size: int
    patch_size: int
    width: int
    layers: int
    heads: int
    mlp_width: int
    registers: int = 0
    activation: Nonlinearity = "gelu"
    position: PositionResize = "bicubic_plain"
    eps: float = 1e-6

    @property
    def grid(self) -> int:
        """Patches along one side at the native image size."""
        return self.image_size // self.patch_size

    @property
    def authors_position(self) -> PositionResize:
        """How facebookresearch's own program resizes position embeddings; `position` is as transformers does it."""
        return "bicubic" if self.registers else "bicubic_offset"

    @property
    def embed_dim(self) -> int:
        """0: there is no joint space with text."""
        return 0


class ScaledBlock(Block):
    """A block with LayerScale: what attention and feed-forward add is first multiplied by a vector over the channels."""

    def __init__(self, width: int, heads: int, mlp_width: int, activation: Nonlinearity, eps: float) -> None:
        super().__init__(width, heads, mlp_width, activation, eps)
        self.scale_1 = nn.Parameter(torch.zeros(width))
        self.scale_2 = nn.Parameter(torch.zeros(width))

    def join_heads(self, mixed: Tensor) -> Tensor:
        """As `Block.join_heads`, scaled."""
        return _scaled(super().join_heads(mixed), self.scale_1)

    def transform(self, x: Tensor) -> Tensor:
        """As `Block.transform`, scaled."""
        return _scaled(super().transform(x), self.scale_2)


class Dinov2Tower(VisionTower):
    """DINOv2's tower. A token sequence is the class token, the registers, then the patches.

    It has no joint space and so embeds no windows. It has no local (V-V) stream, which serves to compare patches with text.
    """

    kind = "DINOv2"
    capabilities = Capabilities(patches=True)
    config: Dinov2Config

    def __init__(self, config: Dinov2Config) -> None:
        super().__init__()
        self.config = config
        self.prefix = 1 + config.registers
        self.patches = nn.Conv2d(3, config.width, config.patch_size, config.patch_size)
        self.class_embedding = nn.Parameter(torch.zeros(config.width))
        self.register_tokens = nn.Parameter(torch.zeros(config.registers, config.width)) if config.registers else None
        self.position_embedding = nn.Parameter(torch.zeros(1 + config.grid**2, config.width))
        self.blocks = nn.ModuleList(
            ScaledBlock(config.width, config.heads, config.mlp_width, config.activation, config.eps)
            for _ in range(config.layers)
        )
        self.ln_post = nn.LayerNorm(config.width, config.eps)

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """Class token and final LayerNorm."""
        return self.class_embedding, self.ln_post.weight

    @property
    def own_position(self) -> PositionResize:
        """As its configuration says."""
        return self.config.position

    def embed(self, pixels: Tensor, position: PositionResize | None = None) -> StemOutput:
        """The state before the first block (transformers' hidden state 0); position: None is as `Dinov2Config.position` says.

        Registers have no positions.
        """
        self._check_pixels(pixels)
        maps = self.patches(pixels)
        grid = (int(maps.shape[-2]), int(maps.shape[-1]))
        own, places = self.position_embedding[:1], self.position_embedding[1:]
        places = resized_positions(places, self.config.grid, grid, position or self.own_position)
        prefix = self.class_embedding + own
        if self.register_tokens is not None:
            prefix = torch.cat([prefix, self.register_tokens])
        patches = maps.flatten(2).transpose(1, 2) + places
        return StemOutput(torch.cat([prefix.expand(maps.shape[0], -1, -1), patches], dim=1), grid)

    def run_blocks(
        self,
        embedded: StemOutput,
        taps: Sequence[Tap] = (),
        local_taps: Sequence[int] = (),
        local_from: int = 1,
        *,
        image: bool = True,
    ) -> VisionFeatures:
        """The last block runs for the class token only, unless its output is tapped."""
        depth = self.config.layers
        self._check_taps(taps, local_taps, local_from)
        last = last_block(taps, (), depth, image)
        tapped: dict[Tap, Tensor] = {}
        x = embedded.tokens
        for number, block in enumerate(blocks_of(self.blocks), start=1):
            if number > last:
                break
            x = block.forward_first_row(x) if number == depth and depth not in taps else block(x)
            if number in taps:
                tapped[number] = x
        return VisionFeatures(tapped, embedded.grid, self.prefix, x[:, 0] if image else None)

    def normed(self, tokens: Tensor) -> Tensor:
        """The final LayerNorm."""
        normed: Tensor = self.ln_post(tokens)
        return normed


def _scaled(x: Tensor, scale: Tensor) -> Tensor:
    """Scale x, in place where no gradient is wanted: x is fresh from a linear layer."""
    return x * scale if x.requires_grad or scale.requires_grad else x.mul_(scale)
