"""What mask decoders learn from: frames whose every pixel has a known class or does not count, and the crops cut from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from PIL import Image

from oddlens.data.dataset import Dataset
from oddlens.data.legend import IGNORED
from oddlens.data.manifest import manifest_hash
from oddlens.data.masks import read_classes
from oddlens.data.record import Split
from oddlens.errors import DataError
from oddlens.io.images import read_image
from oddlens.io.pixels import Pixels

_TRIES = 10


class Scenes(Protocol):
    """Frames to learn from, by number."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the known classes, in the order of their numbers."""

    def __len__(self) -> int: ...

    def frame(self, number: int) -> tuple[Pixels, Pixels]:
        """A frame, uint8 [height, width, 3], and the class number of every pixel, uint8 [height, width]; 255 does not count."""

    def told(self) -> dict[str, Any]:
        """Which they are, as JSON values with a "name": weights say it of themselves, and a checkpoint belongs to it."""


@dataclass(frozen=True)
class GivenScenes:
    """Scenes that are in memory, or made by whatever `frames` is."""

    name: str
    classes: tuple[str, ...]
    frames: Sequence[tuple[Pixels, Pixels]]

    def __len__(self) -> int:
        return len(self.frames)

    def frame(self, number: int) -> tuple[Pixels, Pixels]:
        """See `Scenes`."""
        return self.frames[number]

    def told(self) -> dict[str, Any]:
        """See `Scenes`."""
        return {"name": self.name, "frames": len(self)}


class RecordScenes:
    """The frames of a data set that have class labels, of some of its splits. Raises `DataError` where there is none."""

    def __init__(self, dataset: Dataset, splits: Sequence[Split] = ("train", "unlabelled")) -> None:
        self._records = [each for each in dataset if each.split in splits and each.classes is not None]
        if not self._records:
            raise DataError(
                f"{dataset.root} has no frames with class labels in {' or '.join(splits)}: give a data set of road scenes that has"
            )
        self._dataset = dataset
        self._splits = tuple(splits)
        self.classes = dataset.classes

    def __len__(self) -> int:
        return len(self._records)

    def frame(self, number: int) -> tuple[Pixels, Pixels]:
        """See `Scenes`. Raises `ImageError` and `DataError` for files that cannot be read or do not fit."""
        record = self._records[number]
        pixels = read_image(record.image).pixels
        return pixels, read_classes(record, pixels.shape[:2])

    def told(self) -> dict[str, Any]:
        """See `Scenes`."""
        return {
            "name": self._dataset.root.name,
            "layout": self._dataset.layout,
            "splits": list(self._splits),
            "frames": len(self),
            "data_sha256": manifest_hash(self._dataset),
        }


@dataclass(frozen=True)
class Crops:
    """How a view of a frame is cut (Mask2Former's recipe for Cityscapes).

    size: height and width of a view in pixels. short_side: least and most that a frame's short side is scaled to, drawn evenly.
    colour: brightness, contrast, saturation and hue are drawn anew (SSD's way). fill: the colour beside a frame that is smaller.
    """

    size: tuple[int, int]
    short_side: tuple[int, int]
    colour: bool
    fill: tuple[int, int, int]

    def cut(self, frame: Pixels, classes: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
        """A view and its class numbers; one in which something counts, where a few tries find one. Half of them are mirrored."""
        for _ in range(_TRIES):
            view = self._view(frame, classes, rng)
            if (view[1] != IGNORED).any():
                break
        pixels, numbers = view
        if self.colour:
            pixels = other_colours(pixels, rng)
        if rng.random() < 0.5:
            pixels, numbers = pixels[:, ::-1], numbers[:, ::-1]
        return pixels, numbers

    def _view(self, frame: Pixels, classes: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
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
