"""The transformer block that every tower is made of: pre-LN attention and feed-forward, with an optional V-V read-out."""

from __future__ import annotations

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
        projected: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
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
        """The ordinary block for the first token (CLS) only. The others serve as keys and values.

        Args:
            x: [batch, tokens, width].
            packed: `project_qkv(x)`, where the caller has it already.

        Returns:
            [batch, 1, width].
        """
        if packed is None:
            width = x.shape[-1]
            u = self.ln_1(x)
            query = F.linear(u[:, 0], self.qkv.weight[:width], self.qkv.bias[:width])
            key_value = F.linear(u, self.qkv.weight[width:], self.qkv.bias[width:])
            batch, tokens, _ = x.shape
            k, v = key_value.view(batch, tokens, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
            q = query.view(batch, self.heads, 1, -1)
        else:
            q, k, v = self.split_heads(packed)
            q = q[:, :, :1]
        return self.feed_forward(x[:, :1] + self.attend(q, k, v))
