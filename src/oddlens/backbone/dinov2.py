"""DINOv2 as a vision tower: a ViT with LayerScale and, in later models, registers. It has no text.

Oquab et al., arXiv 2304.07193; registers: Darcet et al., ICLR 2024, arXiv 2309.16588.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from oddlens.backbone.layers import Block, Nonlinearity
from oddlens.backbone.positions import PositionResize, resized_positions
from oddlens.backbone.tower import Capabilities, VisionFeatures, check_pixels, check_taps
from oddlens.backbone.vision import Embedded, Tap
from oddlens.errors import UsageError


@dataclass(frozen=True)
class Dinov2Config:
    """The shape of a DINOv2. image_size and patch_size are in pixels.

    registers: tokens without a place in the image, behind the class token. mlp_width: of the hidden layer that the activation gives
    ("swiglu" computes it from twice as many channels). position: how the model's own code resizes position embeddings.
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
    def embed_dim(self) -> int:
        """0: there is no joint space with text."""
        return 0


class ScaledBlock(Block):
    """A block with LayerScale: what attention and feed-forward add is first multiplied by a vector over the channels."""

    def __init__(self, width: int, heads: int, mlp_width: int, activation: Nonlinearity, eps: float) -> None:
        super().__init__(width, heads, mlp_width, activation, eps)
        self.scale_1 = nn.Parameter(torch.zeros(width))
        self.scale_2 = nn.Parameter(torch.zeros(width))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> Tensor:
        """As `Block.attend`, scaled."""
        return _scaled(super().attend(q, k, v, causal=causal), self.scale_1)

    def transform(self, x: Tensor) -> Tensor:
        """As `Block.transform`, scaled."""
        return _scaled(super().transform(x), self.scale_2)


class Dinov2Tower(nn.Module):
    """The tower: `embed` once, then `walk`. Every token sequence is the class token, the registers, the patches.

    It has no joint space, so it embeds no windows; the local (V-V) stream is absent, as it serves to compare patches with text.
    """

    capabilities = Capabilities()

    def __init__(self, config: Dinov2Config) -> None:
        super().__init__()
        self.config = config
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
    def prefix(self) -> int:
        """Tokens before the patches."""
        return 1 + self.config.registers

    @property
    def ends(self) -> tuple[Tensor, ...]:
        """Tensors by which the tower is known, the same in every layout."""
        return self.class_embedding, self.ln_post.weight

    def embed(self, pixels: Tensor, position: PositionResize | None = None) -> Embedded:
        """Tokens with positions for [batch, 3, height, width] normalised pixels of any size.

        A remainder smaller than a patch is left out.
        position: how position embeddings come to another grid than the native one; None: as `Dinov2Config.position` says. Registers
        have no positions. The result is the state before the first block (transformers' hidden state 0).
        """
        check_pixels(pixels, self.config.patch_size)
        maps = self.patches(pixels)
        grid = (int(maps.shape[-2]), int(maps.shape[-1]))
        own, places = self.position_embedding[:1], self.position_embedding[1:]
        places = resized_positions(places, self.config.grid, grid, position or self.config.position)
        prefix = self.class_embedding + own
        if self.register_tokens is not None:
            prefix = torch.cat([prefix, self.register_tokens])
        patches = maps.flatten(2).transpose(1, 2) + places
        return Embedded(torch.cat([prefix.expand(maps.shape[0], -1, -1), patches], dim=1), grid, {})

    def walk(
        self,
        embedded: Embedded,
        taps: Sequence[Tap] = (),
        local_taps: Sequence[int] = (),
        local_from: int = 1,
        *,
        image: bool = True,
    ) -> VisionFeatures:
        """Run the blocks and keep what is asked for, before the final LayerNorm; `normed` gives tokens after it.

        taps: blocks (1-based) whose output is kept. local_taps: refused, as there is no local stream.
        image: the class token after the last block; without it the walk ends at the last tap.
        """
        if local_taps:
            raise UsageError(
                "DINOv2 has no local (V-V) stream, as it has no text to compare patches with: give a CLIP or a SigLIP"
            )
        depth = len(self.blocks)
        check_taps(taps, depth)
        last = depth if image else max((tap for tap in taps if isinstance(tap, int)), default=0)
        kept: dict[Tap, Tensor] = {}
        x = embedded.tokens
        for number, block in enumerate(self._blocks(), start=1):
            if number > last:
                break
            x = block.forward_first_row(x) if number == depth and depth not in taps else block(x)
            if number in taps:
                kept[number] = x
        return VisionFeatures(kept, embedded.grid, self.prefix, x[:, 0] if image else None)

    def normed(self, tokens: Tensor) -> Tensor:
        """The final LayerNorm of tokens [..., width]."""
        normed: Tensor = self.ln_post(tokens)
        return normed

    def _blocks(self) -> Iterator[ScaledBlock]:
        for block in self.blocks:
            assert isinstance(block, ScaledBlock)
            yield block


class Dinov2Model(nn.Module):
    """A model that is a vision tower and nothing else."""

    text: None = None

    def __init__(self, config: Dinov2Config) -> None:
        super().__init__()
        self.vision = Dinov2Tower(config)


def empty_dinov2(config: Dinov2Config) -> Dinov2Model:
    """A model without memory behind its tensors (torch's meta device), to be filled from a checkpoint."""
    with torch.device("meta"):
        return Dinov2Model(config)


def _scaled(x: Tensor, scale: Tensor) -> Tensor:
    """Overwrites x where no gradient is wanted; it is fresh from a linear layer."""
    return x * scale if x.requires_grad or scale.requires_grad else x.mul_(scale)
