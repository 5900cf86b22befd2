import json

import pytest

from oddlens.data import check_dataset, open_dataset, read_mask, write_manifest
from oddlens.errors import DataError
from tests.data.small_sets import coco, coco_file, facts, labelme_file, picture

SQUARE = [[4, 4, 8, 4, 8, 8, 4, 8]]


def test_pictures_on_which_nothing_is_drawn_are_normal(tmp_path):
    dataset = open_dataset(coco(tmp_path))
    assert facts(dataset, tmp_path) == {
        fact
        for folder, split in (("train", "train"), ("valid", "validation"), ("test", "test"))
        for fact in (
            (f"{folder}/1.jpg", tmp_path.name, split, "good", None),
            (f"{folder}/2.jpg", tmp_path.name, split, "scratch", f"{folder}/_annotations.coco.json"),
        )
    }
    assert [read_mask(record).sum() for record in dataset.select(label=1)] == [16] * 3


@pytest.mark.parametrize(
    ("annotations", "image", "split"),
    [
        ("annotations/instances_default.json", "images/default/1.png", "test"),
        ("annotations/instances_Train.json", "images/1.png", "train"),
        ("annotations/instances_val2017.json", "val2017/1.png", "validation"),
        ("result.json", "images/1.png", "test"),
        ("train/annotations.json", "train/1.png", "train"),
    ],
)
def test_where_label_tools_put_files_and_pictures(tmp_path, annotations, image, split):
    picture(tmp_path / image)
    coco_file(tmp_path / annotations, {"1.png": SQUARE})
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "coco"
    assert facts(dataset, tmp_path) == {(image, tmp_path.name, split, "scratch", annotations)}


def test_a_file_of_any_name_is_opened_by_itself(tmp_path):
    picture(tmp_path / "1.png")
    assert open_dataset(coco_file(tmp_path / "mine.json", {"1.png": []})).layout == "coco"
    with pytest.raises(DataError, match=r"l\.json is the annotation of one image: give the folder of both"):
        open_dataset(labelme_file(tmp_path / "l.json", []))
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(DataError, match=r"b\.json cannot be read as JSON"):
        open_dataset(tmp_path / "b.json")


def test_pictures_that_are_gone_or_not_listed_are_reported(tmp_path):
    picture(tmp_path / "1.png")
    picture(tmp_path / "3.png")
    coco_file(tmp_path / "_annotations.coco.json", {"1.png": [], "2.png": SQUARE})
    assert [(each.kind, each.path.name) for each in open_dataset(tmp_path).problems] == [
        ("image-missing", "2.png"),
        ("image-loose", "3.png"),
    ]


def test_what_is_drawn_wrongly_is_reported_by_the_check_with_its_picture(tmp_path):
    picture(tmp_path / "1.png", (16, 8))
    picture(tmp_path / "2.png")
    coco_file(tmp_path / "_annotations.coco.json", {"1.png": SQUARE, "2.png": [[1, 2, 3]]})
    problems = check_dataset(open_dataset(tmp_path)).problems
    assert [each.kind for each in problems] == ["mask-size", "mask-unreadable"]
    assert all(f"{number}.png" in each.sentence for number, each in enumerate(problems, start=1))


def test_normal_things_and_the_background_are_no_defects(tmp_path):
    picture(tmp_path / "1.png")
    path = coco_file(tmp_path / "_annotations.coco.json", {"1.png": SQUARE})
    content = json.loads(path.read_text())
    for name in ("OK", "Normal", "background"):
        content["categories"][0]["name"] = name
        path.write_text(json.dumps(content))
        assert [record.label for record in open_dataset(tmp_path)] == [0]


def test_a_manifest_of_such_a_set_gives_the_same_masks(tmp_path):
    dataset = open_dataset(coco(tmp_path / "set"))
    write_manifest(dataset, tmp_path / "m.jsonl")
    again = open_dataset(tmp_path / "m.jsonl")
    assert [read_mask(record).sum() for record in again.select(label=1)] == [16] * 3
