"""A PNG is read whatever stands beside its pixels."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from oddlens.io.decoding import decode
from oddlens.io.png import open_png, write_png

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
HEADER = 8 + 25  # the signature and the first chunk


def encode(**options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG", **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def read(data: bytes) -> np.ndarray:
    return decode(io.BytesIO(data), 1.0, [])[0]


LARGE = {
    "compressed text": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 2_000_000)),
    "colour profile": chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(2_000_000))),
    "compressed XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"<x/>" * 600_000)),
    "XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<x/>" * 600_000),
    "EXIF as text": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"0" * 2_000_000)),
    "many texts": chunk(b"tEXt", b"Comment\0" + b"x" * 1_000_000) * 80,
    "damaged text": chunk(b"zTXt", b"Comment\0\0" + b"no deflate" * 1000),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("place", ["before", "behind"])
def test_large_texts_and_profiles_do_not_stand_in_the_way(name: str, place: str) -> None:
    data = encode()
    at = HEADER if place == "before" else len(data) - 12
    assert np.array_equal(read(data[:at] + LARGE[name] + data[at:]), PIXELS)


def test_of_what_a_picture_is_read_by_nothing_is_lost() -> None:
    palette = Image.fromarray(PIXELS).quantize(16)
    stream = io.BytesIO()
    palette.save(stream, "PNG", transparency=3, dpi=(72, 72))
    plain = stream.getvalue()
    both = plain[:HEADER] + LARGE["compressed text"] + plain[HEADER:]
    assert np.array_equal(read(both), read(plain))


def test_long_texts_that_say_which_side_is_up_are_heard() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.ImageDescription] = "".join(map(chr, np.random.default_rng(0).integers(33, 127, 5000)))
    words = exif.tobytes().hex()
    raw = f"\nexif\n{len(words) // 2:8}\n{words}\n".encode()
    data = encode()
    for text in (
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
        chunk(b"tEXt", b"Raw profile type exif\0" + raw),
        chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>' + b" " * 2000),
    ):
        assert np.array_equal(read(data[:HEADER] + text + data[HEADER:]), np.rot90(PIXELS, 3))


def test_a_file_without_long_texts_is_read_where_it_lies() -> None:
    stream = io.BytesIO(encode(pnginfo=_text("a few words")))
    image = open_png(stream)
    assert image.fp is stream
    assert image.text == {"Comment": "a few words"}


def _text(words: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", words)
    return info


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (64, 5), (65, 5), (200, 90)])
def test_what_is_written_is_read_as_it_was(tmp_path: Path, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for given in (pixels, np.zeros_like(pixels), np.ascontiguousarray(pixels[::-1])[::-1]):
        write_png(tmp_path / "a.png", given)
        with Image.open(tmp_path / "a.png") as image:
            assert image.mode == "RGB"
            assert np.array_equal(np.asarray(image), given)


def test_what_is_written_is_about_as_small_as_pillow_makes_it(tmp_path: Path) -> None:
    steps = np.random.default_rng(2).normal(0, 2, (300, 300, 3)).cumsum(axis=0).cumsum(axis=1)
    pixels = (128 + 100 * np.sin(steps / 300)).astype(np.uint8)
    write_png(tmp_path / "ours.png", pixels)
    Image.fromarray(pixels).save(tmp_path / "pillow.png", compress_level=1)
    assert (tmp_path / "ours.png").stat().st_size < 1.25 * (tmp_path / "pillow.png").stat().st_size
