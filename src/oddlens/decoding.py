"""Encoded pictures -> pixels, safely.

Only the formats of the table below reach a decoder, chosen by content and never by file name. Pillow's format classes
are called directly: `Image.open` would also try exotic formats, and warns of large pictures by a process-wide setting,
where the limit here is an argument. Everything a damaged or hostile file can make a decoder raise becomes an
`UnreadableError`.
"""

import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import cv2
import numpy as np
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from oddlens.pixels import Pixels, UnreadableError, note_depth, rgb_from_array, rgb_from_pil
from oddlens.wording import printable


@dataclass(frozen=True)
class Format:
    """A picture format: its name, the suffixes its files bear, how its bytes begin, and Pillow's class for it."""

    name: str
    suffixes: tuple[str, ...]
    signature: re.Pattern[bytes]
    opener: Callable[[BinaryIO], ImageFile.ImageFile]


FORMATS = (
    Format("PNG", (".png",), re.compile(rb"\x89PNG\r\n\x1a\n"), PngImagePlugin.PngImageFile),
    Format("JPEG", (".jpg", ".jpeg", ".jfif"), re.compile(rb"\xff\xd8\xff"), JpegImagePlugin.JpegImageFile),
    Format("WebP", (".webp",), re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImagePlugin.WebPImageFile),
    Format("BMP", (".bmp",), re.compile(rb"BM"), BmpImagePlugin.BmpImageFile),
    Format("TIFF", (".tif", ".tiff"), re.compile(rb"II[*+]\0|MM\0\*"), TiffImagePlugin.TiffImageFile),
    Format("GIF", (".gif",), re.compile(rb"GIF8[79]a"), GifImagePlugin.GifImageFile),
    Format("PPM", (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"), re.compile(rb"P[1-6Ff]\s"), PpmImagePlugin.PpmImageFile),
)
FORMAT_NAMES = ", ".join(form.name for form in FORMATS)
FORMAT_OF_SUFFIX = {suffix: form for form in FORMATS for suffix in form.suffixes}

# What people hand over by mistake, by how it begins.
_LOOKALIKES = (
    (re.compile(rb"version https://git-lfs"), "is a Git LFS pointer, not the picture: fetch it with `git lfs pull`"),
    (re.compile(rb"....ftyp", re.DOTALL), "is a HEIC, AVIF or video file: save it as PNG or JPEG"),
    (re.compile(rb"%PDF"), "is a PDF document: save its picture as PNG or JPEG"),
    (re.compile(rb"PK\x03\x04"), "is a ZIP archive: unpack it first"),
)
_HEAD = 64
MOST_PAGES = 64
"""Pictures in one file whose values mean something, at most."""

_ROTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation

_quiet_lock = threading.Lock()


def decode(stream: BinaryIO, max_megapixels: float, notes: list[str]) -> tuple[Pixels, Format]:
    """Decode the first picture of an encoded stream (seekable, at its start), upright.

    Returns uint8 [height, width, 3], which may be read-only, and the format found. What a person should know of the
    picture is appended to `notes`.

    Raises:
        UnreadableError: no picture of a known format, damaged, cut short, or above `max_megapixels` (1e6 pixels each).
    """
    form = _format_of(stream)
    with _decoder_errors():
        try:
            with _quietly():
                image = form.opener(stream)
        except SyntaxError:
            if form.name != "TIFF":
                raise
            return _decode_tiff(stream, max_megapixels, notes), form
        check_size(image.size, max_megapixels)
        return _first_picture(image, notes), form


def decode_stored(stream: BinaryIO, max_megapixels: float) -> list[Image.Image]:
    """Decode all pictures of an encoded stream (seekable, at its start), upright, with their values as they are stored.

    So a mask or a label file is read: there 1 is another value than 0, and a palette's numbers are the values. Of 16-bit colours,
    which Pillow would cut to 8 bits, the largest is kept, 0 where they are transparent.

    Raises:
        UnreadableError: as `decode`; the limit is for all pictures together.
    """
    form = _format_of(stream)
    with _decoder_errors():
        with _quietly():
            image = form.opener(stream)
        check_size(image.size, max_megapixels)
        if ";16" in str(image.tile) and image.mode in ("RGB", "RGBA", "CMYK"):
            return [_largest_colour(image, stream)]
        pictures: list[Image.Image] = []
        pixels = 0
        for number in range(MOST_PAGES + 1):
            with _quietly():
                try:
                    if number:
                        image.seek(number)
                except EOFError:
                    return pictures
            pixels += image.width * image.height
            if number == MOST_PAGES or pixels > max_megapixels * 1e6:
                raise UnreadableError("holds more pictures than can be looked at: save each in a file of its own")
            _load(image)
            pictures.append(_upright(image, []).copy())
        return pictures


def decode_pil(image: Image.Image, max_megapixels: float, notes: list[str]) -> Pixels:
    """Bring a Pillow image to uint8 [height, width, 3], upright by its EXIF orientation; raises as `decode` does."""
    check_size(image.size, max_megapixels)
    with _decoder_errors():
        return rgb_from_pil(_upright(image, notes), notes)


def check_size(size: tuple[int, int], max_megapixels: float) -> None:
    """Refuse a picture of (width, height) above the limit, or without pixels."""
    width, height = size
    if width < 1 or height < 1:
        raise UnreadableError(f"has no pixels ({width} x {height}): give at least one")
    if width * height > max_megapixels * 1e6:
        raise UnreadableError(
            f"has {width} x {height} pixels, more than the limit of {max_megapixels:g} megapixels: "
            "cut it into tiles, make it smaller, or raise max_megapixels"
        )


def _largest_colour(image: ImageFile.ImageFile, stream: BinaryIO) -> Image.Image:
    """A picture of 16-bit colours in grey, upright: of each pixel the largest value, 0 where it is transparent."""
    stream.seek(0)
    with _quietly():
        values = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
        if values is None or values.ndim != 3 or values.dtype != np.uint16 or getattr(image, "is_animated", False):
            raise UnreadableError("holds 16-bit colours of an unusual kind: save it in grey")
        grey = Image.fromarray(values[..., :3].max(axis=2) * (values[..., 3:] > 0).all(axis=2))
        grey.getexif()[ExifTags.Base.Orientation] = image.getexif().get(ExifTags.Base.Orientation, 1)
    return _upright(grey, [])


def _format_of(stream: BinaryIO) -> Format:
    head = stream.read(_HEAD)
    stream.seek(0)
    form = next((form for form in FORMATS if form.signature.match(head)), None)
    if form is None:
        raise UnreadableError(_what_else(head))
    return form


def _first_picture(image: ImageFile.ImageFile, notes: list[str]) -> Pixels:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _refuse_white_is_zero(image.tag_v2)
        with _quietly():
            image.getexif()  # or Pillow would read it, aloud, while the picture loads
    deep = ";16" in str(image.tile)  # known to the undecoded image only: Pillow keeps the high byte of 16-bit colour
    _load(image)
    pixels = rgb_from_pil(_upright(image, notes), notes)
    if deep and image.mode in ("RGB", "RGBA", "CMYK"):
        note_depth(pixels, notes)
    try:
        with _quietly():
            pictures = getattr(image, "n_frames", 1)
        if pictures > 1:
            notes.append(f"the first of {pictures} pictures in the file")
    except Exception:
        notes.append("the first picture of the file, which is damaged behind it")
    return pixels


def _load(image: ImageFile.ImageFile) -> None:
    width, height = image.size
    if Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS:
        with _quietly():  # Pillow measures some formats against its own limit once more
            image.load()
    else:
        image.load()


def _upright(image: Image.Image, notes: list[str]) -> Image.Image:
    """The image turned by its EXIF orientation; what was given stays as it is."""
    image.load()  # Pillow turns a TIFF as it loads, and then forgets the orientation
    try:
        with _quietly():
            rotation = _ROTATIONS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        notes.append("its EXIF data are damaged, so that it may lie on its side")
        return image
    return image if rotation is None else image.transpose(rotation)


def _decode_tiff(stream: BinaryIO, max_megapixels: float, notes: list[str]) -> Pixels:
    """Decode a TIFF whose kind of pixels Pillow does not know, such as float colour, by OpenCV."""
    stream.seek(0)
    header = stream.read(8)
    if header[2:3] == b"+":  # BigTIFF
        header += stream.read(8)
    directory = TiffImagePlugin.ImageFileDirectory_v2(header)
    stream.seek(directory.next)
    with _quietly():
        directory.load(stream)
    tags = ExifTags.Base
    if tags.ImageWidth not in directory or tags.ImageLength not in directory:
        raise UnreadableError("is damaged or cut short (its TIFF header is incomplete): save or copy it again")
    check_size((directory[tags.ImageWidth], directory[tags.ImageLength]), max_megapixels)
    _refuse_white_is_zero(directory)
    grey, rgb = 1, 2
    if directory.get(tags.PhotometricInterpretation) not in (grey, rgb):  # OpenCV would misread others in silence
        raise UnreadableError("is a TIFF with an unusual kind of colours: save it as RGB with 8 or 16 bits")
    stream.seek(0)
    with _quietly():
        values = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise UnreadableError("is damaged, or a kind of TIFF unknown here: save it as RGB with 8 or 16 bits")
    if values.ndim == 3 and values.shape[2] in (3, 4):
        values = values[..., [2, 1, 0, 3][: values.shape[2]]]  # OpenCV gives blue first
    if directory.next:
        notes.append("the first of several pictures in the file")
    return rgb_from_array(values, notes)


def _refuse_white_is_zero(tags: TiffImagePlugin.ImageFileDirectory_v2) -> None:
    """Refuse grey with white as zero beyond 8 bits, which neither decoder turns round."""
    deep = max(tags.get(ExifTags.Base.BitsPerSample, (1,))) > 8
    if deep and tags.get(ExifTags.Base.PhotometricInterpretation) == 0:
        raise UnreadableError("is a TIFF whose deep grey values have white as zero: save it with black as zero")


def _what_else(head: bytes) -> str:
    if not head:
        return "is empty (0 bytes): save or copy it again"
    for signature, sentence in _LOOKALIKES:
        if signature.match(head):
            return sentence
    text = re.fullmatch(rb"[\t\n\r\x20-\x7e\x80-\xff]+", head) is not None
    return f"is {'a text file' if text else 'no picture of a known format'}: give one of {FORMAT_NAMES}"


@contextmanager
def _decoder_errors() -> Iterator[None]:
    try:
        yield
    except UnreadableError:
        raise
    except MemoryError as error:
        raise UnreadableError("does not fit into the free memory: cut it into tiles or make it smaller") from error
    except Image.DecompressionBombError as error:
        raise UnreadableError("is larger than its decoder allows: cut it into tiles or make it smaller") from error
    except Exception as error:  # a decoder fed with damaged bytes raises nearly anything
        readable = isinstance(error, OSError | ValueError) and str(error)
        reason = f" ({printable(' '.join(str(error).split()))})" if readable else ""
        raise UnreadableError(f"is damaged or cut short{reason}: save or copy it again") from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence the decoders' own words about odd files; locked because both settings are one for the whole process."""
    with _quiet_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            yield
        finally:
            cv2.utils.logging.setLogLevel(level)
