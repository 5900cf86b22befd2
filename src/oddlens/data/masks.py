"""Reading masks and bringing them to the size of a map, by the authors' rules.

Source of both rules: the data loaders of APRIL-GAN and AnomalyCLIP (see the spec of the two): a pixel is defect where the grey
value is above 0; a mask is scaled as a picture of 0 and 255, bilinearly with antialiasing, and cut above one half.
"""

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oddlens.data.files import images_in
from oddlens.data.record import Record
from oddlens.errors import DataError
from oddlens.images import read_image

UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises on a file that is no image, a damaged one, or one of absurd size."""

DEEP_MODES = ("I", "F")


def mask_files(mask: Path) -> list[Path]:
    """The image files of a mask: itself, or, if it is a folder, those in it."""
    return images_in(mask) if mask.is_dir() else [mask]


def read_grey(path: Path) -> NDArray[Any]:
    """One mask file as grey values [h, w]: uint8, or its own type where it is deeper than 8 bits (which 8 would clip).

    Raises:
        DataError: the file cannot be read as an image.
    """
    try:
        with Image.open(path) as image:
            deep = image.mode.startswith(DEEP_MODES)
            return np.asarray(image if deep else image.convert("L"))
    except UNREADABLE as error:
        raise DataError(f"The mask {path} cannot be read as an image: replace it or leave its picture out.") from error


def read_mask(source: Record | Path | Iterable[Path], shape: tuple[int, int] | None = None) -> NDArray[np.bool_]:
    """The defect's pixels, bool [h, w]: True where the grey value of any of the mask's files is above 0.

    - `source`: a record, a mask (a file, or a folder of files), or several masks that count together.
    - `shape`: the (h, w) it must have; a normal record, which has no mask file, is False everywhere in this shape (in the
      shape of its picture if None).

    Raises:
        ImageError: the picture of a normal record is needed for its shape, and cannot be read.
        DataError: a mask cannot be read, the files differ in size or from `shape`, or the record is abnormal or unlabelled
            without a mask: where its defect is, nobody knows.
    """
    if isinstance(source, Record):
        if source.mask is not None:
            return read_mask(source.mask, shape)
        if source.label != 0:
            raise DataError(f"{source.image} has no mask and is not known to be normal: leave it out of pixel metrics.")
        return np.zeros(shape or read_image(source.image).pixels.shape[:2], dtype=np.bool_)
    given = [source] if isinstance(source, Path) else list(source)
    files = [file for mask in given for file in mask_files(mask)]
    if not files:
        raise DataError(f"There is no mask image in {', '.join(map(str, given)) or 'an empty list of masks'}.")
    union: NDArray[np.bool_] | None = None
    for file in files:
        drawn = read_grey(file) > 0
        wanted = shape if shape is not None else (drawn if union is None else union).shape
        if drawn.shape != wanted:
            sizes = f"{drawn.shape[1]} x {drawn.shape[0]} pixels instead of {wanted[1]} x {wanted[0]}"
            raise DataError(f"The mask {file} has {sizes}: it must have the size of its picture.")
        union = drawn if union is None else union | drawn
    assert union is not None  # there is at least one file
    return union


def resize_mask(mask: NDArray[np.bool_], size: int | tuple[int, int]) -> NDArray[np.bool_]:
    """A mask [h, w] at another size, (height, width) or the side of a square, by the authors' rule; bool."""
    height, width = (size, size) if isinstance(size, int) else size
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    scaled = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(scaled, dtype=np.float32) / 255 > 0.5
