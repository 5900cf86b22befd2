"""What people hand over as images: one or several, of any kind, each read when its turn comes."""

import io
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from oddlens.errors import ImageError, UsageError
from oddlens.io.images import Picture
from oddlens.io.inputs import each_input

PIXELS = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "part.png"
    Image.fromarray(PIXELS).save(file)
    return file


def read(images: Any) -> list[Picture]:
    return [each.read() for each in each_input(images)]


def test_one_picture_of_any_kind_is_one(path: Path) -> None:
    data = path.read_bytes()
    whole = Picture(PIXELS, "taken by hand")
    with path.open("rb") as file, Image.open(path) as image:
        for kind in (
            path,
            str(path),
            data,
            bytearray(data),
            memoryview(data),
            io.BytesIO(data),
            file,
            image,
            PIXELS,
            whole,
        ):
            (found,) = read(kind)
            assert np.array_equal(found.pixels, PIXELS)
    assert read(whole)[0].source == "taken by hand"


def test_several_are_several_in_order(path: Path) -> None:
    for several in ([path, PIXELS], (path, PIXELS), iter([path, PIXELS]), (each for each in [path, PIXELS])):
        assert [found.source for found in read(several)] == [str(path), "image 2"]
    assert [found.source for found in read(np.array([str(path), str(path)]))] == [str(path)] * 2
    assert read([]) == []


def test_what_reads_itself_is_named_by_its_path() -> None:
    class Frame:
        def __fspath__(self) -> str:
            return "drive.mp4#7"

        __str__ = __fspath__

        def read(self) -> Picture:
            return Picture(PIXELS, str(self))

    (frame,) = each_input(Frame())
    assert frame.source == frame.read().source == "drive.mp4#7"


def test_nothing_is_taken_before_its_turn(path: Path) -> None:
    taken = []

    def pictures() -> Iterator[str]:
        for number in range(3):
            taken.append(number)
            yield str(path)

    inputs = each_input(pictures())
    assert taken == []
    next(inputs)
    assert taken == [0]


def test_a_path_that_names_nothing_stands_among_the_others(path: Path) -> None:
    first, second = each_input([path.parent / "none.png", path])
    assert second.read().source == str(path)
    with pytest.raises(UsageError, match="does not exist"):
        first.read()


def test_what_is_no_picture_is_refused(path: Path) -> None:
    for nothing in (None, 3, 2.5, True):
        with pytest.raises(UsageError, match="images cannot be"):
            each_input(nothing)  # type: ignore[arg-type]
    for each in (torch.zeros(3, 8, 8), np.zeros((2, 8, 8, 3), np.uint8), np.array("a"), io.BytesIO(b"x")):
        (image,) = each_input(each)  # type: ignore[arg-type]
        with pytest.raises(ImageError, match="image 1"):
            image.read()
    with path.open(encoding="latin-1") as text:
        (image,) = each_input(text)  # type: ignore[arg-type]
        with pytest.raises(ImageError, match=r"part\.png was opened as text: open it in binary mode"):
            image.read()


def test_what_is_passed_over_in_a_folder_is_a_warning(path: Path) -> None:
    path.with_name("part_mask.png").touch()
    with pytest.warns(UserWarning, match=f"^{path.parent}: 1 file passed over: 1 mask$"):
        assert [each.source for each in each_input(path.parent)] == [str(path)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [each.source for each in each_input([path])] == [str(path)]


def test_a_folder_of_which_one_part_is_closed_gives_the_rest(ordinary_user: Path) -> None:
    for name in ("closed/0.png", "open/1.png"):
        (ordinary_user / name).parent.mkdir()
        (ordinary_user / name).touch()
    (ordinary_user / "closed").chmod(0)
    first, last = each_input(ordinary_user)
    assert first.source == str(ordinary_user / "open" / "1.png")
    with pytest.raises(UsageError, match=r"closed cannot be listed \(Permission denied\)"):
        last.read()


def test_an_open_file_is_called_by_its_name(path: Path, tmp_path: Path) -> None:
    with path.open("rb") as file, tempfile.TemporaryFile() as nameless:
        first, second, third = each_input([file, nameless, io.BytesIO(b"")])
        assert first.source == first.read().source == str(path)
        assert (second.source, third.source) == ("image 2", "image 3")
