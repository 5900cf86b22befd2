import numpy as np

from oddlens.data import LEGENDS, open_dataset, read_classes, read_ignore
from tests.data.small_roads import cityscapes
from tests.data.small_sets import facts

TRAIN = "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png"
VAL = "leftImg8bit/val/ulm/ulm_000000_000019_leftImg8bit.png"
TEST = "leftImg8bit/test/bonn/bonn_000000_000019_leftImg8bit.png"


def test_val_is_what_one_measures_on_and_the_labels_of_test_are_not_known(tmp_path):
    dataset = open_dataset(cityscapes(tmp_path))
    assert facts(dataset, tmp_path) == {
        (TRAIN, tmp_path.name, "train", "good", None),
        (VAL, tmp_path.name, "test", "good", None),
        (TEST, tmp_path.name, "unlabelled", "unknown", None),
    }
    assert dataset.problems == ()


def test_label_ids_and_training_ids_are_read_alike(tmp_path):
    train, val, _ = open_dataset(cityscapes(tmp_path))
    assert np.unique(read_classes(train)).tolist() == [0, 10, 255]
    assert np.unique(read_classes(val)).tolist() == [0, 10, 255]
    assert open_dataset(tmp_path).classes == LEGENDS["cityscapes"].names


def test_what_is_none_of_the_classes_does_not_count(tmp_path):
    train, _, _ = open_dataset(cityscapes(tmp_path))
    np.testing.assert_array_equal(read_ignore(train), read_classes(train) == 255)


def test_a_frame_without_labels_is_unlabelled_and_reported(tmp_path):
    (labels,) = (cityscapes(tmp_path) / "gtFine" / "val").rglob("*.png")
    labels.unlink()
    dataset = open_dataset(tmp_path)
    assert [(each.kind, each.path) for each in dataset.problems] == [("mask-missing", tmp_path / VAL)]
    assert [record.split for record in dataset] == ["train", "unlabelled", "unlabelled"]
