"""Reference memory: the features of good examples, and how far a query is from the nearest of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

_CHUNK_ELEMENTS = 1 << 24
"""Similarities held at once (64 MB of float32)."""


class Memory:
    """Features of reference images by name, each [images, rows, channels]; float32 or float16, scaled to unit length on entry."""

    def __init__(self, features: Mapping[str, Tensor]) -> None:
        self._features = {name: F.normalize(value.float(), dim=-1).to(value.dtype) for name, value in features.items()}

    def distance(self, name: str, queries: Tensor) -> Tensor:
        """1 - the cosine to the nearest row, exactly: queries [batch, rows, channels] -> float32 [batch, rows] in [0, 2].

        Computed in chunks of at most 16 million similarities; memory O(chunk), time O(queries * rows * channels).
        """
        known = self._features[name].flatten(0, 1).float()
        flat = F.normalize(queries.flatten(0, -2).float(), dim=-1)
        step = max(1, _CHUNK_ELEMENTS // len(known))
        nearest = torch.cat([(part @ known.T).amax(dim=1) for part in torch.split(flat, step)])
        return (1 - nearest).clamp(min=0).view(queries.shape[:-1])  # rounding can make a perfect match negative


def leave_one_out(features: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """The features without image `number`: every tensor loses that row of its first dimension."""
    return {name: torch.cat([value[:number], value[number + 1 :]]) for name, value in features.items()}
