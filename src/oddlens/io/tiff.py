"""TIFF files: tags that Pillow drops, and kinds of pixels that it does not know."""

import io
from collections.abc import Callable
from typing import BinaryIO

import cv2
import numpy as np
from PIL import ExifTags
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from oddlens.io import jpeg
from oddlens.io.pixels import Doubt, Pixels, UnreadableError, rgb_from_array
from oddlens.io.quiet import quiet_libraries, quiet_pillow

_GREY, _RGB = 1, 2
_JPEG = 7  # a compression
_NO_ALPHA, _PREMULTIPLIED_ALPHA, _ALPHA = 0, 1, 2  # what ExtraSamples says of a band beyond the colours


def load(image: TiffImageFile) -> None:
    """Decode an image as its own `load` does, without output of libtiff on standard error.

    Raises:
        UnreadableError: Deep grey values with white as zero, or JPEG data within it of which some are missing.
    """
    _refuse_white_is_zero(image.tag_v2)
    if image.tag_v2.get(ExifTags.Base.Compression) == _JPEG:
        _refuse_cut_jpegs(image)
    with quiet_pillow():
        image.getexif()  # or Pillow would read it, aloud, while the image loads
        image.load_prepare()  # or Pillow would hold its size against a limit of its own
    with quiet_libraries():
        image.load()


def bits(tags: ImageFileDirectory_v2) -> int:
    """How many bits a value has."""
    return int(max(tags.get(ExifTags.Base.BitsPerSample, (1,))))


def decode_otherwise(stream: BinaryIO, check_size: Callable[[tuple[int, int]], None], notes: list[str]) -> Pixels:
    """Decode a TIFF of a kind that Pillow does not know, such as float colour or 12 bits in colour, by OpenCV.

    `check_size` is called with (width, height) before anything is decoded.

    Raises:
        UnreadableError: Damaged, or of a kind that OpenCV does not know or misreads.
    """
    stream.seek(0)
    header = stream.read(8)
    if header[2:3] == b"+":  # BigTIFF
        header += stream.read(8)
    tags = ImageFileDirectory_v2(header)
    stream.seek(tags.next)
    with quiet_pillow():
        tags.load(stream)
    if ExifTags.Base.ImageWidth not in tags or ExifTags.Base.ImageLength not in tags:
        raise UnreadableError("is damaged or cut short (its TIFF header is incomplete): save or copy it again")
    check_size((tags[ExifTags.Base.ImageWidth], tags[ExifTags.Base.ImageLength]))
    _refuse_white_is_zero(tags)
    if tags.get(ExifTags.Base.PhotometricInterpretation) not in (_GREY, _RGB):  # OpenCV would silently misread others
        raise UnreadableError("is a TIFF with an unusual kind of colours: save it as RGB with 8 or 16 bits")
    stream.seek(0)
    with quiet_libraries():
        values = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise UnreadableError("is damaged, or a kind of TIFF unknown here: save it as RGB with 8 or 16 bits")
    colours = values.ndim == 3 and values.shape[2] in (3, 4)
    if colours:
        values = values[..., [2, 1, 0, 3][: values.shape[2]]]  # OpenCV gives blue first
    extra = tags.get(ExifTags.Base.ExtraSamples, (None,))[0]
    if extra == _NO_ALPHA and colours:
        values = values[..., :3]
    elif extra == _PREMULTIPLIED_ALPHA or (extra == _ALPHA and not colours):
        raise UnreadableError("is a TIFF that is transparent in an unusual way: save it as RGB with 8 or 16 bits")
    if tags.next:
        notes.append(Doubt("the first of several images in the file"))
    depth = bits(tags)
    if values.dtype == np.uint16 and depth < 16:
        return rgb_from_array(np.right_shift(values, 16 - depth), notes, depth)  # OpenCV fills up to 16 bits
    return rgb_from_array(values, notes)


def _refuse_cut_jpegs(image: TiffImageFile) -> None:
    """Judge the JPEG data of a TIFF: libtiff decodes them, and passes over what is missing."""
    assert image.fp is not None
    tags, base = image.tag_v2, ExifTags.Base
    offsets = tags.get(base.StripOffsets) or tags.get(base.TileOffsets, ())
    counts = tags.get(base.StripByteCounts) or tags.get(base.TileByteCounts, ())
    tables = tags.get(base.JPEGTables, b"\xff\xd8\xff\xd9")
    for number, (offset, count) in enumerate(zip(offsets, counts, strict=False), start=1):
        image.fp.seek(offset)
        data = tables[:-2] + image.fp.read(count)[2:]
        try:
            jpeg.load(JpegImageFile(io.BytesIO(data)), [])
        except UnreadableError as error:
            place = f"data are missing in part {number} of {len(offsets)}"
            raise UnreadableError(f"is damaged or cut short ({place}): save or copy it again") from error
        except Exception:
            continue  # of kinds of JPEG that only libtiff knows, libtiff is the judge


def _refuse_white_is_zero(tags: ImageFileDirectory_v2) -> None:
    """Refuse grey with white as zero beyond 8 bits, which neither decoder turns round."""
    if bits(tags) > 8 and tags.get(ExifTags.Base.PhotometricInterpretation) == 0:
        raise UnreadableError("is a TIFF whose deep grey values have white as zero: save it with black as zero")
