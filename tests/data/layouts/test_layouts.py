"""One test over the whole registry of layouts."""

from pathlib import Path

import pytest

from oddlens.data import check_dataset, open_dataset
from oddlens.data.layouts import LAYOUTS
from tests.data.small_sets import SMALL_SETS


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_is_recognised_by_itself_and_finds_nothing_wrong_with_a_sound_set(layout, tmp_path):
    dataset = open_dataset(SMALL_SETS[layout.name](tmp_path))
    assert dataset.layout == layout.name
    assert check_dataset(dataset).problems == ()


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_says_good_of_normal_pictures_and_gives_no_mask_to_them(layout, tmp_path):
    records = open_dataset(SMALL_SETS[layout.name](tmp_path), layout.name).records
    assert {record.label for record in records} <= {0, 1, None}
    for record in records:
        assert (record.defect == "good") == (record.label == 0)
        assert record.label == 1 or record.mask is None
        assert (record.label is None) == (record.split == "unlabelled")
        assert record.image.is_file()


LISTINGS = {"manifest", "meta-json", "real-iad", "coco", "road-anomaly"}
"""Layouts in which a file says which images or masks there are."""


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_names_a_mask_that_belongs_to_no_image(layout, tmp_path):
    root = SMALL_SETS[layout.name](tmp_path)
    masks = [mask for each in open_dataset(root) if (mask := each.mask or each.classes or each.ignore) is not None]
    if layout.name in LISTINGS or not masks:
        pytest.skip("no folder of this layout holds masks")
    mask = masks[0] if masks[0].is_file() else next(masks[0].iterdir())
    lost = mask.with_name(f"nobody_mask{mask.suffix}")
    lost.write_bytes(mask.read_bytes())
    assert lost in [each.path for each in open_dataset(root, layout.name).problems]


def test_every_layout_is_in_the_docs():
    table = (Path(__file__).parents[3] / "docs" / "guides" / "data.md").read_text(encoding="utf-8")
    assert [layout.name for layout in LAYOUTS if f"`{layout.name}`" not in table] == []


def test_names_are_unique():
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)
