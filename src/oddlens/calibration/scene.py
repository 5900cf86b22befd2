"""What the part of a station looks like, so that another part, or another view of it, is not called good or bad."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from oddlens.calibration.exchangeability import Embeddings, distances_between
from oddlens.errors import UsageError

MARGIN = 2.0
"""How many times the largest distance of a good image to its nearest one another image may be away.

Of ten generated products, with 3 to 20 good images, 0.3 % of further good images at most lie beyond it, and all but 0.2 % of the
images of other products do; so do 3 to 4 % of defective images. `benchmarks/drift.py` prints rates on real images.
"""

MARKED = 1 / 3
"""The share of what is looked at that is marked where an image is of another part. A defect, however strange, leaves most of a
part as it is.

It was added after real bottles with defects had been called another part (docs/guides/thresholds.md)."""

LEAST = 3
"""Fewer good images do not say what is usual."""

CONCERN = "this does not look like the part of this station"


def concern_of(
    unlike: bool,
    anomaly_map: NDArray[np.float32],
    pixel_threshold: float | None,
    inside: NDArray[np.bool_] | None = None,
) -> str | None:
    """What an image gives reason to say; None where it looks like the part, or too little of what is looked at is marked.

    Args:
        unlike: See `Scene.is_unlike`.
        anomaly_map: float32 [height, width].
        pixel_threshold: Without one all of the image counts as marked.
        inside: Where the map is of what is looked at, bool [height, width]; None: everywhere.
    """
    if not unlike:
        return None
    values = anomaly_map if inside is None else anomaly_map[inside]
    marked = pixel_threshold is None or np.count_nonzero(values > pixel_threshold) >= MARKED * max(1, values.size)
    return CONCERN if marked else None


@dataclass(frozen=True, eq=False)
class Scene:
    """The embeddings of good images.

    Attributes:
        references: float32 [images, channels]; without rows where the detector has none.
        calibrated: Of the calibration images, likewise.
    """

    references: Embeddings
    calibrated: Embeddings

    @classmethod
    def of(cls, references: Embeddings | None, calibrated: Embeddings | None) -> Scene:
        """By the embeddings of references and calibration images; None where there are none."""
        known, other = references, calibrated
        channels = next((each.shape[1] for each in (known, other) if each is not None), 0)
        empty = np.zeros((0, channels), np.float32)
        return cls(empty if known is None else known, empty if other is None else other)

    @cached_property
    def embeddings(self) -> Embeddings:
        """All of them, [images, channels]."""
        return np.concatenate([each for each in (self.references, self.calibrated) if len(each)] or [self.references])

    @cached_property
    def limit(self) -> float | None:
        """How far from the nearest good image another one may be; None where they do not say."""
        if len(self.embeddings) < LEAST:
            return None
        distances = distances_between(self.embeddings, self.embeddings)
        np.fill_diagonal(distances, np.inf)
        return MARGIN * float(distances.min(axis=1).max()) or None  # the same image again and again says nothing

    def distance(self, embedding: NDArray[np.float32]) -> float:
        """Of an image to the nearest good one. embedding: [channels]."""
        return float(distances_between(embedding[None], self.embeddings).min())

    def is_unlike(self, embedding: NDArray[np.float32]) -> bool:
        """Whether an image as a whole is farther from the good ones than they are from each other. embedding: [channels]."""
        return self.limit is not None and self.distance(embedding) > self.limit

    def to_dict(self) -> dict[str, Embeddings]:
        """The arrays by name, which `from_dict` takes."""
        return {"references": self.references, "calibrated": self.calibrated}

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> Scene:
        """What `to_dict` gave. Raises `UsageError` for anything else."""
        found = {name: np.asarray(value) for name, value in document.items()}
        good = found.keys() == {"references", "calibrated"} and all(
            each.ndim == 2 and each.dtype == np.float32 and np.isfinite(each).all() for each in found.values()
        )
        if not good or len({each.shape[1] for each in found.values() if len(each)}) > 1:
            raise UsageError("the embeddings of its scene are damaged")
        return cls(**found)
