import shutil

import pytest

from oddlens.data import open_dataset, read_ignore, read_mask
from tests.data.small_roads import fishyscapes_laf, frame, labels, lost_and_found
from tests.data.small_sets import facts

STEM = "04_Maurener_Weg_8_000000_000030"


def test_labels_are_numbered_and_frames_lie_in_the_tree_of_lost_and_found(tmp_path):
    dataset = open_dataset(fishyscapes_laf(tmp_path))
    assert dataset.problems == ()
    tree, released = "leftImg8bit/{}/{}/{}_leftImg8bit.png", "fishyscapes_lostandfound/{}_{}_labels.png"
    first, last = "01_Hanns_Klemm_Str_45_000000_000080", "04_Maurener_Weg_8_000008_000190"
    name = tmp_path.name
    assert facts(dataset, tmp_path) == {
        (tree.format("train", first[:-14], first), name, "test", "anomaly", released.format("0000", first)),
        (tree.format("test", STEM[:-14], STEM), name, "test", "anomaly", released.format("0001", STEM)),
        (tree.format("test", last[:-14], last), name, "test", "good", None),
    }
    assert read_mask(dataset.records[0])[0, ::6].tolist() == [False, True, False]
    assert read_ignore(dataset.records[0])[0, ::6].tolist() == [False, False, True]
    assert read_ignore(dataset.records[2])[0, ::8].tolist() == [False, True]


@pytest.mark.parametrize(
    ("image", "drawn"),
    [
        (f"laf_images/{STEM}_leftImg8bit.png", f"fishyscapes_lostandfound/0007_{STEM}_labels.png"),
        (f"images/{STEM}_leftImg8bit.webp", f"labels/{STEM}_fishy-labels.png"),
        (
            f"dataset_LostAndFound/leftImg8bit/test/04_Maurener_Weg_8/{STEM}_leftImg8bit.png",
            f"dataset_FishyLAF/labels/val/{STEM}_fishy-labels.png",
        ),
    ],
)
def test_it_has_been_handed_on_in_other_forms(tmp_path, image, drawn):
    frame(tmp_path / image)
    labels(tmp_path / drawn, 0, 1)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "fishyscapes-laf"
    assert [(record.image, record.mask) for record in dataset] == [(tmp_path / image, tmp_path / drawn)]


def test_labels_whose_frame_is_not_there_are_reported(tmp_path):
    fishyscapes_laf(tmp_path)
    shutil.rmtree(tmp_path / "leftImg8bit" / "test")
    dataset = open_dataset(tmp_path)
    assert [each.kind for each in dataset.problems] == ["image-missing"] * 2
    assert len(dataset) == 1


def test_beside_lost_and_found_it_comes_first(tmp_path):
    lost_and_found(fishyscapes_laf(tmp_path))
    assert open_dataset(tmp_path).layout == "fishyscapes-laf"
    assert open_dataset(tmp_path, "lost-and-found").layout == "lost-and-found"
