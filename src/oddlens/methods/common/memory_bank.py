"""Memory bank: the features of good examples, and how far a query is from the nearest of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

_CHUNK_ELEMENTS = 1 << 24
"""Similarities held at once (64 MB of float32)."""


class MemoryBank:
    """Features of reference images by name, each [images, rows, channels]; float32 or float16, scaled to unit length on entry."""

    def __init__(self, features: Mapping[str, Tensor]) -> None:
        self._features = {name: F.normalize(value.float(), dim=-1).to(value.dtype) for name, value in features.items()}
        self._first: int | None = None

    def leaving_out_from(self, first: int) -> MemoryBank:
        """The same features, in the same memory, for queries that are reference images themselves.

        first: the number of the reference that is the first query; the others follow. Each is compared with all images but itself.
        """
        other = object.__new__(MemoryBank)
        other._features, other._first = self._features, first
        return other

    def distance(self, name: str, queries: Tensor) -> Tensor:
        """1 - the cosine to the nearest row, exactly: queries [batch, rows, channels] -> float32 [batch, rows] in [0, 2].

        Computed in chunks of at most 16 million similarities; memory O(chunk), time O(queries * rows * channels).
        """
        known = self._features[name].float()
        flat = F.normalize(queries.flatten(0, -2).float(), dim=-1)
        images, rows = known.shape[:2]
        step = max(1, _CHUNK_ELEMENTS // (images * rows))
        chunks = []
        for start in range(0, len(flat), step):
            similar = flat[start : start + step] @ known.flatten(0, 1).T
            if self._first is not None:
                asking = torch.arange(start, start + len(similar), device=similar.device) // queries.shape[1]
                own = (self._first + asking).view(-1, 1, 1).expand(-1, 1, rows)
                similar.view(-1, images, rows).scatter_(1, own, -torch.inf)
            chunks.append(similar.amax(dim=1))
        return (
            (1 - torch.cat(chunks)).clamp(min=0).view(queries.shape[:-1])
        )  # rounding can make a perfect match negative
