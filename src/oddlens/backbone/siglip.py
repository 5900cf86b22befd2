"""SigLIP and SigLIP 2 (of a fixed resolution): a ViT that pools its patches by attention, and a text tower without a causal mask.

Zhai et al., ICCV 2023, arXiv 2303.15343; Tschannen et al., arXiv 2502.14786. Both have one architecture; their tokenizers differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oddlens.backbone.layers import Block, Nonlinearity, blocks_of
from oddlens.backbone.options import Capabilities, PositionResize, Tap
from oddlens.backbone.positions import resized_positions
from oddlens.backbone.text import TextConfig, TextTower
from oddlens.backbone.tower import WINDOW_BYTES, StemOutput, VisionFeatures, VisionTower, last_block, window_index
from oddlens.errors import UsageError


@dataclass(frozen=True)
class SiglipConfig:
    """The shape of a SigLIP vision tower. The joint space is as wide as the tower.

    Attributes:
        image_size: Pixels a side that it was trained at.
        patch_size: Pixels a side of a patch.
        width: Channels of a token.
        layers: Blocks.
        heads: Attention heads.
        mlp_width: Channels between the two layers of a feed-forward part.
        activation: Of the feed-forward parts.
        eps: Of the LayerNorms.
    """

    image_size: int
    patch_size: int
    width: int
    layers: int
    heads: int
    mlp_width: int
    activation: Nonlinearity = "gelu_tanh"
    eps: float = 1e-6

    @property
    def grid(self) -> int:
        """Patches along one side at the native image size."""
        return self.image_size // self.patch_size

    @property
    def embed_dim(self) -> int:
        """The joint width with the text."""
        return self.width


@dataclass(frozen=True)
class SiglipTextConfig(TextConfig):
    """The shape of a SigLIP text tower.

    Attributes:
        pad: The token that fills every prompt up to the context.
    """

    pad: int = 1


class PoolingHead(Block):
    """The head that pools any number of patch tokens into one embedding: attention of a learned query, then a feed-forward part.

    It is a block whose query is a parameter and whose attention has no residual; its `ln_1` is the tower's final LayerNorm.
    """

    def __init__(self, width: int, heads: int, mlp_width: int, activation: Nonlinearity, eps: float) -> None:
        super().__init__(width, heads, mlp_width, activation, eps)
        self.probe = nn.Parameter(torch.zeros(width))

    def pool(self, x: Tensor) -> Tensor:
        """[batch, tokens, width] of the residual stream -> [batch, width] in the joint space."""
        return self.feed_forward(self.attend_once(self.probe.unsqueeze(0), self.ln_1(x)))[:, 0]

    def each(self, x: Tensor, *, norm: bool = True) -> Tensor:
        """What `pool` makes of every token alone: [..., width] -> [..., width]. Attention to one token is its value."""
        width = x.shape[-1]
        value = F.linear(self.ln_1(x) if norm else x, self.qkv.weight[2 * width :], self.qkv.bias[2 * width :])
        return self.feed_forward(self.out(value))


class SiglipTower(VisionTower):
    """SigLIP's vision tower. Every token is a patch; there is no class token."""

    kind = "SigLIP"
    capabilities = Capabilities(patches=True, local=True, joint=True, windows=True)
    config: SiglipConfig
    prefix = 0

    def __init__(self, config: SiglipConfig) -> None:
        super().__init__()
        self.config = config
        shape = config.width, config.heads, config.mlp_width, config.activation, config.eps
        self.patches = nn.Conv2d(3, config.width, config.patch_size, config.patch_size)
        self.position_embedding = nn.Parameter(torch.zeros(config.grid**2, config.width))
        self.blocks = nn.ModuleList(Block(*shape) for _ in range(config.layers))
        self.head = PoolingHead(*shape)

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """Positions and the head's query."""
        return self.position_embedding, self.head.probe

    @property
    def own_position(self) -> PositionResize:
        """As in transformers."""
        return "bicubic_plain"

    def embed(self, pixels: Tensor, position: PositionResize | None = None) -> StemOutput:
        """Patches with positions; position: None is "bicubic_plain", as in transformers."""
        self._check_pixels(pixels)
        maps = self.patches(pixels)
        grid = (int(maps.shape[-2]), int(maps.shape[-1]))
        places = resized_positions(self.position_embedding, self.config.grid, grid, position or self.own_position)
        return StemOutput(maps.flatten(2).transpose(1, 2) + places, grid)

    def run_blocks(
        self,
        embedded: StemOutput,
        taps: Sequence[Tap] = (),
        local_taps: Sequence[int] = (),
        local_from: int = 1,
        *,
        image: bool = True,
    ) -> VisionFeatures:
        """The image is what the head pools from the last block."""
        self._check_taps(taps, local_taps, local_from)
        last, last_local = last_block(taps, local_taps, self.config.layers, image), max(local_taps, default=0)
        tapped: dict[Tap, Tensor] = {}
        local_tapped: dict[int, Tensor] = {}
        x = local = embedded.tokens
        for number, block in enumerate(blocks_of(self.blocks), start=1):
            if number > last:
                break
            if local_from <= number <= last_local:
                x, local = block.forward_with_local(x, local)
            else:
                x = local = block(x)
            if number in taps:
                tapped[number] = x
            if number in local_taps:
                local_tapped[number] = local
        return VisionFeatures(tapped, embedded.grid, self.prefix, self.head.pool(x) if image else None, local_tapped)

    def normed(self, tokens: Tensor) -> Tensor:
        """The final LayerNorm."""
        normed: Tensor = self.head.ln_1(tokens)
        return normed

    def embed_image(self, image: Tensor) -> Tensor:
        """The image itself: what the head pools lies in the joint space already."""
        return image

    def project(self, x: Tensor, *, norm: bool = True) -> Tensor:
        """What the head makes of every token alone."""
        return self.head.each(x, norm=norm)

    def windows(self, embedded: StemOutput, size: int, most_bytes: int = WINDOW_BYTES) -> Tensor:
        """The head pools the patches of each window; windows of all images run together."""
        index = window_index(embedded.grid, size).to(embedded.tokens.device)
        step = index.shape[0]
        if not torch.compiler.is_exporting():
            widest = max(3 * self.config.width, self.config.mlp_width)
            step = max(1, most_bytes // (4 * widest * index.shape[1] * embedded.tokens.shape[0]))
        return torch.cat([self._embed_windows(embedded.tokens, part) for part in torch.split(index, step)], dim=1)

    def _embed_windows(self, tokens: Tensor, index: Tensor) -> Tensor:
        x = tokens[:, index].flatten(0, 1)
        for block in blocks_of(self.blocks):
            x = block(x)
        return self.head.pool(x).view(-1, index.shape[0], self.config.embed_dim)


class SiglipText(TextTower):
    """SigLIP's text tower: every token attends to every other, padding included, and the last place of the context is read out.

    The tower fills every prompt up to the context with the padding token, as it was trained, so callers may cut prompts behind EOT.
    """

    capabilities = Capabilities(text=True)
    config: SiglipTextConfig

    def __init__(self, config: SiglipTextConfig) -> None:
        super().__init__(config)
        self.projection = nn.Linear(config.width, config.embed_dim)

    @property
    def gelu(self) -> None:
        """There is one variant."""
        return None

    def forward(self, ids: Tensor, ends: Tensor) -> Tensor:
        """As `TextTower.forward`. Ids behind the end of a prompt are ignored."""
        tokens = ids.shape[1]
        behind = torch.arange(tokens, device=ids.device) > ends[:, None]
        full = F.pad(ids.masked_fill(behind, self.config.pad), (0, self.config.context - tokens), value=self.config.pad)
        x = self.token_embedding(full) + self.position_embedding
        for block in self.blocks:
            x = block(x)
        features: Tensor = self.projection(self.ln_final(x[:, -1]))
        return features

    def encode_embeddings(self, embeddings: Tensor, ends: Tensor, deep_prompts: Sequence[Tensor] = ()) -> Tensor:
        """Refused: learned prompts (AnomalyCLIP) stand behind a start token, which SigLIP does not have."""
        raise UsageError("SigLIP's text tower takes words, not learned prompts: give a CLIP")
