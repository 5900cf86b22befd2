"""Everything that may be given as images -> inputs to read one after the other; nothing is read before its turn."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from oddlens.errors import Failure, ImageError, OddlensWarning, UsageError, printable
from oddlens.io.finding import find_images, say_passed_over
from oddlens.io.images import ImageInput, Picture, read_image
from oddlens.io.video import VideoFrame, with_frames


class Readable(Protocol):
    """An object that gives an image when it is read: a frame of a video, an open file."""

    def read(self) -> Picture | bytes:
        """The image, or its encoded bytes."""


@dataclass(frozen=True)
class Input:
    """An image that can be read. source: its path as given, or "image 3"."""

    source: str
    read: Callable[[], Picture]
    """Raises `ImageError` for an image that cannot be read, `UsageError` for a path that names none."""
    in_order: bool = False
    """Whether it must be read by one thread, after the inputs before it that say so too: a frame of a video, an open file."""
    keeps: bool = False
    """Whether `read` also holds the image elsewhere: in the loader it then counts with all its pixels."""

    def __str__(self) -> str:
        """Its source."""
        return self.source


Image = ImageInput | bytearray | memoryview | Picture | Readable
Images = Image | Iterable[Image]
"""One image or several: paths (folders, patterns, videos), encoded bytes, open files, Pillow images, arrays, read images."""


def each_input(images: Images, max_megapixels: float | None = None) -> Iterator[Input]:
    """The inputs of images, in order; folders and patterns become their files, and videos their frames.

    A path that leads to nothing becomes an input that cannot be read, so that the others can.

    Args:
        images: One image or several.
        max_megapixels: As for `read_image`.

    Raises:
        UsageError: `images` is no image.
    """
    if _is_single(images):
        images = [images]  # type: ignore[list-item]
    elif not isinstance(images, Iterable):
        raise UsageError(
            f"images cannot be {images!r}: give a path, encoded bytes, a Pillow image, an array, or several"
        )
    return _inputs(images, max_megapixels)


def is_live(images: Images) -> bool:
    """Whether the images may come one by one at unknown times: those of an iterator, which may be a camera, but not of a list."""
    return not (isinstance(images, Sized) or _is_single(images))


def _inputs(images: Iterable[object], limit: float | None) -> Iterator[Input]:
    for number, image in enumerate(images, start=1):
        if isinstance(image, Input):
            yield image
        elif isinstance(image, str | os.PathLike) and not hasattr(image, "read"):
            yield from _inputs_of_path(image, limit)
        else:
            source = _name_of(image) or f"image {number}"
            # What reads itself, or is a Pillow image, may be shared with others or stand twice in a list.
            in_order = not isinstance(image, bytes | bytearray | memoryview | np.ndarray | Picture)
            yield Input(source, partial(_read, image, source, limit), in_order)


def _name_of(image: object) -> str | None:
    """What an image is called that says so itself, as open files and frames of videos do."""
    if isinstance(image, os.PathLike):
        return os.fsdecode(image)
    name = getattr(image, "name", None) if hasattr(image, "read") else None
    return os.fsdecode(name) if isinstance(name, str | bytes) and name else None


def _inputs_of_path(path: str | os.PathLike[str], limit: float | None) -> Iterator[Input]:
    found = find_images([path])
    if said := say_passed_over(found.passed_over):
        warnings.warn(f"{printable(os.fsdecode(path))}: {said}", OddlensWarning, stacklevel=2)
    for item in with_frames(found.items):
        if isinstance(item, Failure):
            yield Input(item.source, partial(_refuse, item.reason))
        elif isinstance(item, VideoFrame):
            yield Input(os.fsdecode(item), item.read, in_order=True)
        else:
            yield Input(os.fsdecode(item), partial(read_image, item, max_megapixels=limit))


def _is_single(images: object) -> bool:
    """Whether it is one image; what can be walked through may be one, too: bytes, arrays, open files."""
    if isinstance(images, str | os.PathLike | bytes | bytearray | memoryview | Picture):
        return True
    kind = getattr(getattr(images, "dtype", None), "kind", None)
    is_list_of_names = kind in ("O", "U", "T") and getattr(images, "ndim", 1) == 1  # of numpy or pandas
    return not is_list_of_names and any(hasattr(images, name) for name in ("read", "convert", "__array__"))


def _read(image: object, source: str, limit: float | None) -> Picture:
    if hasattr(image, "read"):
        image = image.read()
        if not isinstance(image, bytes | Picture):
            raise ImageError(f"{printable(source)} was opened as text: open it in binary mode")
    if isinstance(image, Picture):
        return image
    if isinstance(image, bytearray | memoryview):
        image = bytes(image)
    return read_image(image, source, limit)  # type: ignore[arg-type]  # which refuses every other kind


def _refuse(reason: str) -> Picture:
    raise UsageError(reason)
