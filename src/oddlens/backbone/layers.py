"""The transformer block that every tower is made of: pre-LN attention and feed-forward, with an optional V-V read-out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oddlens.backbone.options import Activation

Nonlinearity = Activation | Literal["gelu_tanh", "swiglu"]
"""What a block can compute between its two feed-forward layers; "swiglu" halves the width."""


def activate(x: Tensor, activation: Nonlinearity) -> Tensor:
    """Apply the nonlinearity of a feed-forward part.

    x is overwritten where no gradient is wanted: fresh memory for the widest tensor of a block costs more than the arithmetic.

    Args:
        x: [..., width]; for "swiglu" [..., 2 * width].
        activation: "gelu" is exact GELU (LAION's CLIPs, DINOv2), "quick_gelu" is x * sigmoid(1.702 x) (OpenAI's CLIPs), "gelu_tanh"
            is GELU by tanh (SigLIP), "swiglu" is SiLU(first half) * second half (DINOv2 giant).

    Returns:
        [..., width].
    """
    if activation == "swiglu":
        gate, up = x.chunk(2, dim=-1)
        return F.silu(gate) * up if x.requires_grad else F.silu(gate).mul_(up)
    if activation == "quick_gelu":
        return x * torch.sigmoid(1.702 * x) if x.requires_grad else x.mul_(torch.sigmoid(1.702 * x))
    approximate = "tanh" if activation == "gelu_tanh" else "none"
    if x.requires_grad:
        return F.gelu(x, approximate=approximate)
    overwritten: Tensor = torch.ops.aten.gelu_(x, approximate=approximate)
    return overwritten


class Block(nn.Module):
    """One pre-LN transformer block. It holds weights only; all state flows through the arguments.

    Shapes: x [batch, tokens, width]; q, k, v [batch, heads, tokens, width / heads].
    """

    def __init__(self, width: int, heads: int, mlp_width: int, activation: Nonlinearity, eps: float = 1e-5) -> None:
        super().__init__()
        self.heads = heads
        self.activation: Nonlinearity = activation
        self.ln_1 = nn.LayerNorm(width, eps)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.ln_2 = nn.LayerNorm(width, eps)
        self.fc_1 = nn.Linear(width, 2 * mlp_width if activation == "swiglu" else mlp_width)
        self.fc_2 = nn.Linear(mlp_width, width)

    def project_qkv(self, x: Tensor) -> Tensor:
        """Queries, keys and values of LN1(x), still packed: [batch, tokens, 3 * width]."""
        packed: Tensor = self.qkv(self.ln_1(x))
        return packed

    def split_heads(self, packed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[batch, tokens, 3 * width] -> q, k, v, each [batch, heads, tokens, width / heads]; no copy."""
        batch, tokens, _ = packed.shape
        q, k, v = packed.view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return q, k, v

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> Tensor:
        """Softmax attention and its output projection: [batch, query tokens, width]."""
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.join_heads(mixed.transpose(1, 2).flatten(2))

    def attend_once(self, query: Tensor, u: Tensor) -> Tensor:
        """The attention of one query to tokens that no other query asks: `attend`, with neither keys nor values made.

        A head's weights of the keys are applied to its query, and those of the values to what it mixes of u, so that both see one
        row instead of every token. The bias of the keys adds the same to every similarity of a query, which softmax ignores.

        Args:
            query: [batch, width], in LN1 as u is, or [1, width] for the whole batch.
            u: LN1(x), [batch, tokens, width].

        Returns:
            [batch, 1, width].
        """
        width = u.shape[2]
        _, key, value = self.qkv.weight.view(3, self.heads, -1, width)  # [heads, width / heads, width] each
        own, _, shift = self.qkv.bias.view(3, -1)
        q = F.linear(query, self.qkv.weight[:width], own).view(-1, self.heads, key.shape[1]).transpose(0, 1)
        asked = (q @ key).transpose(0, 1).expand(u.shape[0], -1, -1)
        # One head of as many queries as there are heads: all of them ask the same tokens.
        tokens, scale = u.unsqueeze(1), key.shape[1] ** -0.5
        mixed = F.scaled_dot_product_attention(asked.unsqueeze(1), tokens, tokens, scale=scale).squeeze(1)
        joined = (mixed.transpose(0, 1) @ value.transpose(1, 2)).transpose(0, 1).flatten(1) + shift
        return self.join_heads(joined.unsqueeze(1))

    def join_heads(self, mixed: Tensor) -> Tensor:
        """The output projection of attention: what the heads mixed, side by side, [..., width] -> [..., width]."""
        projected: Tensor = self.out(mixed)
        return projected

    def feed_forward(self, x: Tensor) -> Tensor:
        """Add the feed-forward part of LN2(x) to x, in place where no gradient is wanted: callers pass a tensor of their own."""
        added = self.transform(self.ln_2(x))
        return x + added if added.requires_grad else x.add_(added)

    def transform(self, x: Tensor) -> Tensor:
        """The feed-forward layers alone: [..., width] -> [..., width]."""
        transformed: Tensor = self.fc_2(activate(self.fc_1(x), self.activation))
        return transformed

    def forward(self, x: Tensor, *, causal: bool = False) -> Tensor:
        """The ordinary block."""
        return self.feed_forward(x + self.attend(*self.split_heads(self.project_qkv(x)), causal=causal))

    def forward_with_local(self, x: Tensor, local: Tensor) -> tuple[Tensor, Tensor]:
        """The ordinary block, and one step of the local stream.

        The local stream adds attention of the values with themselves, softmax(V V^T / sqrt d) V, computed from the ordinary
        stream's LN1(x), and has no feed-forward. Source: AnomalyCLIP's DPAM and AnoVL's V-V path, which are one mechanism.

        Returns:
            The ordinary stream and the local stream, [batch, tokens, width] each.
        """
        q, k, v = self.split_heads(self.project_qkv(x))
        local = local + self.attend(v, v, v)
        return self.feed_forward(x + self.attend(q, k, v)), local

    def forward_first_row(self, x: Tensor, packed: Tensor | None = None) -> Tensor:
        """The ordinary block for the first token (CLS) only. The others are only attended to.

        Args:
            x: [batch, tokens, width].
            packed: `project_qkv(x)`, where the caller has it already.

        Returns:
            [batch, 1, width].
        """
        if packed is None:
            u = self.ln_1(x)
            return self.feed_forward(x[:, :1] + self.attend_once(u[:, 0], u))
        q, k, v = self.split_heads(packed)
        return self.feed_forward(x[:, :1] + self.attend(q[:, :, :1], k, v))


def blocks_of(listed: nn.ModuleList) -> Iterator[Block]:
    """The blocks of a tower: to torch they are modules of any kind."""
    for block in listed:
        assert isinstance(block, Block)
        yield block
