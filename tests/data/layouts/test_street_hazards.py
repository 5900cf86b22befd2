import numpy as np

from oddlens.data import open_dataset, read_classes, read_mask
from tests.data.small_roads import street_hazards
from tests.data.small_sets import facts


def test_frames_of_one_number_are_distinguished_by_their_town(tmp_path):
    dataset = open_dataset(street_hazards(tmp_path))
    assert dataset.problems == ()
    name = tmp_path.name
    assert facts(dataset, tmp_path) == {
        ("train/images/training/t1-3/300.png", name, "train", "good", None),
        ("train/images/validation/t4/300.png", name, "validation", "good", None),
        ("test/images/test/t5/300.png", name, "test", "anomaly", "test/annotations/test/t5/300.png"),
        ("test/images/test/t6/300.png", name, "test", "good", None),
    }


def test_values_are_the_classes_indices_and_one_and_the_last_is_the_anomaly(tmp_path):
    dataset = open_dataset(street_hazards(tmp_path))
    (odd,) = dataset.select(label=1)
    assert np.unique(read_classes(odd)).tolist() == [7, 255]
    assert dataset.classes[7] == "road"
    np.testing.assert_array_equal(read_mask(odd), read_classes(odd) == 255)
    assert [np.unique(read_classes(record)).tolist() for record in dataset.select(split="validation")] == [[0, 12]]


def test_a_frame_without_labels_is_left_out_and_reported(tmp_path):
    (street_hazards(tmp_path) / "test" / "annotations" / "test" / "t5" / "300.png").unlink()
    dataset = open_dataset(tmp_path)
    assert [each.kind for each in dataset.problems] == ["mask-missing"]
    assert len(dataset.select(split="test")) == 1


def test_the_test_archive_opens_alone(tmp_path):
    street_hazards(tmp_path)
    (tmp_path / "train").rename(tmp_path / "elsewhere")
    assert len(open_dataset(tmp_path)) == 2
