import pytest

from oddlens.data import check_dataset, open_dataset, read_mask
from tests.data.small_sets import facts, labelme_file, mask, masks_beside, picture


def test_what_is_normal_is_reported_by_the_masks(tmp_path):
    dataset = open_dataset(masks_beside(tmp_path))
    name = tmp_path.name
    assert facts(dataset, tmp_path) == {
        ("train/1.jpg", name, "train", "good", None),
        ("train/2.jpg", name, "train", "defect", "train/2_mask.png"),
        ("valid/1.jpg", name, "validation", "good", None),
        ("valid/2.jpg", name, "validation", "defect", "valid/2_mask.png"),
        ("test/3.jpg", name, "test", "dent", "test/3.json"),
    }
    assert dataset.problems == ()
    assert all(read_mask(record).any() for record in dataset.select(label=1))


def test_a_single_folder_is_test_and_good_ones_may_lie_in_a_folder_of_it(tmp_path):
    picture(tmp_path / "1.png")
    mask(tmp_path / "1_mask.png")
    picture(tmp_path / "OK" / "1.png")
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "masks-beside"
    assert [(record.image.name, record.label, record.split) for record in dataset] == [
        ("1.png", 1, "test"),
        ("1.png", 0, "test"),
    ]


def test_a_picture_without_a_mask_may_be_normal_or_not(tmp_path):
    for name in ("1.jpg", "2.jpg"):
        picture(tmp_path / name)
    labelme_file(tmp_path / "1.json", [])
    dataset = open_dataset(tmp_path)
    assert [(record.label, record.split) for record in dataset] == [(0, "test"), (None, "unlabelled")]
    (problem,) = dataset.problems
    assert (problem.kind, problem.path) == ("mask-missing", tmp_path / "2.jpg")
    assert "give it one, black if it is" in problem.sentence


def test_several_kinds_on_one_picture_are_combined(tmp_path):
    picture(tmp_path / "1.jpg")
    labelme_file(
        tmp_path / "1.json", [{"label": kind, "points": [[0, 0], [4, 0], [4, 4]]} for kind in ("dent", "scratch")]
    )
    assert [record.defect for record in open_dataset(tmp_path)] == ["combined"]


@pytest.mark.parametrize("content", ["{", '{"shapes": [3]}'])
def test_an_annotation_that_cannot_be_read_is_reported_and_the_others_are_read(tmp_path, content):
    for name in ("1.jpg", "2.jpg"):
        picture(tmp_path / name)
    labelme_file(tmp_path / "1.json", [])
    (tmp_path / "2.json").write_text(content)
    problems = check_dataset(open_dataset(tmp_path)).problems
    assert [(each.kind, each.path.name) for each in problems] == [("mask-unreadable", "2.json")]


def test_other_json_files_beside_pictures_are_no_masks(tmp_path):
    picture(tmp_path / "bad" / "1.jpg")
    picture(tmp_path / "good" / "1.jpg")
    (tmp_path / "bad" / "1.json").write_text('{"exposure": 3}')
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, [record.mask for record in dataset]) == ("folder", [None, None])
