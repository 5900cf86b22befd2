"""Pictures in: every kind of input people have, and every mistake they make."""

import errno
import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from oddlens.errors import ImageError, TooLargeError, UsageError
from oddlens.io.decoding import FORMAT_NAMES
from oddlens.io.images import DEFAULT_MAX_MEGAPIXELS, ImageInput, read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def save(path: Path, form: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PIXELS).save(path, form)
    return path


def sentence_on(image: ImageInput, name: str | None = None) -> str:
    with pytest.raises(ImageError) as error:
        read_image(image, name)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


class TestReading:
    def test_a_path_bytes_a_pillow_image_and_an_array_give_the_same_picture(self, tmp_path: Path) -> None:
        path = save(tmp_path / "part.png")
        for image in (path, str(path), path.read_bytes(), Image.open(path), Image.fromarray(PIXELS), PIXELS):
            picture = read_image(image)
            assert np.array_equal(picture.pixels, PIXELS)
            assert picture.pixels.dtype == np.uint8
            assert picture.size == (8, 6)
            assert picture.note is None

    def test_a_picture_of_one_pixel_is_a_picture(self) -> None:
        assert read_image(np.zeros((1, 1), np.uint8)).size == (1, 1)

    def test_the_source_is_the_path_as_given_or_the_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        save(tmp_path / "a" / "part.png")
        monkeypatch.chdir(tmp_path)
        assert read_image("a/../a/part.png").source == "a/../a/part.png"
        assert read_image(Path("a/part.png"), "image 3").source == "image 3"
        assert read_image(PIXELS, "image 3").source == "image 3"
        assert read_image(PIXELS).source == "the image"

    @pytest.mark.parametrize(
        "name",
        ["two\nlines.png", "with space.png", "-rf.png", "🔩.png", "Prüfling μ.png", "a[0]*?.png", "none", ".hidden"],
    )
    def test_odd_file_names_are_fine(self, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        save(tmp_path / name, "PNG")
        monkeypatch.chdir(tmp_path)
        assert np.array_equal(read_image(name).pixels, PIXELS)

    def test_a_file_name_that_is_no_text_is_fine(self, tmp_path: Path) -> None:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
        save(path, "PNG")
        assert np.array_equal(read_image(path).pixels, PIXELS)

    def test_a_mislabelled_picture_is_read_by_content_with_a_note(self, tmp_path: Path) -> None:
        save(tmp_path / "part.PNG", "JPEG")
        assert read_image(tmp_path / "part.PNG").note == "named .PNG but holds JPEG, and was read as that"

    @pytest.mark.parametrize("name", ["part.jpg", "part.jpeg", "part.JPG", "part.dat", "part"])
    def test_a_suffix_that_does_not_contradict_is_not_worth_a_note(self, tmp_path: Path, name: str) -> None:
        save(tmp_path / name, "JPEG")
        assert read_image(tmp_path / name).note is None

    def test_several_notes_make_one_line(self, tmp_path: Path) -> None:
        pages = [Image.fromarray(np.full((2, 2), 65535, np.uint16)) for _ in range(2)]
        pages[0].save(tmp_path / "part.png", "TIFF", save_all=True, append_images=pages[1:])
        assert read_image(tmp_path / "part.png").note == (
            "16-bit values reduced to their high byte; the first of several images in the file; "
            "named .png but holds TIFF, and was read as that"
        )

    def test_what_speaks_against_a_picture_is_a_doubt_and_what_was_just_done_is_none(self) -> None:
        deep = read_image(np.full((2, 2), 65535, np.uint16))
        assert (deep.note, deep.doubt) == ("16-bit values reduced to their high byte", None)
        dark = read_image(np.full((2, 2), 4095, np.uint16))
        assert dark.doubt == dark.note
        assert "nearly black" in str(dark.doubt)

    @pytest.mark.parametrize("opacity", [65535, 0])
    def test_a_dark_png_with_an_opacity_channel_is_doubtful_too(self, tmp_path: Path, opacity: int) -> None:
        values = np.full((4, 4, 4), 4095, np.uint16)
        values[..., 3] = 65535
        values[0, 0, 3] = opacity
        cv2.imwrite(str(tmp_path / "deep.png"), values)
        assert "nearly black" in str(read_image(tmp_path / "deep.png").doubt)

    def test_the_file_is_closed_again(self, tmp_path: Path) -> None:
        path = save(tmp_path / "part.tiff")
        open_before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else None
        if open_before is None:
            pytest.skip("needs /proc")
        picture = read_image(path)
        assert len(list(Path("/proc/self/fd").iterdir())) == open_before
        assert picture.size == (8, 6)


class TestRefusals:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        assert sentence_on(tmp_path / "none.png") == f"{tmp_path}/none.png does not exist: check the path"

    def test_a_path_through_a_file(self, tmp_path: Path) -> None:
        save(tmp_path / "part.png")
        assert sentence_on(tmp_path / "part.png" / "x.png").endswith("x.png does not exist: check the path")

    def test_a_link_to_nowhere(self, tmp_path: Path) -> None:
        (tmp_path / "link.png").symlink_to(tmp_path / "none.png")
        assert sentence_on(tmp_path / "link.png") == f"{tmp_path}/link.png does not exist: check the path"

    def test_a_line_break_in_the_name_of_a_missing_file_is_shown_as_an_escape(self) -> None:
        assert sentence_on("no\nsuch.png") == r"no\nsuch.png does not exist: check the path"

    def test_an_empty_name(self) -> None:
        assert sentence_on("") == "the image is a folder: name an image in it"

    def test_a_folder(self, tmp_path: Path) -> None:
        assert sentence_on(tmp_path) == f"{tmp_path} is a folder: name an image in it"

    def test_a_pipe_which_may_never_end(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.png")
        assert sentence_on(tmp_path / "pipe.png").endswith("is not a regular file: save the image to disk first")

    def test_a_file_without_permission(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(path: Path, mode: str) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        path = save(tmp_path / "part.png")
        monkeypatch.setattr(Path, "open", refuse)
        assert sentence_on(path) == f"{path} may not be read by this user: change its permissions"

    def test_a_failing_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(path: Path, mode: str) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

        path = save(tmp_path / "part.png")
        monkeypatch.setattr(Path, "open", fail)
        assert sentence_on(path).endswith("cannot be opened (Input/output error): check the disk it lies on")

    @pytest.mark.parametrize("name", ["a\0b.png", "a" * 300 + ".png"])
    def test_an_impossible_file_name(self, name: str) -> None:
        assert sentence_on(name).endswith("is no possible file name: check the path")

    def test_an_address_of_the_web(self) -> None:
        pytest.importorskip("aiohttp", reason="the extra remote is not installed")
        sentence = sentence_on("http://127.0.0.1:9/part.png")
        assert sentence.startswith("http://127.0.0.1:9/part.png cannot be fetched (Cannot connect to host 127.0.0.1:9")
        assert sentence.endswith("): check the address and the network")

    def test_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "part.png").touch()
        assert sentence_on(tmp_path / "part.png") == f"{tmp_path}/part.png is empty (0 bytes): save or copy it again"

    def test_a_text_file_named_png(self, tmp_path: Path) -> None:
        (tmp_path / "part.png").write_text("<!doctype html><title>404</title>")
        assert sentence_on(tmp_path / "part.png") == (f"{tmp_path}/part.png is a text file: give one of {FORMAT_NAMES}")

    def test_a_truncated_file(self, tmp_path: Path) -> None:
        path = save(tmp_path / "part.png")
        path.write_bytes(path.read_bytes()[:-60])
        assert sentence_on(path) == (f"{path} is damaged or cut short (image file is truncated): save or copy it again")

    def test_empty_bytes(self) -> None:
        assert sentence_on(b"", "image 3") == "image 3 is empty (0 bytes): save or copy it again"

    def test_an_array_that_is_no_picture(self) -> None:
        assert sentence_on(np.zeros((3, 8, 8), np.uint8), "image 3").startswith("image 3 has the shape (3, 8, 8): give")

    def test_a_kind_of_object_that_is_no_picture(self) -> None:
        assert sentence_on([1, 2, 3]) == (  # type: ignore[arg-type]
            "the image is a list: give a path, encoded bytes, a Pillow image or a numpy array"
        )

    @pytest.mark.parametrize("kind", ["path", "bytes", "pillow", "array"])
    def test_a_picture_above_the_limit_whatever_its_kind(self, kind: str, tmp_path: Path) -> None:
        path = save(tmp_path / "part.png")
        image: ImageInput = {"path": path, "bytes": path.read_bytes(), "pillow": Image.open(path), "array": PIXELS}[
            kind
        ]
        with pytest.raises(ImageError, match="has 8 x 6 pixels, more than the limit of 4e-05 megapixels: cut it into"):
            read_image(image, max_megapixels=0.00004)
        with pytest.raises(TooLargeError) as refused:
            read_image(image, "part", max_megapixels=0.00004)
        assert refused.value.fault == "part has 8 x 6 pixels, more than the limit of 4e-05 megapixels"
        assert (
            pickle.loads(pickle.dumps(refused.value)).fault == refused.value.fault
        )  # as it comes from another process
        assert read_image(image, max_megapixels=0.000048).size == (8, 6)

    def test_the_environment_sets_another_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ODDLENS_MAX_MEGAPIXELS", "0.00004")
        with pytest.raises(ImageError, match="more than the limit of 4e-05 megapixels"):
            read_image(PIXELS)
        assert read_image(PIXELS, max_megapixels=1).size == (8, 6)
        monkeypatch.setenv("ODDLENS_MAX_MEGAPIXELS", "many")
        with pytest.raises(UsageError, match="ODDLENS_MAX_MEGAPIXELS is 'many': give a number above 0"):
            read_image(PIXELS)

    @pytest.mark.parametrize("limit", [0, -1, float("nan"), "x", [], object()])
    def test_a_limit_that_is_no_number_above_0(self, limit: object) -> None:
        with pytest.raises(UsageError, match=r"max_megapixels is .*: give a number above 0"):
            read_image(PIXELS, max_megapixels=limit)  # type: ignore[arg-type]

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
    @pytest.mark.parametrize("shape", [(60_000, 60_000), (40_000, 40_000, 3)])
    def test_an_array_is_measured_before_its_values_are_read(
        self, shape: tuple[int, ...], dtype: type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A view of any size costs nothing; a copy of it would not fit into memory."""
        monkeypatch.setattr("oddlens.io.images.rgb_from_array", lambda *_: pytest.fail("it was looked at"))
        view = np.broadcast_to(np.zeros((1,) * len(shape), dtype), shape)
        assert "more than the limit of 128 megapixels" in sentence_on(view)

    @pytest.mark.parametrize("image", [None, 5, True, 2.5, {}, (), object(), range(3), Path])
    def test_what_is_no_picture_at_all(self, image: object) -> None:
        kind = type(image).__name__
        said = {"int": "an int", "object": "an object"}.get(kind, f"a {kind}")
        assert sentence_on(image) == (  # type: ignore[arg-type]
            f"the image is {said}: give a path, encoded bytes, a Pillow image or a numpy array"
        )

    def test_the_default_limit_has_room_for_large_cameras(self) -> None:
        assert DEFAULT_MAX_MEGAPIXELS * 1e6 >= 13400 * 9528
