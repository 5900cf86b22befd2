"""A JPEG gives its pixels only where all of its data are there; whole ones are read whatever encoder made them."""

import contextlib
import io
import re
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from oddlens.io import jpeg
from oddlens.io.pixels import UnreadableError

ENCODINGS: dict[str, dict[str, object]] = {
    "plain": {},
    "fine": {"quality": 95, "subsampling": 0},
    "coarse": {"quality": 5},
    "own codes": {"optimize": True},
    "restarts by row": {"restart_marker_rows": 1},
    "restarts by block": {"restart_marker_blocks": 1},
    "progressive": {"progressive": True},
    "progressive with restarts": {"progressive": True, "restart_marker_blocks": 5},
}
END = b"\xff\xd9"


def scene(height: int = 160, width: int = 200) -> Image.Image:
    """Soft shapes under noise: no row and no block is flat."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    soft = 128 + 60 * np.sin(x / 17) + 40 * np.cos(y / 11)
    return Image.fromarray((soft[..., None] + rng.normal(0, 8, (height, width, 3))).clip(0, 255).astype(np.uint8))


def encode(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def read(data: bytes, notes: list[str] | None = None) -> np.ndarray:
    image = JpegImageFile(io.BytesIO(data))
    jpeg.load(image, [] if notes is None else notes)
    return np.asarray(image)


def by_pillow(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def sentence_on(data: bytes) -> str:
    with pytest.raises(UnreadableError) as error:
        read(data)
    return str(error.value)


def first_scan(data: bytes) -> int:
    """Where the data of the first scan begin."""
    header = data.index(b"\xff\xda") + 2
    return header + int.from_bytes(data[header : header + 2])


def scans(data: bytes) -> list[int]:
    """Where the headers of the scans begin."""
    return [found.start() for found in re.finditer(b"\xff\xda", data)]


@pytest.fixture(params=[(name, mode) for name in ENCODINGS for mode in ("RGB", "L", "CMYK")], ids=str)
def whole(request: pytest.FixtureRequest) -> bytes:
    name, mode = request.param
    return encode(scene().convert(mode), **ENCODINGS[name])


class TestWhole:
    def test_a_whole_file_gives_pillows_pixels(self, whole: bytes) -> None:
        notes: list[str] = []
        assert np.array_equal(read(whole, notes), by_pillow(whole))
        assert notes == []

    @pytest.mark.parametrize("ending", [b"", b"\xff"], ids=["nothing", "half an end mark"])
    def test_a_file_that_lacks_only_its_end_mark_is_read(self, whole: bytes, ending: bytes) -> None:
        assert np.array_equal(read(whole.removesuffix(END) + ending), by_pillow(whole))

    @pytest.mark.parametrize("behind", [b"\0" * 1000, b"\xff" * 5, b"\xff\xd8\xff\xe1 another image", b"\r\n"])
    def test_what_follows_the_end_mark_does_not_matter(self, whole: bytes, behind: bytes) -> None:
        assert np.array_equal(read(whole + behind), by_pillow(whole))

    @pytest.mark.parametrize("padding", [b"\0", b"\0" * 100, b"\xff" * 3, b"\x01\x02\x03"])
    def test_an_encoder_may_pad_the_data_before_the_end_mark(self, whole: bytes, padding: bytes) -> None:
        notes: list[str] = []
        assert np.array_equal(read(whole.removesuffix(END) + padding + END, notes), by_pillow(whole))
        assert notes == []

    @pytest.mark.parametrize("size", [(1, 1), (7, 9), (8, 8), (16, 16), (17, 33), (1, 500), (500, 1)])
    @pytest.mark.parametrize("subsampling", [0, 1, 2])
    def test_any_size_is_read(self, size: tuple[int, int], subsampling: int) -> None:
        for options in ENCODINGS.values():
            data = encode(scene(*size), **{"subsampling": subsampling, **options})
            assert np.array_equal(read(data), by_pillow(data))

    @pytest.mark.parametrize("grey", [0, 127, 128, 255])
    def test_a_picture_of_one_grey_is_whole(self, grey: int) -> None:
        """What a decoder paints where data are missing is such a grey."""
        for options in ENCODINGS.values():
            data = encode(Image.new("RGB", (100, 80), (grey, grey, grey)), **options)
            assert np.array_equal(read(data), by_pillow(data))

    @given(st.integers(1, 100), st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
    def test_pictures_of_any_content_and_quality_are_whole(
        self, quality: int, height: int, width: int, seed: int, progressive: bool
    ) -> None:
        rng = np.random.default_rng(seed)
        pixels = rng.integers(0, rng.integers(1, 257), (height, width, 3), dtype=np.uint8)
        data = encode(Image.fromarray(pixels), quality=quality, progressive=progressive)
        assert np.array_equal(read(data), by_pillow(data))

    @pytest.mark.parametrize("options", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 3]])
    def test_another_encoder_is_read_too(self, options: list[int]) -> None:
        data = cv2.imencode(".jpg", np.asarray(scene()), options)[1].tobytes()
        assert np.array_equal(read(data), by_pillow(data))

    def test_thumbnails_comments_and_profiles_before_the_picture_are_passed_over(self) -> None:
        thumbnail = encode(scene(16, 16))
        exif = b"Exif\0\0" + thumbnail
        data = encode(scene(), exif=exif, comment=b"\xff\xd9 no end", icc_profile=b"\xff\xda" * 40_000)
        assert np.array_equal(read(data), by_pillow(data))

    @pytest.mark.parametrize("number", [0, 1])
    def test_any_of_several_pictures_is_read(self, number: int) -> None:
        stream = io.BytesIO()
        scene().save(stream, "MPO", save_all=True, append_images=[scene(50, 50)])
        image = Image.open(stream)
        image.seek(number)
        jpeg.load(image, [])  # type: ignore[arg-type]
        assert np.array_equal(np.asarray(image), by_pillow(encode([scene(), scene(50, 50)][number])))


class TestMissing:
    @pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
    @pytest.mark.parametrize("ending", [b"", END], ids=["open", "end mark put back"])
    def test_a_file_cut_short_is_refused(self, whole: bytes, kept: float, ending: bytes) -> None:
        start = first_scan(whole)
        data = whole[: start + int(kept * (len(whole) - start))] + ending
        assert sentence_on(data).startswith("is damaged or cut short (data are missing ")

    def test_the_sentence_says_where(self) -> None:
        data = encode(scene(160), subsampling=0)
        height = 160
        start = first_scan(data)
        half = data[: start + (len(data) - start) // 2] + END
        found = re.fullmatch(
            r"is damaged or cut short \(data are missing at or above row (\d+) of 160\): save or copy it again",
            sentence_on(half),
        )
        assert found
        row = int(found[1])
        assert abs(row - height / 2) < 16
        assert np.array_equal(by_pillow(half)[: row - 8], by_pillow(data)[: row - 8])  # what is above is whole

    @pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
    @pytest.mark.parametrize("name", ["plain", "fine", "restarts by row", "restarts by block"])
    def test_a_file_with_a_kilobyte_missing_inside_is_refused(self, name: str, mode: str) -> None:
        data = encode(scene().convert(mode), **{"quality": 90, **ENCODINGS[name]})
        start = first_scan(data)
        for share in (0.1, 0.4, 0.7):
            place = start + int(share * (len(data) - start))
            assert "data are missing" in sentence_on(data[:place] + data[place + 1000 :])

    def test_a_lost_restart_interval_is_refused(self) -> None:
        data = encode(scene(), restart_marker_rows=1)
        marks = [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", data)]
        assert "data are missing" in sentence_on(data[: marks[2]] + data[marks[3] :])

    def test_the_last_restart_intervals_of_a_scan_among_several_are_missed(self) -> None:
        data = encode(scene(), progressive=True, restart_marker_rows=1)
        end = scans(data)[1]
        marks = [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", data[:end])]
        tables = data[marks[-1] : end].find(b"\xff\xc4")
        rest = data[end:] if tables < 0 else data[marks[-1] + tables :]
        assert "data are missing in or after its scan 1" in sentence_on(data[: marks[-1]] + rest)

    def test_a_whole_lost_scan_is_refused_where_the_end_is_lost_too(self) -> None:
        data = encode(scene(), progressive=True)
        assert "data are missing in or after its scan" in sentence_on(data[: scans(data)[-1]])

    def test_a_scan_less_before_an_end_mark_may_be_meant_and_is_noted(self) -> None:
        notes: list[str] = []
        data = encode(scene(), progressive=True)
        fewer = data[: scans(data)[-1]] + END
        assert np.array_equal(read(fewer, notes), by_pillow(fewer))
        assert notes == ["its data leave out the finest details"]

    def test_bytes_beyond_the_last_pixel_are_noted(self) -> None:
        notes: list[str] = []
        data = encode(scene(), quality=90)
        place = first_scan(data) + 1000
        read(data[:place] + data[place - 500 : place] + data[place:], notes)
        assert notes == ["its data hold more than its pixels need, so that it may be damaged"]

    def test_restart_markers_beyond_the_last_pixel_do_not_matter(self) -> None:
        data = encode(scene(160), restart_marker_rows=1)
        frame = data.index(b"\xff\xc0")
        cropped = data[: frame + 5] + struct.pack(">H", 80) + data[frame + 7 :]
        assert np.array_equal(read(cropped)[:64], by_pillow(data)[:64])
        last = cropped.rindex(b"\xff\xd0")
        assert np.array_equal(read(cropped[: last + 1] + b"\xd5" + cropped[last + 2 :]), read(cropped))

    def test_a_frame_that_is_larger_than_its_data_is_refused(self) -> None:
        data = bytearray(encode(scene()))
        frame = data.index(b"\xff\xc0")
        struct.pack_into(">H", data, frame + 5, 320)
        assert sentence_on(bytes(data)).endswith("of 320): save or copy it again")

    @given(st.sampled_from(list(ENCODINGS)), st.data())
    def test_whatever_bytes_are_changed_it_is_read_or_refused(self, name: str, draw: st.DataObject) -> None:
        data = bytearray(encode(scene(24, 32), **ENCODINGS[name]))
        for place in draw.draw(st.lists(st.integers(first_scan(bytes(data)), len(data) - 1), max_size=4)):
            data[place] = draw.draw(st.integers(0, 255))
        with contextlib.suppress(UnreadableError, OSError):
            assert read(bytes(data)).shape == (24, 32, 3)
