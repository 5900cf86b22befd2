"""What a model makes of crops and of words, as names of defects need it: on torch, or on the embedded model's graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from oddlens.io.pixels import Pixels

Vectors = NDArray[np.float32]


class CropsSeen(NamedTuple):
    """Images after the tower.

    embeddings: In the joint space, [images, embed_dim], unit norm; None where they were not asked for. patches: [images, rows *
    columns, channels], unit norm, of the features that serve references best. grid: (rows, columns).
    """

    embeddings: Vectors | None
    patches: Vectors
    grid: tuple[int, int]


class CropTower(Protocol):
    """The model. Several threads may use it at once."""

    scale: float
    """What likenesses of images and words are multiplied by before their softmax."""

    def words(self, prompts: Sequence[str]) -> Vectors:
        """Prompt embeddings, [prompts, embed_dim], unit norm."""

    def see(self, images: Sequence[Pixels], *, embeds: bool) -> CropsSeen:
        """Images, each squeezed into the model's square. embeds: whether their embeddings are asked for."""


def unit(vectors: Vectors) -> Vectors:
    """Vectors scaled to unit length, along the last axis."""
    scaled: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return scaled
