"""Observations of good images that were never seen: scores and embeddings of the caller's making."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oddlens.calibration.observation import Kind, Look, Observation, Observations


def observed(
    scores: Sequence[float],
    embeddings: NDArray[np.floating] | None = None,
    sizes: Sequence[tuple[int, int]] | None = None,
    looks: Sequence[Look] | None = None,
    seed: int = 0,
    kind: Kind = "split",
) -> Observations:
    """One image for each score, called 000.png and so on; the embeddings are random, of 8 channels, where none are given."""
    count = len(scores)
    rows = np.random.default_rng(seed).normal(size=(count, 8)) if embeddings is None else embeddings
    images = [
        Observation(
            source=f"good/{number:03d}.png",
            digest=f"{number:064x}",
            size=(64, 48) if sizes is None else sizes[number],
            score=score,
            peak=2 * score,
            usual=score / 2,
            embedding=np.asarray(rows[number], np.float32),
            look=None if looks is None else looks[number],
        )
        for number, score in enumerate(scores)
    ]
    return Observations(kind, tuple(images))
