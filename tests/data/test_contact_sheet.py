import numpy as np
import pytest
from PIL import Image, ImageColor

from oddlens.data import open_dataset, write_contact_sheet
from oddlens.data.contact_sheet import OUTLINE, TILE
from oddlens.errors import UsageError
from tests.data.small_sets import SMALL_SETS, folder, mask, mvtec, picture

PINK = np.array(ImageColor.getrgb(OUTLINE))


def sheet_of(root, out):
    write_contact_sheet(open_dataset(root), out)
    return np.asarray(Image.open(out).convert("RGB"))


@pytest.mark.parametrize("layout", SMALL_SETS)
def test_every_layout_has_one(layout, tmp_path):
    assert sheet_of(SMALL_SETS[layout](tmp_path), tmp_path / "sheet.png").std() > 0


def test_it_grows_by_a_row_a_category(tmp_path):
    one = sheet_of(mvtec(tmp_path) / "nut", tmp_path / "one.png")
    two = sheet_of(tmp_path, tmp_path / "two.png")
    assert two.shape[1] == one.shape[1]
    assert TILE < two.shape[0] - one.shape[0] < 2 * TILE


def test_masks_are_outlined_and_pictures_without_one_are_not(tmp_path):
    (tmp_path / "drawn").mkdir()
    (tmp_path / "bare").mkdir()
    assert (sheet_of(mvtec(tmp_path / "drawn"), tmp_path / "drawn.png") == PINK).all(axis=2).any()
    assert not (sheet_of(folder(tmp_path / "bare"), tmp_path / "bare.png") == PINK).all(axis=2).any()


def test_a_defect_that_fills_the_picture_is_outlined_at_its_border(tmp_path):
    picture(tmp_path / "good" / "1.png", size=(TILE, TILE))
    picture(tmp_path / "bad" / "1.png", size=(TILE, TILE))
    mask(tmp_path / "masks" / "1.png", size=(TILE, TILE), box=(0, 0, TILE, TILE))
    assert (sheet_of(tmp_path, tmp_path / "sheet.png") == PINK).all(axis=2).sum() >= 4 * TILE


def test_a_scratch_one_pixel_wide_in_a_large_picture_is_seen(tmp_path):
    picture(tmp_path / "good" / "1.png")
    picture(tmp_path / "bad" / "1.png", size=(2000, 2000))
    mask(tmp_path / "masks" / "1.png", size=(2000, 2000), box=(1000, 200, 1001, 1800))
    assert (sheet_of(tmp_path, tmp_path / "sheet.png") == PINK).all(axis=2).sum() > 100


def test_an_unreadable_picture_leaves_the_others_on_the_sheet(tmp_path):
    mvtec(tmp_path)
    (tmp_path / "nut" / "test" / "crack" / "000.png").write_bytes(b"no image")
    assert sheet_of(tmp_path, tmp_path / "sheet.png").std() > 0


def test_another_format_is_refused_before_anything_is_drawn(tmp_path):
    with pytest.raises(UsageError, match=r"must end in \.png or \.jpg"):
        write_contact_sheet(open_dataset(folder(tmp_path)), tmp_path / "sheet.pdf")
