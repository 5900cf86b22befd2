"""Encoded images -> pixels, safely.

Only the formats of the table below reach a decoder, chosen by content and never by file name. Pillow's format classes
are called directly: `Image.open` would also try exotic formats, and warns of large images by a process-wide setting,
where the limit here is an argument. Everything a damaged or hostile file can make a decoder raise becomes an
`UnreadableError`.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import BinaryIO

import cv2
import numpy as np
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from oddlens.errors import printable
from oddlens.io import jpeg, tiff
from oddlens.io.pixels import Doubt, OversizedError, Pixels, UnreadableError, note_depth, rgb_from_array, rgb_from_pil
from oddlens.io.png import open_png
from oddlens.io.quiet import quiet_libraries, quiet_pillow


@dataclass(frozen=True)
class Format:
    """An image format.

    Attributes:
        name: Its name.
        suffixes: Of its files, in lower case.
        signature: How its bytes begin.
        opener: Pillow's class for it.
        lacking: What this installation needs to read it, as a sentence's end; None if it can.
    """

    name: str
    suffixes: tuple[str, ...]
    signature: re.Pattern[bytes]
    opener: Callable[[BinaryIO], ImageFile.ImageFile]
    lacking: str | None = None


def _open_avif(stream: BinaryIO) -> ImageFile.ImageFile:
    from PIL import AvifImagePlugin

    return AvifImagePlugin.AvifImageFile(stream)


def _open_heif(stream: BinaryIO) -> ImageFile.ImageFile:
    from pillow_heif import HeifImageFile

    image: ImageFile.ImageFile = HeifImageFile(stream)  # type: ignore[no-untyped-call]
    return image


def _brands(names: bytes) -> re.Pattern[bytes]:
    """How a file of boxes begins that follows one of these brands (ISO/IEC 14496-12, 4.3)."""
    return re.compile(rb"....ftyp(?:.{4})*?(?:" + names + rb")", re.DOTALL)


_NEWER_PILLOW = "reading it needs a Pillow with that codec: pip install --upgrade pillow, or save it as PNG or JPEG"
KNOWN_FORMATS = (
    Format("PNG", (".png", ".apng"), re.compile(rb"\x89PNG\r\n\x1a\n"), open_png),
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), re.compile(rb"\xff\xd8\xff"), JpegImagePlugin.JpegImageFile),
    Format("WebP", (".webp",), re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImagePlugin.WebPImageFile),
    Format("BMP", (".bmp",), re.compile(rb"BM"), BmpImagePlugin.BmpImageFile),
    Format("TIFF", (".tif", ".tiff"), re.compile(rb"II[*+]\0|MM\0\*"), TiffImagePlugin.TiffImageFile),
    Format("GIF", (".gif",), re.compile(rb"GIF8[79]a"), GifImagePlugin.GifImageFile),
    Format("PPM", (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"), re.compile(rb"P[1-6Ff]\s"), PpmImagePlugin.PpmImageFile),
    Format(
        "JPEG 2000",
        (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
        re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
        Jpeg2KImagePlugin.Jpeg2KImageFile,
        None if features.check_codec("jpg_2000") else _NEWER_PILLOW,
    ),
    Format(
        "AVIF",
        (".avif",),
        _brands(rb"avi[fs]"),
        _open_avif,
        None if "avif" in features.modules and features.check_module("avif") else _NEWER_PILLOW,
    ),
    Format(
        "HEIF",
        (".heic", ".heif", ".hif"),
        _brands(rb"hei[cxms]|hev[cxms]|mi[af]1|msf1"),
        _open_heif,
        None
        if find_spec("pillow_heif")
        else "reading it needs pillow-heif: pip install 'oddlens[heif]', or save it as PNG or JPEG",
    ),
)
FORMATS = tuple(form for form in KNOWN_FORMATS if form.lacking is None)
"""The formats that can be read here."""
FORMAT_NAMES = ", ".join(form.name for form in FORMATS)
FORMAT_OF_SUFFIX = {suffix: form for form in FORMATS for suffix in form.suffixes}

# Files that people give by mistake, by how they begin.
_LOOKALIKES = (
    (re.compile(rb"version https://git-lfs"), "is a Git LFS pointer, not the image: fetch it with `git lfs pull`"),
    (re.compile(rb"....ftyp", re.DOTALL), "is a video, or an image in a video's format: save it as PNG or JPEG"),
    (re.compile(rb"%PDF"), "is a PDF document: save its image as PNG or JPEG"),
    (re.compile(rb"PK\x03\x04"), "is a ZIP archive: unpack it first"),
)
_HEAD = 64
MOST_PAGES = 64
"""The most pages in one mask or label file."""

_ROTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation


def decode(stream: BinaryIO, max_megapixels: float, notes: list[str]) -> tuple[Pixels, Format]:
    """Decode the first image of an encoded stream (seekable, at its start), upright.

    Returns uint8 [height, width, 3], which may be read-only, and the format found. Remarks on the image are appended to
    `notes`.

    Raises:
        UnreadableError: No image of a known format, damaged, cut short, or above `max_megapixels` (1e6 pixels each).
    """
    form = _format_of(stream)
    with _decoder_errors():
        try:
            with quiet_pillow():
                image = form.opener(stream)
        except SyntaxError:
            if form.name != "TIFF":
                raise
            return tiff.decode_otherwise(stream, lambda size: check_size(size, max_megapixels), notes), form
        check_size(image.size, max_megapixels)
        pixels = _pixels(image, notes)
        try:
            with quiet_pillow():
                several = getattr(image, "is_animated", False)  # how many there are takes long to count
            if several:
                notes.append(Doubt("the first of several images in the file"))
        except Exception:
            notes.append(Doubt("the first image of the file, which is damaged behind it"))
        return pixels, form


def decode_stored(stream: BinaryIO, max_megapixels: float) -> list[Image.Image]:
    """Decode all images of an encoded stream (seekable, at its start), upright, with their values as they are stored.

    So a mask or a label file is read: there 1 is another value than 0, and a palette's numbers are the values. Of 16-bit colours,
    which Pillow would cut to 8 bits, the largest is kept, 0 where they are transparent.

    Raises:
        UnreadableError: As `decode`; the limit is for all images together.
    """
    form = _format_of(stream)
    with _decoder_errors():
        with quiet_pillow():
            image = form.opener(stream)
        check_size(image.size, max_megapixels)
        if ";16" in str(image.tile) and image.mode in ("RGB", "RGBA", "CMYK"):
            return [_largest_colour(image, stream)]
        pictures: list[Image.Image] = []
        pixels = 0
        for number in range(MOST_PAGES + 1):
            with quiet_pillow():
                try:
                    if number:
                        image.seek(number)
                except EOFError:
                    return pictures
            pixels += image.width * image.height
            if number == MOST_PAGES or pixels > max_megapixels * 1e6:
                raise UnreadableError("holds more images than are read here: save each in a file of its own")
            pictures.append(_upright(image, []).copy())
        return pictures


def decode_pil(image: Image.Image, max_megapixels: float, notes: list[str]) -> Pixels:
    """Bring a Pillow image to uint8 [height, width, 3], upright by its EXIF orientation; raises as `decode` does."""
    check_size(image.size, max_megapixels)
    with _decoder_errors():
        return _pixels(image, notes)


def check_size(size: tuple[int, int], max_megapixels: float) -> None:
    """Refuse an image of (width, height) above the limit, or without pixels."""
    width, height = size
    if width < 1 or height < 1:
        raise UnreadableError(f"has no pixels ({width} x {height}): give at least one")
    if width * height > max_megapixels * 1e6:
        raise OversizedError(
            f"has {width} x {height} pixels, more than the limit of {max_megapixels:g} megapixels",
            "cut it into tiles, make it smaller, or raise max_megapixels (on the command line --set max_megapixels=N; for all "
            "programs ODDLENS_MAX_MEGAPIXELS)",
        )


def _largest_colour(image: ImageFile.ImageFile, stream: BinaryIO) -> Image.Image:
    """An image of 16-bit colours in grey, upright: of each pixel the largest value, 0 where it is transparent."""
    stream.seek(0)
    with quiet_libraries():
        values = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3 or values.dtype != np.uint16 or getattr(image, "is_animated", False):
        raise UnreadableError("holds 16-bit colours of an unusual kind: save it in grey")
    grey = Image.fromarray(values[..., :3].max(axis=2) * (values[..., 3:] > 0).all(axis=2))
    with quiet_pillow():
        grey.getexif()[ExifTags.Base.Orientation] = image.getexif().get(ExifTags.Base.Orientation, 1)
    return _upright(grey, [])


def _format_of(stream: BinaryIO) -> Format:
    head = stream.read(_HEAD)
    stream.seek(0)
    form = next((form for form in KNOWN_FORMATS if form.signature.match(head)), None)
    if form is None:
        raise UnreadableError(_what_else(head))
    if form.lacking is not None:
        raise UnreadableError(f"is an image in the format {form.name}, and {form.lacking}")
    return form


def _pixels(image: Image.Image, notes: list[str]) -> Pixels:
    deep = ";16" in str(
        getattr(image, "tile", "")
    )  # known before it is decoded: Pillow keeps the high byte of 16-bit colour
    bits = tiff.bits(image.tag_v2) if isinstance(image, TiffImagePlugin.TiffImageFile) else 16
    upright = _upright(image, notes)
    if upright.mode == "I;16" and bits < 16:
        return rgb_from_array(np.asarray(upright), notes, bits)
    pixels = rgb_from_pil(upright, notes)
    if deep and image.mode in ("RGB", "RGBA", "CMYK"):
        note_depth(np.asarray(upright) if upright.mode == "RGBA" else pixels, notes)
    return pixels


def _load(image: Image.Image, notes: list[str]) -> None:
    """Decode an image that was opened; nothing is left to do of one that is decoded."""
    if isinstance(image, ImageFile.ImageFile) and image.tile and image.fp is not None:
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            jpeg.load(image, notes)
        elif isinstance(image, TiffImagePlugin.TiffImageFile):
            tiff.load(image)
    image.load()


def _upright(image: Image.Image, notes: list[str]) -> Image.Image:
    """The image decoded and turned by its EXIF orientation; the given image does not change."""
    _load(image, notes)  # Pillow turns a TIFF as it loads, and then forgets the orientation
    try:
        with quiet_pillow():
            rotation = _ROTATIONS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        notes.append(Doubt("its EXIF data are damaged, so that it may lie on its side"))
        return image
    return image if rotation is None else image.transpose(rotation)


def _what_else(head: bytes) -> str:
    if not head:
        return "is empty (0 bytes): save or copy it again"
    for signature, sentence in _LOOKALIKES:
        if signature.match(head):
            return sentence
    text = re.fullmatch(rb"[\t\n\r\x20-\x7e\x80-\xff]+", head) is not None
    return f"is {'a text file' if text else 'no image of a known format'}: give one of {FORMAT_NAMES}"


@contextmanager
def _decoder_errors() -> Iterator[None]:
    try:
        yield
    except UnreadableError:
        raise
    except MemoryError as error:
        raise UnreadableError("does not fit into the free memory: cut it into tiles or make it smaller") from error
    except Exception as error:  # a decoder fed with damaged bytes raises nearly anything
        readable = isinstance(error, OSError | ValueError) and str(error)
        reason = f" ({printable(' '.join(str(error).split()))})" if readable else ""
        raise UnreadableError(f"is damaged or cut short{reason}: save or copy it again") from error
