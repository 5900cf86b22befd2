"""What is kept of a good image: all that tells whether it is like the others, and what it calibrates."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.errors import ImageError, printable
from oddlens.io.pixels import Pixels

NOT_FINITE = (
    "has a score or a map that is not finite, so that nothing is known of it: check the model, the weights, the references and "
    "the recipe's numbers"
)

Kind = Literal["leave-one-out", "split"]

THUMBNAIL = 168
"""Pixels of the longer side."""


class Look(NamedTuple):
    """What an image looks like, small.

    thumbnail: uint8 [height, width, 3]. brightness: the mean grey, 0 to 255. sharpness: the variance of the Laplacian of its greys.
    """

    thumbnail: Pixels
    brightness: float
    sharpness: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Observation:
    """A good image as a detector sees it.

    Attributes:
        source: What it is called.
        digest: Of its pixels, see `Picture.digest`; "" where it is not known.
        size: (width, height) in pixels.
        score: Of a reference: against the others.
        peak: The largest value of its map.
        usual: The median of its map.
        embedding: float32 [channels], what a detector calls the image as a whole.
        look: None where its pixels are not at hand.
    """

    source: str
    digest: str
    size: tuple[int, int]
    score: float
    peak: float
    usual: float
    embedding: NDArray[np.float32]
    look: Look | None = None


def short_names(sources: Iterable[str]) -> dict[str, str]:
    """A name for people for each of these images: the file's name, with as many of its folders as tell it from the others.

    Examples:
        >>> short_names(["monday/1.png", "tuesday/1.png", "tuesday/2.png"])
        {'monday/1.png': 'monday/1.png', 'tuesday/1.png': 'tuesday/1.png', 'tuesday/2.png': '2.png'}
    """
    parts = {source: PurePath(source).parts for source in sources}
    names: dict[str, str] = {}
    for depth in range(1, 1 + max(map(len, parts.values()), default=0)):
        tails = Counter(each[-depth:] for each in parts.values())
        for source, each in parts.items():
            if tails[each[-depth:]] == 1:
                names.setdefault(source, str(PurePath(*each[-depth:])))
    return {source: names.get(source, source) for source in parts}


def named(name: str, sources: Iterable[str]) -> list[str]:
    """The images that a person means by a name: by the whole path, or else by the file's name with or without folders of it."""
    known = dict.fromkeys(sources)
    if name in known:
        return [name]
    parts = PurePath(name).parts
    found = [source for source in known if parts and PurePath(source).parts[-len(parts) :] == parts]
    place = os.path.realpath(name) if "\0" not in name else name
    return found or [source for source in known if os.path.realpath(source) == place]


@dataclass(frozen=True, eq=False)
class Observations:
    """Good images as a detector sees them; a sequence.

    Attributes:
        kind: "leave-one-out": references, each held against the others; "split": images that are none.
        images: In their order.
    """

    kind: Kind
    images: tuple[Observation, ...]

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Observation]:
        return iter(self.images)

    def __getitem__(self, number: int) -> Observation:
        return self.images[number]

    def without(self, sources: Collection[str]) -> Observations:
        """Those that are not named."""
        return replace(self, images=tuple(each for each in self.images if each.source not in sources))

    @property
    def scores(self) -> list[float]:
        """In their order."""
        return [each.score for each in self.images]

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """[images, channels]; at least one image."""
        return np.stack([each.embedding for each in self.images])


def summary(source: str, score: float, anomaly_map: NDArray[np.float32], what: str) -> tuple[float, float, float]:
    """Score, peak and median of an image's map, which is all that a calibration keeps.

    what: it is, for the sentence. Raises `ImageError` where a number is not finite.
    """
    if not np.isfinite(score) or not np.isfinite(anomaly_map).all():
        raise ImageError(f"the {what} {printable(source)} {NOT_FINITE}")
    return float(score), float(anomaly_map.max()), float(np.median(anomaly_map))


def look_at(pixels: Pixels) -> Look:
    """What an image looks like. pixels: uint8 [height, width, 3]."""
    height, width = pixels.shape[:2]
    scale = min(1.0, THUMBNAIL / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    thumbnail = cv2.resize(np.asarray(pixels), size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY).astype(np.float32)
    laplacian = np.asarray(cv2.Laplacian(grey, cv2.CV_32F))
    return Look(np.asarray(thumbnail, np.uint8), float(grey.mean()), float(laplacian.var()))
