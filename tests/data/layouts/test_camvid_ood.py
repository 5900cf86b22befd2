import numpy as np
import pytest

from oddlens.data import check, check_dataset, open_dataset, read_classes, read_ignore, read_mask
from oddlens.data.masks import read_values
from oddlens.errors import DataError
from tests.data.small_roads import camvid_ood, labels
from tests.data.small_sets import facts

STEM = "0001TP_008550"
KNOWN = ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car")


def test_the_label_files_say_everything(tmp_path):
    dataset = open_dataset(camvid_ood(tmp_path))
    assert dataset.problems == ()
    assert facts(dataset, tmp_path) == {
        (f"camvid/train/good/{STEM}.jpg", "camvid", "train", "good", None),
        (f"camvid/train/street/{STEM}.jpg", "camvid", "unlabelled", "street", None),
        (f"camvid/test/good/{STEM}.jpg", "camvid", "test", "good", None),
        (f"camvid/test/ood/{STEM}.jpg", "camvid", "test", "anomaly", f"camvid/labels/test_ood/{STEM}.png"),
    }
    assert dataset.classes == ("sky", "road")


def test_the_unknown_is_marked_and_in_frames_said_to_show_none_it_does_not_count(tmp_path):
    folder = camvid_ood(tmp_path) / "camvid"
    labels(folder / "labels" / "test_good" / f"{STEM}.png", 0, 1, 2, 3)
    dataset = open_dataset(folder)
    (odd,), good = dataset.select(label=1), dataset.select(split="test", label=0).records[0]
    assert read_mask(odd)[0, ::6].tolist() == [False, True, False]
    assert read_ignore(odd)[0, ::6].tolist() == [False, False, True]
    assert not read_mask(good).any()
    assert read_ignore(good)[0, ::4].tolist() == [False, False, True, True]


def test_more_than_a_few_unknown_pixels_in_a_frame_said_to_show_none_are_a_problem(tmp_path):
    file = labels(camvid_ood(tmp_path) / "camvid" / "labels" / "test_good" / f"{STEM}.png", 0, 1, 2, 3)
    (problem,) = check_dataset(open_dataset(tmp_path)).problems
    assert (problem.kind, problem.path) == ("mask-of-normal", file)
    assert problem.sentence.startswith("48 pixels of the label file")
    assert "move the frame to those with an anomaly" in problem.sentence


def test_the_check_reads_each_label_file_once(tmp_path, monkeypatch):
    labels(camvid_ood(tmp_path) / "camvid" / "labels" / "test_good" / f"{STEM}.png", 0, 1, 2, 3)
    dataset, read = open_dataset(tmp_path), []
    monkeypatch.setattr(check, "read_values", lambda path: read.append(path) or read_values(path))
    check_dataset(dataset)
    assert sorted(read) == sorted(record.classes for record in dataset)


def test_frames_of_the_street_teach_the_known_classes_only(tmp_path):
    (street,) = open_dataset(camvid_ood(tmp_path)).select(split="unlabelled")
    assert read_classes(street)[0, ::6].tolist() == [0, 1, 255]


def test_a_frame_without_labels_is_reported(tmp_path):
    (camvid_ood(tmp_path) / "camvid" / "labels" / "test_ood" / f"{STEM}.png").unlink()
    dataset = open_dataset(tmp_path)
    assert [(each.kind, each.path.parent.name) for each in dataset.problems] == [("mask-missing", "ood")]
    assert [record.mask for record in dataset.select(label=1)] == [None]


def test_a_legend_that_cannot_be_read_is_an_error_at_once(tmp_path):
    (camvid_ood(tmp_path) / "camvid" / "classes.json").write_text("{}")
    with pytest.raises(DataError, match=r"classes\.json"):
        open_dataset(tmp_path)


def test_the_real_set_has_the_counts_of_its_readme_and_its_masks_agree_with_its_labels(shared):
    folder = shared / "data" / "camvid_ood" / "camvid"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data/camvid_ood, real images that are not part of the repository")
    dataset = open_dataset(folder)
    assert check_dataset(dataset).ok
    assert [len(dataset.select(split=split)) for split in ("train", "test", "unlabelled")] == [20, 32, 184]
    assert dataset.classes == KNOWN
    odd = dataset.select(label=1)
    assert len(odd) == 24
    for record in odd:
        np.testing.assert_array_equal(
            read_mask(record), read_mask(folder / "ground_truth" / "ood" / f"{record.image.stem}_mask.png")
        )
        np.testing.assert_array_equal(
            read_ignore(record), read_mask(folder / "ignore" / "ood" / f"{record.image.stem}_ignore.png")
        )
