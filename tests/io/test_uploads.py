"""Files that came as bytes: what they are called, and that neither one of them nor all together are too large."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from oddlens.errors import ImageError, UsageError
from oddlens.io.uploads import LONGEST_SOURCE, Upload, pictures_of, read_upload, source_name


def png(width: int = 100, height: int = 100, grey: int = 90) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height), (grey, grey, grey)).save(target, "PNG")
    return target.getvalue()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("nut.png", "nut.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\parts\\nut.png", "nut.png"),
        ("parts/", "parts"),
        ("Ünï.png", "Ünï.png"),
        ("/", "image"),
        ("", "image"),
        (None, "image"),
    ],
)
def test_an_image_is_called_by_the_last_part_of_a_path(given: str | None, name: str) -> None:
    assert source_name(given) == name


@pytest.mark.parametrize("given", ["a\nb.png", "\x00.png", "\x1b[2J.png", "\udcff.png"])
def test_what_nobody_could_print_is_in_no_name(given: str) -> None:
    found = source_name(given)
    assert found.isprintable()
    assert found.endswith(".png")


def test_the_end_of_a_long_name_stays() -> None:
    found = source_name("x" * 500 + ".png")
    assert (len(found), found[-5:]) == (LONGEST_SOURCE, "x.png")


def test_one_is_decoded_under_its_name() -> None:
    found = read_upload(Upload("nut.png", png(4, 3)), None)
    assert (found.source, found.pixels.shape) == ("nut.png", (3, 4, 3))
    assert np.all(found.pixels == 90)
    assert read_upload(Upload("nut.png", png()), None, "nut (2).png").source == "nut (2).png"


def test_what_is_no_image_is_refused_by_its_name() -> None:
    with pytest.raises(ImageError, match=r"nut\.png"):
        read_upload(Upload("nut.png", b"no image"), None)


def test_one_beyond_the_limit_is_refused_in_words_for_all_who_send_some() -> None:
    with pytest.raises(ImageError) as refused:
        read_upload(Upload("nut.png", png()), 0.009)
    assert str(refused.value) == (
        "nut.png has 100 x 100 pixels, more than the limit of 0.009 megapixels: send it smaller or in parts, or raise the "
        "limit, max_megapixels"
    )
    assert read_upload(Upload("nut.png", png()), 0.01).pixels.shape == (100, 100, 3)


def test_several_of_one_name_get_names_of_their_own() -> None:
    names = ("nut.png", "nut.png", "nut (2).png", "nut.png", "bolt")
    found = pictures_of([Upload(name, png(grey=number)) for number, name in enumerate(names)], None)
    assert [each.source for each in found] == ["nut.png", "nut (2).png", "nut (2) (2).png", "nut (3).png", "bolt"]
    assert [int(each.pixels[0, 0, 0]) for each in found] == [0, 1, 2, 3, 4]  # in their order
    assert pictures_of([], None) == []


def test_together_they_may_have_four_times_the_pixels_of_one() -> None:
    several = [Upload(f"{number}.png", png()) for number in range(5)]
    assert len(pictures_of(several[:4], 0.01)) == 4
    with pytest.raises(UsageError, match=r"^the images have more than 0\.04 megapixels together: send fewer at once$"):
        pictures_of(several, 0.01)
    with pytest.raises(ImageError, match=r"large\.png has 200 x 200 pixels"):
        pictures_of([*several[:1], Upload("large.png", png(200, 200))], 0.01)
