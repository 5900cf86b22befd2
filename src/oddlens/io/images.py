"""Images of any kind -> RGB uint8."""

import hashlib
import io
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oddlens.errors import ImageError, TooLargeError, UsageError, printable
from oddlens.io.decoding import FORMAT_OF_SUFFIX, check_size, decode, decode_pil, decode_stored
from oddlens.io.paths import why_not_opened
from oddlens.io.pixels import Doubt, OversizedError, Pixels, UnreadableError, array_size, rgb_from_array
from oddlens.io.remote import RemoteError, is_address, read_remote

ImageInput = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.generic]

DEFAULT_MAX_MEGAPIXELS = 128.0
"""Room for the large camera sensors (102 and 127 megapixels); decoding such an image takes about 1.3 GB."""

LIMIT_VARIABLE = "ODDLENS_MAX_MEGAPIXELS"
"""The environment variable with another limit, for all commands and for Python."""


def checked_limit(max_megapixels: object = None, name: str = "max_megapixels") -> float:
    """A limit on the size of images, in 1e6 pixels; None is the environment's, else `DEFAULT_MAX_MEGAPIXELS`.

    Raises:
        UsageError: The limit is no number above 0.
    """
    if max_megapixels is None:
        name, max_megapixels = LIMIT_VARIABLE, os.environ.get(LIMIT_VARIABLE) or DEFAULT_MAX_MEGAPIXELS
    try:
        limit = float(max_megapixels)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        limit = 0
    if not limit > 0:
        raise UsageError(f"{name} is {max_megapixels!r}: give a number above 0")
    return limit


@dataclass(frozen=True, eq=False)
class Picture:
    """An image that was read: its pixels, its source, and remarks on reading it."""

    pixels: Pixels = field(repr=False)
    """uint8 [height, width, 3], RGB, upright. It may be read-only, or the caller's own array: do not write into it."""
    source: str
    """The path as given, or a name such as "image 3"."""
    note: str | None = None
    """Remarks on the conversion ("16-bit values reduced to their high byte"); None if there are none."""
    doubt: str | None = None
    """The part of the note that speaks against the image: it is the first of several, nearly black, or may be damaged."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width, _ = self.pixels.shape
        return width, height

    @property
    def pixel_count(self) -> int:
        """How many pixels it has."""
        width, height = self.size
        return width * height

    def digest(self) -> str:
        """SHA-256 of the pixels and their shape: the same for the same image under any name and in any lossless format."""
        digest = hashlib.sha256(str(self.pixels.shape).encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        return digest.hexdigest()


def read_image(image: ImageInput, name: str | None = None, max_megapixels: float | None = None) -> Picture:
    """Read one image of any kind as RGB uint8, turned upright by its EXIF orientation.

    The content of a file decides its format, not its suffix. Of several frames or pages the first is read. `oddlens.io.pixels`
    says how 16-bit, float, transparent and CMYK pixels become 8-bit RGB. Nothing is resampled.

    Args:
        image: A path or an address (see `oddlens.io.remote`); encoded bytes; a Pillow image; or an array [h, w] or
            [h, w, 1 | 3 | 4] (RGB) of uint8, uint16 or float in 0..1.
        name: The name of the image in errors and in `Picture.source`; by default the path as given, or "the image".
        max_megapixels: Larger images are refused from their header, before anything is decoded. None: see `checked_limit`.

    Raises:
        ImageError: The image cannot be read; the sentence names it and says what to do.
        UsageError: The limit is no number above 0.

    Examples:
        >>> picture = read_image(np.zeros((2, 3), np.uint8), name="black")
        >>> picture.size, picture.pixels.shape, picture.source
        ((3, 2), (2, 3, 3), 'black')
    """
    source = name or (os.fsdecode(image) if isinstance(image, str | os.PathLike) else "") or "the image"
    limit, notes = checked_limit(max_megapixels), list[str]()
    try:
        pixels = _read(image, limit, notes)
    except OversizedError as error:
        raise TooLargeError(f"{printable(source)} {error}", f"{printable(source)} {error.fault}") from error
    except UnreadableError as error:
        raise ImageError(f"{printable(source)} {error}") from error
    doubts = [note for note in notes if isinstance(note, Doubt)]
    return Picture(pixels, source, "; ".join(notes) or None, "; ".join(doubts) or None)


def read_stored(path: str | os.PathLike[str], max_megapixels: float | None = None) -> list[Image.Image]:
    """Read the images of a file whose values mean something, a mask or a label file, as `decoding.decode_stored` does.

    Raises:
        ImageError: One sentence that names the file, says what is wrong with it and what to do.
    """
    limit = checked_limit(max_megapixels)
    try:
        with _opened(path) as stream:
            return decode_stored(stream, limit)
    except UnreadableError as error:
        raise ImageError(f"{printable(os.fsdecode(path))} {error}") from error


def _read(image: object, max_megapixels: float, notes: list[str]) -> Pixels:
    if isinstance(image, str | os.PathLike):
        return _read_file(image, max_megapixels, notes)
    if isinstance(image, np.ndarray):
        check_size(array_size(image), max_megapixels)  # before its values are read: a view may be of any size
        return rgb_from_array(image, notes)
    if isinstance(image, Image.Image):
        return decode_pil(image, max_megapixels, notes)
    if isinstance(image, bytes):
        return decode(io.BytesIO(image), max_megapixels, notes)[0]
    kind = type(image).__name__
    article = "an" if kind[0] in "aeiouAEIOU" else "a"
    raise UnreadableError(f"is {article} {kind}: give a path, encoded bytes, a Pillow image or a numpy array")


def _opened(path: str | os.PathLike[str]) -> BinaryIO:
    if is_address(path):
        try:
            return io.BytesIO(read_remote(os.fsdecode(path)))
        except RemoteError as error:
            raise UnreadableError(str(error)) from error
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableError("is a folder: name an image in it")
        if not stat.S_ISREG(mode):  # a pipe or a device may never end
            raise UnreadableError("is not a regular file: save the image to disk first")
        return Path(path).open("rb")
    except (OSError, ValueError) as error:
        raise UnreadableError(why_not_opened(path, error)) from error


def _read_file(path: str | os.PathLike[str], max_megapixels: float, notes: list[str]) -> Pixels:
    with _opened(path) as stream:
        pixels, found = decode(stream, max_megapixels, notes)
    suffix = Path(path).suffix
    if FORMAT_OF_SUFFIX.get(suffix.lower(), found) is not found:
        notes.append(f"named {suffix} but holds {found.name}, and was read as that")
    return pixels
