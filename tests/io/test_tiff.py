"""TIFF: values of any depth at their full scale, bands that are no alpha, one page of many, and no word on standard error."""

import io
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from oddlens.io.decoding import decode
from oddlens.io.pixels import UnreadableError
from tests.small_tiff import write_tiff

COMPRESSIONS = ["tiff_lzw", "tiff_adobe_deflate", "packbits"]


def noise(height: int = 30, width: int = 40, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def read(data: bytes, max_megapixels: float = 1.0) -> np.ndarray:
    return decode(io.BytesIO(data), max_megapixels, [])[0]


def notes_on(data: bytes) -> list[str]:
    notes: list[str] = []
    decode(io.BytesIO(data), 1.0, notes)
    return notes


def sentence_on(data: bytes, max_megapixels: float = 1.0) -> str:
    with pytest.raises(UnreadableError) as error:
        read(data, max_megapixels)
    return str(error.value)


def encode(pixels: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "TIFF", **options)
    return stream.getvalue()


class TestDepth:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("channels", [1, 3])
    @pytest.mark.parametrize("bits", [10, 12, 14])
    def test_values_of_fewer_than_16_bits_are_scaled_by_their_own_full_scale(
        self, bits: int, channels: int, order: str
    ) -> None:
        values = np.random.default_rng(0).integers(0, 2**bits, (30, 40, channels))
        values[0, 0], values[0, 1] = 0, 2**bits - 1
        data = write_tiff(values, bits, order=order)
        expected = np.rint(values * 255 / (2**bits - 1)).astype(np.uint8)
        assert np.array_equal(read(data), np.broadcast_to(expected, (30, 40, 3)))
        assert notes_on(data) == [f"{bits}-bit values scaled to 0..255"]

    def test_12_bits_made_of_8_come_back_exactly(self) -> None:
        grey = noise(channels=1).astype(np.uint16)
        assert np.array_equal(read(write_tiff((grey << 4) | (grey >> 4), 12))[..., :1], grey)

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    def test_16_bits_keep_their_high_byte(self, compression: str) -> None:
        values = np.random.default_rng(0).integers(0, 65536, (30, 40), dtype=np.uint16)
        assert np.array_equal(read(encode(values, compression=compression))[..., 0], values >> 8)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_float_values_are_scaled_from_0_to_1(self, channels: int) -> None:
        values = noise(channels=channels)
        data = write_tiff(values / 255)
        assert np.array_equal(read(data), np.broadcast_to(values, (30, 40, 3)))
        assert notes_on(data) == ["float values 0..1 scaled to 0..255"]

    @pytest.mark.parametrize("channels", [1, 3])
    def test_float_values_beyond_0_to_1_are_refused(self, channels: int) -> None:
        data = write_tiff(np.full((3, 4, channels), 200.0))
        assert sentence_on(data).startswith("has float values from 200 to 200, but they must lie in 0..1: divide")

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_float_values_with_holes_are_refused(self, value: float) -> None:
        assert sentence_on(write_tiff(np.full((3, 4, 3), value))).startswith("has values that are NaN or infinite: rep")

    @pytest.mark.parametrize("bits", [12, 16, 32])
    def test_deep_grey_with_white_as_zero_is_refused_since_it_would_be_read_as_a_negative(self, bits: int) -> None:
        values = noise(channels=1) / 255 if bits == 32 else noise(channels=1)
        assert "white as zero: save it with black as zero" in sentence_on(write_tiff(values, bits, photometric=0))

    def test_unusual_colours_are_refused_since_they_would_be_misread(self) -> None:
        assert "is a TIFF with an unusual kind of colours" in sentence_on(write_tiff(noise() / 255, photometric=8))


class TestBands:
    @pytest.mark.parametrize("bits", [8, 12, 16, 32])
    def test_a_fourth_band_that_is_said_to_be_no_alpha_changes_nothing(self, bits: int) -> None:
        values = noise(channels=4) / 255 if bits == 32 else noise(channels=4).astype(np.uint16) << (bits - 8)
        colours = read(write_tiff(values[..., :3], bits))
        data = write_tiff(values, bits, extra=0)
        assert np.array_equal(read(data), colours)
        assert "transparent parts shown on white" not in notes_on(data)

    @pytest.mark.parametrize("bits", [8, 12, 16, 32])
    def test_a_fourth_band_that_is_said_to_be_alpha_shows_the_picture_on_white(self, bits: int) -> None:
        full = 1.0 if bits == 32 else 2**bits - 1
        values = np.zeros((3, 4, 4), np.float32 if bits == 32 else np.uint16)
        values[0, 0, 3] = full
        data = write_tiff(values, bits, extra=2)
        assert read(data)[0, 0].tolist() == [0, 0, 0]
        assert read(data)[2, 3].tolist() == [255, 255, 255]
        assert "transparent parts shown on white" in notes_on(data)

    @pytest.mark.parametrize("bits", [8, 16])
    def test_a_band_beside_grey_that_is_no_alpha_changes_nothing(self, bits: int) -> None:
        values = noise(channels=2).astype(np.uint16) << (bits - 8)
        assert np.array_equal(read(write_tiff(values, bits, extra=0))[..., 0], noise(channels=2)[..., 0])

    @pytest.mark.parametrize(("channels", "extra"), [(4, 1), (2, 2), (2, 1)])
    def test_transparency_that_would_be_misread_is_refused(self, channels: int, extra: int) -> None:
        bits = 32 if channels == 4 else 16
        values = noise(channels=channels) / 255 if channels == 4 else noise(channels=channels)
        assert "is transparent in an unusual way: save it" in sentence_on(write_tiff(values, bits, extra=extra))


class TestPages:
    @pytest.mark.parametrize("values", [noise(), noise() / 255], ids=["8 bits", "float"])
    def test_of_several_pages_the_first_is_read_with_a_note(self, values: np.ndarray) -> None:
        data = write_tiff(values, 8 if values.dtype == np.uint8 else 32, pages=3)
        assert np.array_equal(read(data), noise())
        assert "the first of several images in the file" in notes_on(data)

    def test_tens_of_thousands_of_pages_are_not_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pillow counts them in quadratic time: 98 seconds of 60,000."""
        loaded = []
        directory = "PIL.TiffImagePlugin.ImageFileDirectory_v2.load"
        from PIL.TiffImagePlugin import ImageFileDirectory_v2

        load = ImageFileDirectory_v2.load
        monkeypatch.setattr(directory, lambda self, stream: loaded.append(1) or load(self, stream))
        data = write_tiff(noise(), 8, pages=20_000)
        assert np.array_equal(read(data), noise())
        assert len(loaded) < 10


class TestDamage:
    @pytest.mark.parametrize("compression", COMPRESSIONS)
    def test_damaged_data_are_refused_or_read_without_a_word_on_standard_error(
        self, compression: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        data = bytearray(encode(noise(300, 400), compression=compression))
        middle = len(data) // 2
        data[middle : middle + 200] = bytes(255 - value for value in data[middle : middle + 200])
        if compression != "packbits":
            assert sentence_on(bytes(data)).startswith("is damaged or cut short")
        else:  # there every byte has a meaning
            assert read(bytes(data)).shape == (300, 400, 3)
        assert capfd.readouterr().err == ""

    def test_more_bands_than_can_be_decoded_are_refused_without_a_word_on_standard_error(self) -> None:
        """In a process of its own: pytest listens to what is logged."""
        data = bytearray(write_tiff(noise(), 8))
        place = data.index(struct.pack("<HHI", 277, 3, 1))
        struct.pack_into("<H", data, place + 8, 19)
        code = "import io, sys; from oddlens.io.images import read_image; read_image(sys.stdin.buffer.read())"
        done = subprocess.run([sys.executable, "-c", code], input=bytes(data), capture_output=True)
        lines = done.stderr.decode().splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert lines[-1].startswith("oddlens.errors.ImageError: the image is ")

    def test_float_values_cut_short_are_refused_without_a_word_on_standard_error(
        self, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert sentence_on(write_tiff(noise() / 255)[:-100]).startswith("is damaged, or a kind of TIFF unknown here: s")
        assert capfd.readouterr().err == ""

    def test_jpeg_data_within_a_tiff_of_which_some_are_missing_are_refused(self) -> None:
        data = encode(noise(300, 400), compression="jpeg")
        assert np.abs(read(data).astype(int) - noise(300, 400)).mean() < 60
        tags = Image.open(io.BytesIO(data)).tag_v2  # type: ignore[attr-defined]
        place, length = tags[273][1], tags[279][1]
        half = place + length // 2
        cut = data[:half] + b"\xff\xd9" + b"\0" * (place + length - half - 2) + data[place + length :]
        assert sentence_on(cut) == (
            f"is damaged or cut short (data are missing in part 2 of {len(tags[273])}): save or copy it again"
        )

    def test_a_bomb_of_a_kind_only_opencv_reads_is_refused_by_its_header(self) -> None:
        data = bytearray(write_tiff(np.zeros((1, 1, 3))))
        struct.pack_into("<HHII", data, 10, 256, 4, 1, 100_000)
        struct.pack_into("<HHII", data, 22, 257, 4, 1, 100_000)
        assert sentence_on(bytes(data)).startswith("has 100000 x 100000 pixels, more than the limit of 1 megapixels")

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    def test_the_limit_given_is_the_only_one(self, compression: str, monkeypatch: pytest.MonkeyPatch) -> None:
        data = encode(noise(), compression=compression)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        assert np.array_equal(read(data), noise())


def test_a_long_decoding_keeps_no_other_thread_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, released = threading.Event(), threading.Event()
    data = encode(noise(), compression="tiff_lzw")
    from PIL.TiffImagePlugin import TiffImageFile

    load = TiffImageFile.load

    def slow(image: TiffImageFile) -> object:
        begun.set()
        assert released.wait(30)
        return load(image)

    monkeypatch.setattr(TiffImageFile, "load", slow)
    decoding = threading.Thread(target=read, args=(data,))
    decoding.start()
    try:
        assert begun.wait(30)
        started = time.monotonic()
        stream = io.BytesIO()
        Image.fromarray(noise()).save(stream, "PNG")
        assert np.array_equal(read(stream.getvalue()), noise())
        assert decoding.is_alive(), f"waited {time.monotonic() - started:.1f} s"
    finally:
        released.set()
        decoding.join()
