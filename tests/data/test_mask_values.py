"""What label tools save as a mask, and what is marked in it."""

import numpy as np
import pytest
from PIL import Image

from oddlens.data import read_mask
from oddlens.errors import DataError

MARKED = np.zeros((12, 20), np.bool_)
MARKED[2:5, 3:9] = True

BLACK, WHITE, DARK = (0, 0, 0), (255, 255, 255), (0, 0, 4)


def in_colours(ground, mark):
    return Image.fromarray(np.where(MARKED[..., None], np.uint8(mark), np.uint8(ground)))


def in_palette(*colours, padding=BLACK, ground=0, mark=1):
    image = Image.fromarray(np.where(MARKED, mark, ground).astype(np.uint8), "P")
    image.putpalette([channel for colour in (*colours, *[padding] * (256 - len(colours))) for channel in colour])
    return image


def on_transparent(colour, alpha=255):
    opaque = np.where(MARKED, alpha, 0).astype(np.uint8)
    return Image.fromarray(np.dstack([np.full((*MARKED.shape, 3), colour, np.uint8), opaque]))


@pytest.mark.parametrize(
    "image",
    [
        in_colours(BLACK, WHITE),
        in_colours(BLACK, DARK),
        in_colours(BLACK, (1, 0, 0)),
        in_palette(BLACK, (200, 0, 0)),
        in_palette(BLACK, DARK),
        in_palette(BLACK, BLACK),
        in_palette(WHITE, (200, 0, 0)),
        in_palette(WHITE, BLACK, ground=1, mark=0),
        in_palette(BLACK, WHITE, padding=WHITE),
        on_transparent(WHITE),
        on_transparent(BLACK),
        on_transparent((255, 0, 0), alpha=1),
        in_colours(BLACK, WHITE).convert("RGBA"),
        in_colours(BLACK, WHITE).convert("LA"),
        on_transparent(WHITE).convert("LA"),
    ],
    ids=[
        "white on black", "a colour that is nearly black", "red that a grey image would lose", "a palette of black and red",
        "a palette of black and nearly black", "a palette of black only", "a palette without black in use",
        "a palette that begins with white", "a palette filled up with white", "white on transparent", "black on transparent",
        "faint red on transparent", "opaque colours", "opaque grey", "grey on transparent",
    ],
)  # fmt: skip
def test_what_is_marked(tmp_path, image):
    image.save(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png"), MARKED)


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGBA", (20, 12), (255, 0, 0, 0)),
        Image.new("RGBA", (20, 12), (0, 0, 0, 255)),
        in_palette(WHITE, BLACK, ground=1, mark=1),
        in_palette(WHITE, (200, 0, 0), mark=0),
    ],
    ids=["all transparent", "opaque black", "the black of a palette", "the ground of a palette without black"],
)
def test_nothing_is_marked(tmp_path, image):
    image.save(tmp_path / "m.png")
    assert not read_mask(tmp_path / "m.png").any()


def test_a_transparent_colour_is_not_marked(tmp_path):
    image = in_palette((9, 9, 9), WHITE)
    image.save(tmp_path / "m.png", transparency=0)
    assert np.array_equal(read_mask(tmp_path / "m.png"), MARKED)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_a_mask_is_turned_by_its_exif_orientation_as_pictures_are(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    in_colours(BLACK, WHITE).save(tmp_path / f"m.{suffix}", exif=exif, lossless=True)
    assert np.array_equal(read_mask(tmp_path / f"m.{suffix}"), np.rot90(MARKED, -1))


def test_pages_count_together_unless_they_differ_in_size(tmp_path):
    pages = [Image.new("L", (20, 12)), in_colours(BLACK, WHITE).convert("L")]
    pages[0].save(tmp_path / "m.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(read_mask(tmp_path / "m.tif"), MARKED)
    pages[0].save(tmp_path / "m.tif", save_all=True, append_images=[Image.new("L", (2, 2))])
    with pytest.raises(DataError, match=r"the mask .*m\.tif holds images of several sizes"):
        read_mask(tmp_path / "m.tif")
