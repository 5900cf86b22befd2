"""Annotation files of label tools in place of masks."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from oddlens.data import Record, check_dataset, read_mask
from oddlens.data.annotations import is_annotation, read_annotations, read_drawing
from oddlens.data.dataset import Dataset
from oddlens.errors import DataError
from tests.data.small_sets import coco_file, labelme_file, picture

SQUARE = [[4, 4], [8, 4], [8, 8], [4, 8]]


def record(image, mask, label=1):
    return Record(image, mask, label, "part", "scratch" if label else "good", "test")


def png(marked):
    stream = io.BytesIO()
    Image.fromarray(np.array(marked, np.uint8) * 255).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ({"shape_type": "polygon", "points": SQUARE}, 16),
        ({"points": SQUARE}, 16),
        ({"shape_type": "rectangle", "points": [[8, 8], [4, 4]]}, 16),
        ({"shape_type": "rectangle", "points": SQUARE}, 16),
        ({"shape_type": "circle", "points": [[8, 8], [8, 10]]}, 12),
        ({"shape_type": "mask", "points": [[4, 4], [5, 6]], "mask": png([[1, 0], [1, 1], [0, 1]])}, 4),
        ({"shape_type": "mask", "points": [[15, 15], [16, 16]], "mask": png([[1, 1], [1, 1]])}, 1),
    ],
)
def test_the_shapes_of_labelme(tmp_path, shape, area):
    path = labelme_file(tmp_path / "1.json", [{"label": "scratch", **shape}])
    mask = read_mask(path)
    assert (mask.shape, mask.sum()) == ((16, 16), area)
    assert mask[4, 4] or area in (12, 1)


def test_all_shapes_count_together_but_for_those_of_normal_things_and_the_background(tmp_path):
    labels = ("scratch", "dent", "Good", "background", "_background_")
    shapes = [{"label": label, "points": [[x, 0], [x + 2, 0], [x + 2, 2]]} for x, label in enumerate(labels)]
    path = labelme_file(tmp_path / "1.json", shapes)
    assert read_drawing(path, None).kinds == ("scratch", "dent")
    assert not read_mask(path)[:, 4:].any()


def test_a_file_that_does_not_tell_the_size_has_that_of_its_picture(tmp_path):
    path = labelme_file(tmp_path / "1.json", [{"label": "scratch", "points": SQUARE}], size=None)
    assert read_mask(record(picture(tmp_path / "1.png", (20, 9)), path)).shape == (9, 20)
    assert read_mask(path, shape=(30, 40)).shape == (30, 40)
    with pytest.raises(DataError, match="has no size of its image"):
        read_mask(path)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (
            {"shape_type": "line", "points": [[0, 0], [9, 9]]},
            r"has a line \(scratch\) that covers no area: draw it as a polygon",
        ),
        ({"shape_type": "circle", "points": SQUARE}, "has 4 points, or is of a kind unknown here"),
        ({"shape_type": "polygon", "points": [[0, 0], [9, 9]]}, "has 2 points"),
        ({"shape_type": "mask", "points": [[0, 0], [9, 9]]}, "has 2 points"),
        ({"shape_type": "mask", "points": [[0, 0], [9, 9]], "mask": "x"}, "holds a damaged image"),
        ({"shape_type": "mask", "points": [[0, 0], [9, 9]], "mask": "AAAA"}, "holds an image that is no image"),
        ({"shape_type": "mask", "points": [[-3, 0], [9, 9]], "mask": png([[1]])}, "begins outside"),
        ({"shape_type": 3, "points": SQUARE}, "is of no kind"),
        ({"points": [[0, 0], [9]]}, "no pairs of numbers"),
        ({"points": SQUARE, "label": None}, 'has no "label"'),
    ],
)
def test_a_shape_at_fault_is_one_clear_error(tmp_path, shape, reason):
    path = labelme_file(tmp_path / "1.json", [{"label": "scratch", **shape}])
    with pytest.raises(DataError, match=rf"1\.json has a .*{reason}|1\.json {reason}") as caught:
        read_mask(path)
    assert "\n" not in str(caught.value)


def test_the_annotations_of_coco_belong_to_pictures_by_name(tmp_path):
    drawn = {
        "a.png": [[4, 4, 8, 4, 8, 8, 4, 8], [0, 0, 1, 0, 1, 1, 0, 1]],
        "b.png": {"size": [16, 16], "counts": [0, 3, 253]},
    }
    path = coco_file(tmp_path / "c.json", drawn)
    areas = {name: int(read_mask(record(picture(tmp_path / name), path)).sum()) for name in drawn}
    assert areas == {"a.png": 17, "b.png": 3}
    assert not read_mask(record(tmp_path / "a.png", path))[0, 1:].any()
    with pytest.raises(DataError, match=r"c\.json does not list .*z\.png"):
        read_mask(record(picture(tmp_path / "z.png"), path))
    with pytest.raises(DataError, match="annotations of many images: give the image"):
        read_mask(path)


def test_pictures_of_one_name_are_distinguished_by_their_folders(tmp_path):
    path = coco_file(tmp_path / "c.json", {"x/a.png": {"size": [16, 16], "counts": [0, 1, 255]}, "y\\a.png": []})
    assert read_mask(record(picture(tmp_path / "images" / "x" / "a.png"), path)).sum() == 1
    assert read_mask(record(picture(tmp_path / "images" / "y" / "a.png"), path)).sum() == 0


def test_runs_may_be_cocos_text_and_where_nothing_is_drawn_the_box_counts(tmp_path):
    path = coco_file(tmp_path / "c.json", {"a.png": {"size": [16, 16], "counts": "33ZO8"}, "b.png": None})
    assert read_mask(record(tmp_path / "b.png", path))[2:5, 1:3].all()
    assert read_mask(record(tmp_path / "b.png", path)).sum() == 6
    with pytest.raises(DataError, match=r"a\.png that has runs that do not add up"):
        read_mask(record(tmp_path / "a.png", path))


@pytest.mark.parametrize(
    ("covered", "reason"),
    [
        ({"size": [9, 9], "counts": [81]}, r"is of another size, \[9, 9\] instead of \[16, 16\]"),
        ({"size": [16, 16], "counts": ["1"]}, "no counts that are whole numbers"),
        ({"size": [16, 16]}, "no counts that are whole numbers"),
        ([[1, 2, 3]], "a polygon that is no list of three or more points"),
        ([["a"] * 6], "points that are no pairs of numbers"),
        (7, "covers nothing"),
    ],
)
def test_an_annotation_at_fault_is_one_clear_error(tmp_path, covered, reason):
    path = coco_file(tmp_path / "c.json", {"a.png": covered})
    content = json.loads(path.read_text())
    del content["annotations"][0]["bbox"]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=rf"c\.json has an annotation of a\.png that .*{reason}"):
        read_mask(record(tmp_path / "a.png", path))


def test_a_size_beyond_all_pictures_is_refused_before_anything_is_drawn(tmp_path):
    path = labelme_file(tmp_path / "1.json", [], size=(10**6, 10**6))
    with pytest.raises(DataError, match="more than the limit of 128 megapixels"):
        read_mask(path)


def test_other_json_beside_a_picture_is_no_annotation_and_broken_json_may_have_been_one(tmp_path):
    for name, content in (("camera.json", '{"exposure": 3}'), ("list.json", "[]"), ("broken.json", "{")):
        (tmp_path / name).write_text(content)
    labelme_file(tmp_path / "l.json", [])
    coco_file(tmp_path / "c.json", {})
    picture(tmp_path / "p.png")
    names = ("camera.json", "list.json", "broken.json", "l.json", "c.json", "p.png")
    assert [is_annotation(tmp_path / name) for name in names] == [False, False, True, True, True, False]
    with pytest.raises(DataError, match=r"camera\.json is an annotation neither of labelme nor of COCO"):
        read_annotations(tmp_path / "camera.json")


@pytest.mark.parametrize(
    "change", [{"images": [{}]}, {"images": [3]}, {"annotations": [{}]}, {"annotations": [3]}, {"categories": [{}]},
               {"categories": 3}, {"images": [{"id": [], "file_name": "a"}]}, {"images": [{"id": 1, "file_name": ""}]}]
)  # fmt: skip
def test_a_coco_file_of_wrong_types_is_one_clear_error(tmp_path, change):
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"images": [], "annotations": [], "categories": [], **change}))
    with pytest.raises(DataError, match=r"c\.json is no COCO file: an image needs"):
        read_annotations(path)


def test_a_file_that_changed_is_read_again(tmp_path):
    path = labelme_file(tmp_path / "1.json", [])
    assert not read_mask(path).any()
    labelme_file(path, [{"label": "scratch", "points": SQUARE}])
    assert read_mask(path).any()


def test_annotations_are_checked_as_masks_are(tmp_path):
    small = labelme_file(tmp_path / "1.json", [{"label": "scratch", "points": SQUARE}], size=(8, 16))
    empty = labelme_file(tmp_path / "2.json", [])
    line = labelme_file(tmp_path / "3.json", [{"label": "scratch", "shape_type": "line", "points": SQUARE[:2]}])
    records = tuple(record(picture(path.with_suffix(".png")), path) for path in (small, empty, line))
    problems = check_dataset(Dataset(tmp_path, "by hand", records)).problems
    assert [(each.kind, each.path.name) for each in problems] == [
        ("mask-size", "1.json"),
        ("mask-empty", "2.json"),
        ("mask-unreadable", "3.json"),
    ]
