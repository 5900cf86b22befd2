"""CLIP's text tower: token ids, or token embeddings with deep prompts, to the joint space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from oddlens.backbone.layers import Block, Nonlinearity, blocks_of
from oddlens.backbone.options import Activation, Capabilities


@dataclass(frozen=True)
class TextConfig:
    """The shape of a text tower.

    Attributes:
        context: The longest sequence in tokens, SOT and EOT included.
        vocabulary: Token ids.
        width: Channels of a token.
        layers: Blocks.
        heads: Attention heads.
        mlp_width: Channels between the two layers of a feed-forward part.
        embed_dim: The joint width with images.
        activation: Of the feed-forward parts.
        eps: Of the LayerNorms.
    """

    context: int
    vocabulary: int
    width: int
    layers: int
    heads: int
    mlp_width: int
    embed_dim: int
    activation: Nonlinearity
    eps: float = 1e-5


class TextTower(nn.Module):
    """CLIP's causal text tower, read out at the end-of-text token.

    The tower is causal, so tokens behind the last EOT of a batch cannot change anything: callers pass sequences cut there.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(text=True, learned_prompts=True)

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        # Zeros, as a random start would load a compiler on the meta device: a second of every start.
        self.token_embedding = nn.Embedding(
            config.vocabulary, config.width, _weight=torch.zeros(config.vocabulary, config.width)
        )
        self.position_embedding = nn.Parameter(torch.zeros(config.context, config.width))
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.mlp_width, config.activation, config.eps)
            for _ in range(config.layers)
        )
        self.ln_final = nn.LayerNorm(config.width, config.eps)
        self.projection = nn.Linear(config.width, config.embed_dim, bias=False)

    @property
    def gelu(self) -> Nonlinearity | None:
        """As `VisionTower.gelu`."""
        return self.config.activation

    def set_gelu(self, activation: Activation) -> None:
        """Compute another GELU from now on."""
        self.config = replace(self.config, activation=activation)
        for block in blocks_of(self.blocks):
            block.activation = activation

    def forward(self, ids: Tensor, ends: Tensor) -> Tensor:
        """Embed prompts.

        Args:
            ids: int64 [prompts, tokens].
            ends: int64 [prompts], the position of each EOT.

        Returns:
            [prompts, embed_dim], not normalised.
        """
        return self.encode_embeddings(self.token_embedding(ids), ends)

    def encode_embeddings(self, embeddings: Tensor, ends: Tensor, deep_prompts: Sequence[Tensor] = ()) -> Tensor:
        """As `forward`, from token embeddings.

        Args:
            embeddings: [prompts, tokens, width], without positions.
            ends: int64 [prompts], the position of each EOT.
            deep_prompts: Tokens that overwrite those behind SOT, [prompts, tokens, width], or [tokens, width] for all prompts: the
                first before the second block, the second before the third, and so on. Source: AnomalyCLIP, section 3.2, and its
                released code.

        Returns:
            [prompts, embed_dim], not normalised.
        """
        x = embeddings + self.position_embedding[: embeddings.shape[1]]
        for number, block in enumerate(self.blocks):
            if 0 < number <= len(deep_prompts):
                inserted = deep_prompts[number - 1].expand(x.shape[0], -1, -1)
                x = torch.cat([x[:, :1], inserted, x[:, 1 + inserted.shape[1] :]], dim=1)
            x = block(x, causal=True)
        at_end = x[torch.arange(x.shape[0], device=x.device), ends]
        features: Tensor = self.projection(self.ln_final(at_end))
        return features
