"""Training images: single images, and mosaics of four, drawn beforehand, so that the whole schedule of a run is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oddlens.data.masks import check_shape, read_mask, resize_mask
from oddlens.data.record import Record
from oddlens.io.images import read_image
from oddlens.io.pixels import Pixels
from oddlens.training.samples import Sample, SampleSet

Mask = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class TrainingImage:
    """One image of a step: that of one sample, or a mosaic of four samples of one category (APRIL-GAN, released code).

    A mosaic is a grid of 2x2 images at their own size, row by row, brought to the tower's size afterwards. If images of one
    category differ in size, they are brought to that of the first (ours: the data set it was made for has one size each).
    """

    samples: tuple[Sample, ...]

    @property
    def label(self) -> int:
        """1 if any of its samples is abnormal, else 0."""
        return int(any(sample.record.label == 1 for sample in self.samples))

    @property
    def object_name(self) -> str:
        """The object on it."""
        return self.samples[0].object_name

    def read(self) -> tuple[Pixels, Mask]:
        """The image, uint8 [height, width, 3], and its mask, bool [height, width], which may have a size of its own.

        Raises:
            ImageError: The image cannot be read.
            DataError: The mask cannot be read, or does not have the shape of the image.
        """
        pairs = [_read(sample.record) for sample in self.samples]
        if len(pairs) == 1:
            return pairs[0]
        (height, width, _) = pairs[0][0].shape
        pictures = [_resized(picture, height, width) for picture, _ in pairs]
        return _tiled(pictures), _tiled([resize_mask(mask, (height, width)) for _, mask in pairs])


def single_images(samples: SampleSet) -> list[TrainingImage]:
    """An image for every sample, in their order."""
    return [TrainingImage((sample,)) for sample in samples.samples]


def epoch_images(samples: SampleSet, epoch: int, seed: int, mosaic: float) -> list[TrainingImage]:
    """The images of one epoch: one for every sample, in their order, each replaced by a mosaic with probability `mosaic`.

    The four samples of a mosaic are of the sample's category: a defect type is drawn ("good" is one of them), then an image of it.
    The draw depends on the seed, the epoch (from 0) and the sample's place only.
    """
    images = single_images(samples)
    if mosaic <= 0:
        return images
    kinds = _by_kind(samples.samples)
    for place, sample in enumerate(samples.samples):
        rng = np.random.default_rng([seed, epoch, place])
        if rng.random() < mosaic:
            images[place] = TrainingImage(tuple(_drawn(kinds[sample.record.category], rng)))
    return images


def _by_kind(samples: Sequence[Sample]) -> dict[str, list[list[Sample]]]:
    """Category -> the samples of each defect type, types in the order of their names."""
    kinds: dict[str, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        kinds[sample.record.category][sample.record.defect].append(sample)
    return {category: [found[name] for name in sorted(found)] for category, found in kinds.items()}


def _drawn(kinds: list[list[Sample]], rng: np.random.Generator) -> Iterator[Sample]:
    for _ in range(4):
        kind = kinds[rng.integers(len(kinds))]
        yield kind[rng.integers(len(kind))]


def _read(record: Record) -> tuple[Pixels, Mask]:
    pixels = read_image(record.image).pixels
    if record.mask is None:
        return pixels, np.zeros(pixels.shape[:2], bool)
    mask = read_mask(record)
    height, width = pixels.shape[:2]
    check_shape(mask, (height, width), record.mask)
    return pixels, mask


def _resized(pixels: Pixels, height: int, width: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def _tiled(four: Sequence[NDArray[Scalar]]) -> NDArray[Scalar]:
    """Four arrays [height, width, ...] of one shape as a grid of 2x2."""
    first, second, third, fourth = four
    rows = [np.concatenate(pair, axis=1) for pair in ((first, second), (third, fourth))]
    return np.concatenate(rows, axis=0)
