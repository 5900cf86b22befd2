"""Encoded images are decoded by content, upright, and never beyond what their header promises."""

import contextlib
import io
import struct
import warnings
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import ExifTags, Image

from oddlens.io.decoding import (
    FORMAT_NAMES,
    FORMAT_OF_SUFFIX,
    FORMATS,
    KNOWN_FORMATS,
    decode,
    decode_pil,
    decode_stored,
)
from oddlens.io.pixels import UnreadableError
from tests.small_tiff import write_tiff

LOSSLESS = {
    "PNG": {},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
    "WebP": {"lossless": True},
    "PPM": {},
    "JPEG 2000": {},
}
LOSSY = {"JPEG": {"quality": 95, "subsampling": 0}, "GIF": {}, "AVIF": {"quality": 95}, "HEIF": {"quality": 95}}
READABLE = {form.name for form in FORMATS}
LOSSLESS = {form: options for form, options in LOSSLESS.items() if form in READABLE}
LOSSY = {form: options for form, options in LOSSY.items() if form in READABLE}
ORIENTATIONS = range(1, 9)

if "HEIF" in READABLE:
    import pillow_heif

    pillow_heif.register_heif_opener()


def noise(height: int = 30, width: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encode(pixels: np.ndarray, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form.replace(" ", ""), **options)
    return stream.getvalue()


def read(data: bytes, max_megapixels: float = 1.0) -> np.ndarray:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            return decode(io.BytesIO(data), max_megapixels, [])[0]
        finally:
            assert heard == [], "a decoder's warning leaked"


def notes_on(data: bytes) -> list[str]:
    notes: list[str] = []
    decode(io.BytesIO(data), 1.0, notes)
    return notes


def sentence_on(data: bytes, max_megapixels: float = 1.0) -> str:
    with pytest.raises(UnreadableError) as error:
        read(data, max_megapixels)
    sentence = str(error.value)
    assert sentence.isprintable()
    return sentence


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return start + struct.pack(">I", 1000) + b"IDAT"


def test_there_is_a_test_for_every_format() -> None:
    assert {*LOSSLESS, *LOSSY} == READABLE


def test_each_suffix_belongs_to_a_format_that_can_be_read_here() -> None:
    assert {form.name for form in FORMAT_OF_SUFFIX.values()} == READABLE
    assert FORMAT_OF_SUFFIX[".jpe"].name == "JPEG"


@pytest.mark.parametrize("form", LOSSLESS)
def test_lossless_formats_give_their_exact_pixels(form: str) -> None:
    pixels, found = decode(io.BytesIO(encode(noise(), form, **LOSSLESS[form])), 1.0, [])
    assert np.array_equal(pixels, noise())
    assert found.name == form


@pytest.mark.parametrize("form", LOSSY)
def test_lossy_formats_give_pillows_pixels(form: str) -> None:
    data = encode(noise(), form, **LOSSY[form])
    pixels, found = decode(io.BytesIO(data), 1.0, [])
    assert np.array_equal(pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert found.name == form


@pytest.mark.parametrize("form", ["AVIF", "HEIF", "JPEG 2000"])
def test_a_format_that_this_installation_lacks_is_named_with_what_it_needs(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form not in READABLE:
        pytest.skip(f"{form} cannot be written here")
    data = encode(noise(), form, **(LOSSLESS | LOSSY)[form])
    lacking = tuple(replace(each, lacking="reading it needs X") if each.name == form else each for each in FORMATS)
    monkeypatch.setattr("oddlens.io.decoding.KNOWN_FORMATS", lacking)
    assert sentence_on(data) == f"is an image in the format {form}, and reading it needs X"


@pytest.mark.parametrize(
    "brands", [b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0mif1heic", b"mif1\0\0\0\0heicavif", b"avis\0\0\0\0"]
)
def test_pictures_in_boxes_are_known_by_any_of_their_brands(brands: bytes) -> None:
    wanted = "AVIF" if b"avi" in brands else "HEIF"
    found = next(form for form in KNOWN_FORMATS if form.signature.match(b"\0\0\0\x18ftyp" + brands + bytes(40)))
    assert found.name == wanted


@given(st.tuples(st.integers(1, 20), st.integers(1, 20)).flatmap(lambda size: hnp.arrays(np.uint8, (*size, 3))))
def test_any_pixels_come_back_from_png(pixels: np.ndarray) -> None:
    assert np.array_equal(read(encode(pixels, "PNG")), pixels)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_pictures_keep_their_high_byte_whatever_the_format(suffix: str, channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (30, 40, channels), dtype=np.uint16)
    if channels == 4:
        values[..., 3] = 65535
    stored = values if channels == 1 else values[..., [2, 1, 0, 3][:channels]]
    data = cv2.imencode(f".{suffix}", stored)[1].tobytes()
    assert np.array_equal(read(data), np.broadcast_to((values >> 8)[..., :3], (30, 40, 3)))
    assert notes_on(data) == ["16-bit values reduced to their high byte"]


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """How pixels stored with an EXIF orientation are meant to be looked at (Exif 2.32, tag 274)."""
    turn = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}.get(orientation, 0)
    pixels = np.rot90(pixels, turn)
    return pixels[:, ::-1] if orientation in (2, 4, 5, 7) else pixels


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WebP"])
def test_pictures_are_turned_upright_by_their_exif_orientation(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encode(noise(), form, exif=exif, **LOSSLESS[form])
    assert np.array_equal(read(data), turned(noise(), orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("form", ["JPEG", "AVIF", "HEIF"])
def test_lossy_pictures_are_turned_upright_too(form: str, orientation: int) -> None:
    if form not in READABLE:
        pytest.skip(f"{form} cannot be read here")
    pixels = np.kron(noise(3, 4), np.ones((16, 16, 1), np.uint8))
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image.info["exif"] = exif.tobytes()  # this is where the writer of HEIF looks for it
    stream = io.BytesIO()
    image.save(stream, form, **LOSSY[form], **({} if form == "HEIF" else {"exif": exif}))
    found = read(stream.getvalue()).astype(int)
    assert np.abs(found - turned(pixels, orientation)).mean() < 6


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_float_tiffs_are_turned_upright_too(orientation: int) -> None:
    assert np.array_equal(read(write_tiff(noise() / 255, orientation=orientation)), turned(noise(), orientation))


def test_a_pillow_image_is_turned_upright_and_left_as_it_was() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    image = Image.open(io.BytesIO(encode(noise(), "PNG", exif=exif)))
    assert np.array_equal(decode_pil(image, 1.0, []), turned(noise(), 6))
    assert image.size == (40, 30)
    assert image.getexif()[ExifTags.Base.Orientation] == 6


def test_a_pillow_image_that_was_not_decoded_yet_is_judged_as_its_file_is() -> None:
    data = encode(noise(200, 200), "JPEG")
    image = Image.open(io.BytesIO(data[: len(data) // 2] + b"\xff\xd9"))
    with pytest.raises(UnreadableError, match="is damaged or cut short \\(data are missing at or above row"):
        decode_pil(image, 1.0, [])
    image = Image.open(io.BytesIO(write_tiff(np.full((3, 4), 4095), 12)))
    assert decode_pil(image, 1.0, []).min() == 255


def test_damaged_exif_data_are_noted_and_the_picture_is_read() -> None:
    data = encode(noise(), "PNG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03")
    assert np.array_equal(read(data), noise())
    data = encode(noise(), "PNG", exif=b"Exif\0\0nonsense")
    assert np.array_equal(read(data), noise())
    assert notes_on(data) == ["its EXIF data are damaged, so that it may lie on its side"]


@pytest.mark.parametrize("form", ["GIF", "TIFF", "WebP", "PNG", "AVIF", "HEIF"])
def test_of_several_frames_or_pages_the_first_is_read_with_a_note(form: str) -> None:
    if form not in READABLE:
        pytest.skip(f"{form} cannot be read here")
    frames = [Image.new("RGB", (8, 6), (value, value, value)) for value in (0, 100, 200)]
    stream = io.BytesIO()
    frames[0].save(stream, form, save_all=True, append_images=frames[1:])
    assert np.array_equal(read(stream.getvalue()), np.zeros((6, 8, 3), np.uint8))
    assert notes_on(stream.getvalue()) == ["the first of several images in the file"]


def test_a_gif_damaged_behind_its_first_frame_is_read_with_a_note() -> None:
    first = encode(noise(), "GIF")[:-1]
    assert np.array_equal(read(first + b"\x2c\0\0"), read(first + b";"))
    assert notes_on(first + b"\x2c\0\0") == ["the first image of the file, which is damaged behind it"]


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("form", [*LOSSLESS, *LOSSY])
def test_a_file_cut_short_is_refused_and_never_half_read(form: str, kept: float) -> None:
    data = encode(noise(), form, **(LOSSLESS | LOSSY)[form])
    sentence = sentence_on(data[: int(len(data) * kept)])
    assert sentence.startswith("is damaged or cut short")
    assert sentence.endswith("save or copy it again")


@given(st.sampled_from([*LOSSLESS, *LOSSY]), st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_bytes_are_damaged_the_file_is_read_or_refused_with_a_sentence(form: str, data: st.DataObject) -> None:
    intact = encode(noise(6, 8), form, **(LOSSLESS | LOSSY)[form])
    damaged = bytearray(intact)
    for place, value in data.draw(
        st.dictionaries(st.integers(0, len(intact) - 1), st.integers(0, 255), max_size=8)
    ).items():
        damaged[place] = value
    with contextlib.suppress(UnreadableError):
        pixels = read(bytes(damaged), 0.01)
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == 3


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_with_a_sentence(data: bytes) -> None:
    assert sentence_on(data)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty (0 bytes): save or copy it again"),
        (b"just words\n", f"is a text file: give one of {FORMAT_NAMES}"),
        ("größe;maß\n".encode(), f"is a text file: give one of {FORMAT_NAMES}"),
        (bytes(range(64)), f"is no image of a known format: give one of {FORMAT_NAMES}"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "is a Git LFS pointer, not the image: fetch it with `git lfs pull`",
        ),
        (b"\0\0\0\x18ftypmp42\0\0", "is a video, or an image in a video's format: save it as PNG or JPEG"),
        (b"%PDF-1.7\n", "is a PDF document: save its image as PNG or JPEG"),
        (b"PK\x03\x04\0\0", "is a ZIP archive: unpack it first"),
    ],
)
def test_what_is_no_picture_is_called_by_its_name(data: bytes, sentence: str) -> None:
    assert sentence_on(data) == sentence


def test_a_decompression_bomb_is_refused_by_its_header_without_a_warning() -> None:
    assert sentence_on(png_header(100_000, 100_000), 128) == (
        "has 100000 x 100000 pixels, more than the limit of 128 megapixels: "
        "cut it into tiles, make it smaller, or raise max_megapixels (on the command line --set max_megapixels=N; for all "
        "programs ODDLENS_MAX_MEGAPIXELS)"
    )


def test_the_limit_is_inclusive() -> None:
    data = encode(np.zeros((10, 100, 3), np.uint8), "PNG")
    assert read(data, 0.001).shape == (10, 100, 3)
    assert sentence_on(data, 0.000999).startswith("has 100 x 10 pixels, more than the limit of 0.000999 megapixels")


@pytest.mark.parametrize("form", [*LOSSLESS, *LOSSY])
def test_the_limit_given_is_the_only_one_and_pillows_own_warning_is_not_heard(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(noise(), form, **(LOSSLESS | LOSSY)[form])
    for limit in (30 * 40 - 1, 30 * 40 // 2 - 1):  # beyond the double Pillow refuses, up to there it warns
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert read(data).shape == (30, 40, 3)


def test_a_picture_that_does_not_fit_into_memory_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(image: Image.Image) -> None:
        raise MemoryError

    data = encode(noise(), "PNG")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", no_memory)
    assert sentence_on(data) == "does not fit into the free memory: cut it into tiles or make it smaller"


def test_values_are_kept_as_they_are_stored_where_they_mean_something() -> None:
    numbers = np.arange(256, dtype=np.uint8).reshape(16, 16)
    palette = Image.fromarray(numbers, "P")
    palette.putpalette([0] * 768)
    for image in (palette, Image.fromarray(numbers), Image.fromarray(numbers.astype(np.uint16) * 3)):
        stream = io.BytesIO()
        image.save(stream, "PNG")
        stream.seek(0)
        (stored,) = decode_stored(stream, 1.0)
        assert np.array_equal(np.asarray(stored), np.asarray(image))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG"])
def test_stored_values_are_turned_upright_as_pictures_are(form: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = encode(noise(), form, exif=exif)
    (stored,) = decode_stored(io.BytesIO(data), 1.0)
    assert np.array_equal(np.asarray(stored), read(data))


@pytest.mark.parametrize("form", ["TIFF", "GIF", "PNG"])
def test_all_pages_are_read_where_values_mean_something(form: str) -> None:
    pages = [Image.new("L", (4, 3), value) for value in (0, 7, 200)]
    stream = io.BytesIO()
    pages[0].save(stream, form, save_all=True, append_images=pages[1:])
    found = decode_stored(io.BytesIO(stream.getvalue()), 1.0)
    assert [np.asarray(page.convert("L")).tolist() for page in found] == [np.asarray(page).tolist() for page in pages]
    with pytest.raises(UnreadableError, match="more images than are read here"):
        decode_stored(io.BytesIO(stream.getvalue()), 30 / 1e6)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_of_16_bit_colours_the_largest_is_kept_and_nothing_of_what_is_transparent(suffix: str) -> None:
    deep = np.zeros((1, 3, 4), np.uint16)
    deep[0, :, 3] = 65535, 1, 0
    deep[0, :, 1] = 1, 300, 9
    (stored,) = decode_stored(io.BytesIO(cv2.imencode(suffix, deep)[1].tobytes()), 1.0)
    assert np.asarray(stored).tolist() == [[1, 300, 0]]
    (opaque,) = decode_stored(io.BytesIO(cv2.imencode(suffix, deep[..., :3])[1].tobytes()), 1.0)
    assert np.asarray(opaque).tolist() == [[1, 300, 9]]


def test_the_limit_of_size_holds_where_values_mean_something() -> None:
    with pytest.raises(UnreadableError, match="more than the limit of 1 megapixels"):
        decode_stored(io.BytesIO(png_header(2000, 2000)), 1.0)
