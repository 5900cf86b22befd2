"""Adapting to an image: a residual adapter, trained for a few steps on that image's own tokens alone.

AnoVL, arXiv 2308.15939, as its released code has it. CLIP takes no part: tokens come in, adapted tokens go out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Margins = Callable[[Tensor], Tensor]
"""Tokens [images, tokens, embed_dim] -> the log-odds of "abnormal" at places, [images, places]."""


class Start(NamedTuple):
    """What every adapter begins with: weight [outputs, embed_dim] and bias [outputs]."""

    weight: Tensor
    bias: Tensor


@lru_cache(maxsize=4)
def draw_start(outputs: int, inputs: int, seed: int) -> Start:
    """A linear layer as torch makes one, of the seed alone: uniform within 1 / sqrt(inputs). On the CPU; not to be written to."""
    generator = torch.Generator().manual_seed(seed)
    weight, bias = (torch.rand(shape, generator=generator) for shape in ((outputs, inputs), (outputs,)))
    bound: float = inputs**-0.5
    return Start((2 * weight - 1) * bound, (2 * bias - 1) * bound)


@lru_cache(maxsize=4)
def draw_noise(shape: tuple[int, int, int], scale: float, seed: int) -> Tensor:
    """Gaussian noise [steps, tokens, channels] of the seed alone. On the CPU; not to be written to."""
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Adapter:
    """Adapters, one an image, and the AdamW that trains them side by side.

    f(t) = (1 - ratio) t + ratio A(t / |t|); A(x) = tanh(x W^T + b) E with `sentences` E [outputs, embed_dim] ("text adapter"), or
    A(x) = x W^T + b without ("adapter"; outputs = embed_dim). W [images, outputs, embed_dim] and b are learned.
    """

    @torch.inference_mode(False)
    def __init__(
        self, start: Start, images: int, sentences: Tensor | None, *, ratio: float, learning_rate: float
    ) -> None:
        self._start = start
        self._sentences = None if sentences is None else sentences.clone()  # gradients pass no inference tensor
        self._ratio = ratio
        self.weight = start.weight.expand(images, -1, -1).clone().requires_grad_()
        self.bias = start.bias.expand(images, -1).clone().requires_grad_()
        self._optimiser = torch.optim.AdamW(
            [self.weight, self.bias], learning_rate, betas=(0.9, 0.999), weight_decay=0.01, fused=True
        )

    def __call__(self, tokens: Tensor) -> Tensor:
        """Adapted tokens: [images, tokens, embed_dim] -> the same."""
        inner = torch.baddbmm(self.bias[:, None], F.normalize(tokens, dim=-1), self.weight.mT)
        if self._sentences is None:
            return torch.lerp(tokens, inner, self._ratio)
        mixed = torch.addmm(
            tokens.flatten(0, 1), inner.tanh().flatten(0, 1), self._sentences, beta=1 - self._ratio, alpha=self._ratio
        )
        return mixed.view_as(tokens)

    @torch.inference_mode(False)
    @torch.enable_grad()
    def adapt(self, tokens: Tensor, noise: Tensor, margins: Margins, hard_weight: float) -> Tensor:
        """Train on tokens [images, tokens, embed_dim], one step for each of noise [steps, tokens, embed_dim].

        The adapters start over with every call; the optimiser's moments and count of steps go on from the call before. Returns the
        losses, [steps, images].
        """
        with torch.no_grad():
            self.weight.copy_(self._start.weight)
            self.bias.copy_(self._start.bias)
        images, count, width = tokens.shape
        tokens = tokens.clone()
        losses = []
        for corruption in noise.clone():
            both = self(torch.cat([tokens, tokens + corruption], dim=1))
            real, noisy = margins(both.view(2 * images, count, width)).view(images, 2, -1).unbind(dim=1)
            loss = adaptation_loss(real, noisy, hard_weight)
            self._optimiser.zero_grad()
            loss.sum().backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            losses.append(loss.detach())
        return torch.stack(losses)


def log_odds(tokens: Tensor, prototypes: Tensor, temperature: float) -> Tensor:
    """Of "abnormal" against "normal" in a softmax of two cosines / temperature: tokens [..., embed_dim] of any length -> [...]."""
    normal, abnormal = prototypes.clone()  # gradients pass no inference tensor
    scale = torch.linalg.vecdot(tokens, tokens).rsqrt() / temperature  # sooner than a norm, above all backwards
    odds: Tensor = tokens @ (abnormal - normal) * scale
    return odds


def adaptation_loss(real: Tensor, noisy: Tensor, hard_weight: float) -> Tensor:
    """The loss of each image, [images], of log-odds [images, places] of the real and of the corrupted tokens.

    The entropy of the real ones, and `hard_weight` times the cross-entropy that calls every real one normal and every corrupted one
    abnormal; means over places. There is no threshold and no choice of tokens (released code).
    """
    entropy = F.softplus(real) - real * real.sigmoid()
    hard = F.softplus(real) + F.softplus(-noisy)
    return (entropy + hard_weight * hard).mean(dim=1)
