"""Training data of mask decoders: frames with a known class for every pixel that counts, and crops of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from oddlens.data.contents import TrainingImages
from oddlens.data.dataset import Dataset
from oddlens.data.legend import IGNORED
from oddlens.data.manifest import manifest_hash
from oddlens.data.masks import read_classes
from oddlens.data.problem import first_of, losses
from oddlens.data.record import Split
from oddlens.errors import DataError
from oddlens.io.images import read_image
from oddlens.io.pixels import Pixels

_TRIES = 10


class Scenes(Protocol):
    """Training frames, by number."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the known classes, in the order of their numbers."""

    def __len__(self) -> int: ...

    def frame(self, number: int) -> tuple[Pixels, Pixels]:
        """A frame, uint8 [height, width, 3], and the class number of every pixel, uint8 [height, width]; 255 does not count."""

    @property
    def name(self) -> str:
        """The name of the data set."""

    def metadata(self) -> dict[str, object]:
        """What identifies them, as JSON values with a "name"; weights and checkpoints carry it."""


@dataclass(frozen=True)
class GivenScenes:
    """Scenes in memory, or made by the sequence `frames` when they are read."""

    name: str
    classes: tuple[str, ...]
    frames: Sequence[tuple[Pixels, Pixels]]

    def __len__(self) -> int:
        return len(self.frames)

    def frame(self, number: int) -> tuple[Pixels, Pixels]:
        """See `Scenes`."""
        return self.frames[number]

    def metadata(self) -> dict[str, object]:
        """See `Scenes`."""
        return {"name": self.name, "frames": len(self)}


class RecordScenes:
    """The frames of a data set that have class labels, of some of its splits.

    Raises DataError if there is none, or if a file of theirs cannot be read.

    Attributes:
        left_out: The number of frames of these splits without a label file.
    """

    def __init__(self, dataset: Dataset, splits: Sequence[Split] = ("train", "unlabelled")) -> None:
        if unread := losses(dataset.problems, *splits, left_out=False):
            raise DataError(first_of(unread))
        frames = [each for each in dataset if each.split in splits]
        self._records = [each for each in frames if each.classes is not None]
        if not self._records:
            raise DataError(
                f"{dataset.root} has no frames with class labels in {' or '.join(splits)}: give a data set of road scenes"
            )
        # A layout may know of such a frame as a loss alone, or as an image of no split.
        lost = {each.path for each in losses(dataset.problems, *splits, left_out=True)}
        self.left_out = len(lost | {each.image for each in frames if each.classes is None})
        self._dataset = dataset
        self._splits = tuple(splits)
        self.classes = dataset.classes
        self.name = dataset.root.name

    def __len__(self) -> int:
        return len(self._records)

    def frame(self, number: int) -> tuple[Pixels, Pixels]:
        """See `Scenes`. Raises `ImageError` and `DataError` for files that cannot be read or do not fit."""
        record = self._records[number]
        pixels = read_image(record.image).pixels
        return pixels, read_classes(record, pixels.shape[:2])

    @cached_property
    def images(self) -> TrainingImages:
        """The files, of which the weights keep hashes."""
        return TrainingImages(record.image for record in self._records)

    def metadata(self) -> dict[str, object]:
        """See `Scenes`."""
        return {
            "name": self.name,
            "layout": self._dataset.layout,
            "splits": list(self._splits),
            "frames": len(self),
            "data_sha256": manifest_hash(self._dataset),
            "images_sha256": self.images.sha256(),
        }


@dataclass(frozen=True)
class Crops:
    """How crops are cut from frames (Mask2Former's recipe for Cityscapes).

    Attributes:
        size: Height and width of a crop, in pixels.
        short_side: Least and most that a frame's short side is scaled to, drawn evenly.
        colour: Brightness, contrast, saturation and hue are drawn anew (as in SSD).
        fill: The colour beside a frame that is smaller.
    """

    size: tuple[int, int]
    short_side: tuple[int, int]
    colour: bool
    fill: tuple[int, int, int]

    def cut(self, frame: Pixels, classes: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
        """A crop and its class numbers, with a pixel that counts if a few tries find one. Half of the crops are mirrored."""
        for _ in range(_TRIES):
            crop = self._crop(frame, classes, rng)
            if (crop[1] != IGNORED).any():
                break
        pixels, numbers = crop
        if self.colour:
            pixels = other_colours(pixels, rng)
        if rng.random() < 0.5:
            pixels, numbers = pixels[:, ::-1], numbers[:, ::-1]
        return pixels, numbers

    def _crop(self, frame: Pixels, classes: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
        scale = rng.uniform(*self.short_side) / min(frame.shape[:2])
        box, shown = [], []
        for whole, wanted in zip(frame.shape[:2], self.size, strict=True):
            scaled = round(whole * scale)
            first = int(rng.integers(0, max(0, scaled - wanted) + 1))
            shown.append(min(scaled, wanted))
            box.append((first * whole / scaled, (first + shown[-1]) * whole / scaled))
        (top, bottom), (left, right) = box
        pixels = np.full((*self.size, 3), self.fill, np.uint8)
        numbers = np.full(self.size, IGNORED, np.uint8)
        for given, drawn, how in (
            (frame, pixels, Image.Resampling.BILINEAR),
            (classes, numbers, Image.Resampling.NEAREST),
        ):
            part = Image.fromarray(given).resize((shown[1], shown[0]), how, (left, top, right, bottom))
            drawn[: shown[0], : shown[1]] = np.asarray(part)
        return pixels, numbers


def other_colours(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Each of brightness, contrast, saturation and hue is changed with a probability of a half (Liu et al., ECCV 2016)."""
    contrast_first = rng.random() < 0.5
    brighter = rng.uniform(-32, 32) * (rng.random() < 0.5)
    contrast, saturation = (rng.uniform(0.5, 1.5) ** (rng.random() < 0.5) for _ in range(2))
    turned = rng.uniform(-18, 18) * (rng.random() < 0.5)
    changed = pixels.astype(np.float32) + brighter
    if contrast_first:
        changed *= contrast
    colours = cv2.cvtColor(np.clip(changed, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV).astype(np.float32)
    colours[..., 0] = (colours[..., 0] + turned) % 180
    colours[..., 1] *= saturation
    changed = cv2.cvtColor(np.clip(colours, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB).astype(np.float32)
    if not contrast_first:
        changed *= contrast
    made: Pixels = np.clip(changed, 0, 255).astype(np.uint8)
    return made
