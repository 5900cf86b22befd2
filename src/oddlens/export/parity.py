"""Two detectors side by side, image by image: whether one may stand for the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from PIL import Image

from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.encoding import EncodedBatch
from oddlens.errors import ImageError
from oddlens.io.pixels import Pixels
from oddlens.io.remote import ImagePath
from oddlens.methods.scoring import Numbers

LIMIT = 1e-4
"""How far features, scores and maps of two runtimes may lie apart in float32."""

Named = tuple[str, str | ImagePath | Pixels]
"""What an image is called, and the image or its path."""

GOLDEN = ((480, 640), (640, 360), (97, 211), (300, 300), (64, 64), (1000, 700))
"""(height, width) of the generated images that every export is tried with."""


class DifferenceDocument(TypedDict):
    """A `Difference` in parity.json."""

    source: str
    scores: list[float]
    verdicts: list[str | None]
    features: float | None
    map: float
    tie: bool


class Largest(TypedDict):
    """The largest differences of all images."""

    features: float | None
    scores: float
    maps: float


class ParityDocument(TypedDict):
    """A `Parity` in parity.json."""

    largest: Largest
    verdict_flips: int
    images: list[DifferenceDocument]
    failures: list[str]


@dataclass(frozen=True)
class Difference:
    """What two detectors say of an image.

    Attributes:
        source: What the image is called.
        scores: Of both.
        verdicts: Of both; None without a threshold.
        features: The largest difference of a feature; None where they have none of the same names and shapes.
        map: The largest difference of the anomaly map.
        tie: Whether a score lies within `LIMIT` of a threshold, as that of the good image that set it: its verdict is decided by
            rounding.
    """

    source: str
    scores: tuple[float, float]
    verdicts: tuple[str | None, str | None]
    features: float | None
    map: float
    tie: bool = False

    def to_dict(self) -> DifferenceDocument:
        """As JSON values."""
        return {
            "source": self.source,
            "scores": list(self.scores),
            "verdicts": list(self.verdicts),
            "features": self.features,
            "map": self.map,
            "tie": self.tie,
        }

    @property
    def score(self) -> float:
        """The difference of the scores."""
        return abs(self.scores[0] - self.scores[1])

    @property
    def flipped(self) -> bool:
        """Whether the verdicts differ, and not for rounding alone."""
        return self.verdicts[0] != self.verdicts[1] and not self.tie


@dataclass(frozen=True)
class Parity:
    """What two detectors say of some images.

    Attributes:
        images: One entry an image.
        failures: Why images could not be compared, a sentence each.
    """

    images: tuple[Difference, ...]
    failures: tuple[str, ...] = ()

    def __add__(self, other: Parity) -> Parity:
        """Of the images of both."""
        return Parity(self.images + other.images, self.failures + other.failures)

    @property
    def flips(self) -> int:
        """Images whose verdicts differ, and not for rounding alone."""
        return sum(image.flipped for image in self.images)

    @property
    def features(self) -> float | None:
        """The largest difference of a feature; None where none was compared."""
        return max((image.features for image in self.images if image.features is not None), default=None)

    @property
    def score(self) -> float:
        """The largest difference of a score."""
        return max((image.score for image in self.images), default=0.0)

    @property
    def map(self) -> float:
        """The largest difference of a map."""
        return max((image.map for image in self.images), default=0.0)

    def within(self, limit: float = LIMIT) -> bool:
        """Whether every image was compared, all differences are at most the limit, and no verdict differs."""
        return not (self.flips or self.failures) and all(
            each <= limit for each in (self.features or 0.0, self.score, self.map)
        )

    def to_dict(self) -> ParityDocument:
        """As JSON values."""
        return {
            "largest": {"features": self.features, "scores": self.score, "maps": self.map},
            "verdict_flips": self.flips,
            "images": [image.to_dict() for image in self.images],
            "failures": list(self.failures),
        }


def compare(one: Detector, other: Detector, images: Iterable[Named], object_name: str) -> Iterator[Parity]:
    """What two detectors say of each image: one entry or one failure at a time."""
    for name, image in images:
        try:
            batches = [each.encode(image) for each in (one, other)]
            found = [each.predict(batch, object_name)[0] for each, batch in zip((one, other), batches, strict=True)]
        except ImageError as error:
            yield Parity((), (str(error),))
            continue
        difference = _difference(name, batches, found)
        if difference is None:
            yield Parity(
                (),
                (f"{name}: the maps or the features cannot be compared: their sizes differ, or they are not finite",),
            )
        else:
            yield Parity((difference,))


def _difference(name: str, batches: Sequence[EncodedBatch], found: Sequence[Detection]) -> Difference | None:
    """None where there is no difference that is a number."""
    one, other = found
    if one.anomaly_map.shape != other.anomaly_map.shape:
        return None
    features = _largest(*(batch.to_arrays().features for batch in batches))
    if features is not None and not math.isfinite(features):
        return None
    edges = [each for some in found for each in (some.thresholds.image, some.thresholds.review) if each is not None]
    return Difference(
        name,
        (one.score, other.score),
        (one.verdict, other.verdict),
        features,
        float(np.abs(one.anomaly_map - other.anomaly_map).max()),
        any(abs(some.score - edge) <= LIMIT for some in found for edge in edges),
    )


def _largest(one: Mapping[str, Numbers], other: Mapping[str, Numbers]) -> float | None:
    alike = [name for name, value in one.items() if name in other and other[name].shape == value.shape]
    differences = [float(np.abs(np.subtract(one[name].astype(np.float64), other[name])).max()) for name in alike]
    return float(np.max(differences)) if differences else None  # which is NaN where one of them is


def golden_images() -> list[Named]:
    """Generated images of several shapes, most of them not square: smooth colours, a grating and noise."""
    rng = np.random.default_rng(0)
    images: list[Named] = []
    for height, width in GOLDEN:
        coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        grating = 30 * np.sin(np.arange(width) / rng.uniform(2, 9))[None, :, None]
        noise = rng.normal(0, 8, (height, width, 3))
        pixels = np.clip(np.asarray(coarse) + grating + noise, 0, 255).astype(np.uint8)
        images.append((f"generated, {width} x {height}", pixels))
    return images
