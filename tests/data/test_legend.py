import json

import numpy as np
import pytest
from PIL import Image

from oddlens.data import LEGENDS, Record, load_legend, read_classes, read_ignore, read_mask
from oddlens.data.legend import IGNORED
from oddlens.data.masks import read_values
from oddlens.errors import DataError

ALL_VALUES = np.arange(256, dtype=np.uint8)


def written(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def labelled(tmp_path, values, label=1, **more):
    """A record whose one label file is its mask, its ignore mask and its class labels."""
    file = tmp_path / "labels.png"
    Image.fromarray(np.array(values, np.uint8)).save(file)
    fields = {"mask": file if label else None, "ignore": file, "classes": file, "legend": "street-hazards"} | more
    return Record(tmp_path / "1.png", label=label, category="road", defect="d", split="test", **fields)


@pytest.mark.parametrize("legend", LEGENDS.values(), ids=LEGENDS.keys())
def test_no_value_is_both_normal_and_anomalous_and_known_classes_are_normal(legend):
    assert not legend.normal & legend.anomalous
    assert set(legend.class_values) <= legend.normal
    assert len(legend.names) == len(legend.class_values) == len(set(legend.class_values))


@pytest.mark.parametrize("legend", LEGENDS.values(), ids=LEGENDS.keys())
def test_the_tables_mark_the_values_that_are_named(legend):
    assert set(np.flatnonzero(legend.is_normal(ALL_VALUES))) == legend.normal
    assert set(np.flatnonzero(legend.is_anomalous(ALL_VALUES))) == legend.anomalous
    known = {value: index for index, value in enumerate(legend.class_values)}
    assert legend.indices(ALL_VALUES).tolist() == [known.get(value, IGNORED) for value in range(256)]


def test_label_ids_and_train_ids_of_cityscapes_give_the_same_classes():
    by_id, by_train_id = LEGENDS["cityscapes"], LEGENDS["cityscapes-train-ids"]
    assert by_id.names == by_train_id.names
    assert by_id.indices(np.array([7, 11, 23, 33, 29, 30, 0], np.uint8)).tolist() == [0, 2, 10, 18, 255, 255, 255]
    assert by_train_id.indices(np.array([0, 2, 10, 18, 255], np.uint8)).tolist() == [0, 2, 10, 18, 255]


def test_one_file_holds_the_unknown_what_counts_and_the_classes(tmp_path):
    record = labelled(tmp_path, [[1, 13, 14, 0]])
    assert read_mask(record).tolist() == [[False, False, True, False]]
    assert read_ignore(record).tolist() == [[False, False, False, True]]
    assert read_classes(record).tolist() == [[0, 12, IGNORED, IGNORED]]


def test_a_stray_unknown_in_a_normal_picture_counts_for_nothing(tmp_path):
    record = labelled(tmp_path, [[1, 14, 0]], label=0)
    assert not read_mask(record, (1, 3)).any()
    assert read_ignore(record).tolist() == [[False, True, True]]


def test_without_a_legend_what_is_above_zero_is_ignored_and_there_are_no_classes(tmp_path):
    record = labelled(tmp_path, [[0, 1, 255]], legend=None)
    assert read_ignore(record).tolist() == [[False, True, True]]
    with pytest.raises(DataError, match=r"1\.png has no class labels"):
        read_classes(record)


def test_without_an_ignore_mask_every_pixel_counts(tmp_path):
    assert read_ignore(labelled(tmp_path, [[1]], ignore=None)) is None


def test_label_files_must_have_the_size_of_their_picture(tmp_path):
    record = labelled(tmp_path, [[1, 14, 0]])
    for read in (read_mask, read_ignore, read_classes):
        with pytest.raises(DataError, match="3 x 1 pixels instead of 2 x 2"):
            read(record, (2, 2))


def test_the_values_of_a_palette_are_its_indices_and_grey_saved_in_colour_is_grey(tmp_path):
    record = labelled(tmp_path, [[1, 14]])
    indexed = Image.fromarray(np.array([[1, 14]], np.uint8), "P")
    indexed.putpalette([200, 10, 30] * 256)
    for picture in (indexed, Image.fromarray(np.full((1, 2, 3), [[[1], [14]]], np.uint8))):
        picture.save(record.mask)
        assert read_mask(record).tolist() == [[False, True]]
        assert read_classes(record).tolist() == [[0, IGNORED]]


def test_a_label_file_that_cannot_be_read_or_is_too_deep_is_one_clear_error(tmp_path):
    record = labelled(tmp_path, [[1]])
    Image.fromarray(np.array([[300]], np.uint16)).save(record.mask)
    with pytest.raises(DataError, match=r"labels\.png is deeper than 8 bits"):
        read_classes(record)
    record.mask.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"the label file .*labels\.png is a text file"):
        read_classes(record)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_channel_of_transparency_in_which_nothing_is_transparent_changes_nothing(tmp_path, mode):
    Image.fromarray(np.array([[0, 1, 255]], np.uint8)).convert(mode).save(tmp_path / "labels.png")
    assert read_values(tmp_path / "labels.png").tolist() == [[0, 1, 255]]


@pytest.mark.parametrize(
    ("mode", "pixel", "what"),
    [
        ("RGB", (1, 2, 0), "colours"),
        ("RGBA", (0, 0, 0, 0), "transparent pixels"),
        ("LA", (1, 254), "transparent pixels"),
    ],
)
def test_labels_in_colours_or_transparency_are_no_numbers(tmp_path, mode, pixel, what):
    drawn = Image.new(mode, (4, 4), {"RGB": (1, 1, 1), "RGBA": (0, 0, 0, 255), "LA": (1, 255)}[mode])
    drawn.putpixel((2, 1), pixel)
    drawn.save(tmp_path / "labels.png")
    with pytest.raises(DataError, match=rf"labels\.png has {what} in place of numbers: save the number of each pixel"):
        read_values(tmp_path / "labels.png")


def test_a_legend_of_ones_own_lists_the_names_of_the_values_and_which_of_them_are_unknown(tmp_path):
    content = {"classes": ["sky", "person", "road", "void"], "ood": [1], "ignore": 3}
    legend = load_legend(written(tmp_path / "classes.json", content))
    assert legend.names == ("sky", "road")
    assert (legend.class_values, legend.normal, legend.anomalous) == ((0, 2), {0, 2}, {1})


def test_a_legend_may_ignore_several_values_or_none(tmp_path):
    several = written(tmp_path / "1.json", {"classes": ["a", "b", "c"], "ignore": [0, 2]})
    none = written(tmp_path / "2.json", {"classes": ["a", "b"]})
    assert [load_legend(path).names for path in (several, none)] == [("b",), ("a", "b")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("no json", "cannot be read as JSON"),
        ([], "different names"),
        ({"classes": []}, "different names"),
        ({"classes": ["a", "a"]}, "different names"),
        ({"classes": ["a", " "]}, "different names"),
        ({"classes": {"a": 1}}, "different names"),
        ({"classes": [1, 2]}, "different names"),
        ({"classes": ["a"], "ood": 1}, "values from 0 to 255"),
        ({"classes": ["a"], "ood": [256]}, "values from 0 to 255"),
        ({"classes": ["a"], "ood": [True]}, "values from 0 to 255"),
        ({"classes": ["a"], "ignore": False}, "values from 0 to 255"),
        ({"classes": True}, "different names"),
        ("[" * 100_000, "cannot be read as JSON"),
        ({"classes": ["a"], "ignore": ["a"]}, "values from 0 to 255"),
    ],
)
def test_a_file_that_is_no_legend_is_one_clear_error(tmp_path, content, complaint):
    with pytest.raises(DataError, match=rf"classes\.json .*{complaint}|{complaint}.*classes\.json"):
        load_legend(written(tmp_path / "classes.json", content))


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (
            "ignored",
            r'"ignored" of the legend .*classes\.json means nothing, did you mean \'ignore\'\? Choose one of cla',
        ),
        ("void", r'"void" of the legend .*classes\.json means nothing: choose one of classes, ood, ignore'),
    ],
)
def test_a_name_that_means_nothing_in_a_legend_is_not_passed_over(tmp_path, name, complaint):
    """What is to be ignored would count, and figures would be others."""
    content = {"classes": ["sky", "road", "void"], "ood": [1], name: 2}
    with pytest.raises(DataError, match=complaint):
        load_legend(written(tmp_path / "classes.json", content))


def test_a_name_that_is_no_legend_is_one_clear_error():
    with pytest.raises(DataError, match='"mars" is no legend'):
        load_legend("mars")
