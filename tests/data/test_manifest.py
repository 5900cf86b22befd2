import hashlib
import json
import shutil
import unicodedata

import pytest

from oddlens.data import Dataset, Record, load_legend, manifest_hash, open_dataset, read_mask, write_manifest
from oddlens.errors import DataError, UsageError
from tests.data.small_sets import SMALL_SETS, mask, mvtec, picture


@pytest.mark.parametrize("layout", SMALL_SETS)
def test_a_manifest_says_all_that_the_layout_said(tmp_path, layout):
    dataset = open_dataset(SMALL_SETS[layout](tmp_path), layout)
    write_manifest(dataset, tmp_path / "all.jsonl")
    again = open_dataset(tmp_path / "all.jsonl")
    assert again.records == dataset.records
    assert manifest_hash(again) == manifest_hash(dataset)


def test_a_manifest_may_lie_anywhere_and_its_paths_are_relative(tmp_path):
    (tmp_path / "set").mkdir()
    dataset = open_dataset(mvtec(tmp_path / "set"))
    write_manifest(dataset, tmp_path / "lists" / "m.jsonl")
    lines = (tmp_path / "lists" / "m.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["image"] == "../set/bottle/train/good/000.png"
    assert {record.image.resolve() for record in open_dataset(tmp_path / "lists" / "m.jsonl")} == {
        record.image for record in dataset
    }


def test_ignored_pixels_are_kept(tmp_path):
    ignored = mask(mvtec(tmp_path) / "nut" / "ignore" / "crack" / "000_ignore.png")
    write_manifest(open_dataset(tmp_path), tmp_path / "m.jsonl")
    assert [record.ignore for record in open_dataset(tmp_path / "m.jsonl").select("nut", label=1)] == [ignored]


def test_class_labels_and_what_their_values_mean_are_kept(tmp_path):
    labels, legend = mask(tmp_path / "labels" / "1.png", value=1), tmp_path / "classes.json"
    legend.write_text('{"classes": ["road", "dog"], "ood": [1]}')
    for number, meaning in enumerate((legend, "ood")):
        image = picture(tmp_path / f"{number}.png")
        record = Record(image, labels, 1, "road", "anomaly", "test", labels, labels, meaning)
        write_manifest(Dataset(tmp_path, "by hand", (record,)), tmp_path / "lists" / "m.jsonl")
        (again,) = open_dataset(tmp_path / "lists" / "m.jsonl")
        assert load_legend(again.legend) == load_legend(meaning)
        assert read_mask(again).sum() == 16
        assert again.classes.samefile(labels)


def test_a_legend_that_is_nowhere_and_class_labels_that_are_gone_are_reported(tmp_path):
    for name in ("1.png", "2.png"):
        picture(tmp_path / name)
    rows = [
        {"image": "1.png", "label": 0, "legend": "mars"},
        {"image": "2.png", "label": 0, "classes": "gone.png", "legend": "cityscapes"},
    ]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = open_dataset(tmp_path / "m.jsonl")
    assert [(each.kind, each.path.name) for each in dataset.problems] == [
        ("row-invalid", "m.jsonl"),
        ("mask-missing", "2.png"),
    ]
    assert [(record.image.name, record.classes) for record in dataset] == [("2.png", None)]


def test_the_hash_depends_on_what_is_said_and_neither_on_the_place_nor_on_the_order(tmp_path):
    (tmp_path / "a").mkdir()
    first = open_dataset(mvtec(tmp_path / "a"))
    write_manifest(first, tmp_path / "a" / "m.jsonl")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    lines = (tmp_path / "b" / "m.jsonl").read_text().splitlines()
    (tmp_path / "b" / "m.jsonl").write_text("\n".join(reversed(lines)))
    assert manifest_hash(open_dataset(tmp_path / "b" / "m.jsonl")) == manifest_hash(first)
    (tmp_path / "b" / "nut" / "test" / "good" / "000.png").rename(tmp_path / "b" / "nut" / "test" / "good" / "1.png")
    assert manifest_hash(open_dataset(tmp_path / "b", "mvtec")) != manifest_hash(first)


def test_the_hash_is_the_one_of_the_first_release(tmp_path):
    picture(tmp_path / "good" / "1.png")
    dataset = open_dataset(tmp_path, normal_dir="good")
    line = {
        "image": "good/1.png",
        "mask": None,
        "label": 0,
        "category": tmp_path.name,
        "defect": "good",
        "split": "test",
    }
    assert manifest_hash(dataset) == hashlib.sha256(json.dumps(line).encode()).hexdigest()


def test_a_table_by_hand_needs_image_and_label_only(tmp_path):
    picture(tmp_path / "1.png")
    picture(tmp_path / "2.png")
    drawn = mask(tmp_path / "2_mask.png")
    (tmp_path / "parts.csv").write_text("image,label,mask\n1.png,0,\n2.png,1,2_mask.png\n")
    dataset = open_dataset(tmp_path / "parts.csv")
    assert [(r.label, r.mask, r.defect, r.split) for r in dataset] == [
        (0, None, "good", "test"),
        (1, drawn, "anomaly", "test"),
    ]
    assert dataset.categories == (tmp_path.name,)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("not json", "is no JSON (Expecting value"),
        ('{"image": "1.png", "label": NaN}', "is no JSON (NaN is no number"),
        ("[" * 100_000, "is no JSON (it is nested too deeply)"),
        ('["1.png", 0]', "is no JSON object"),
        ('{"label": 0}', "has no image"),
        ('{"image": "1.png", "label": 0, "mask": 3}', 'has the mask "3", which is no text'),
        ('{"image": "1.png", "label": 0, "classes": "1.png"}', "has classes, but no legend"),
        ('{"image": "1.png"}', "has no label: give 0 (normal) or 1 (abnormal)"),
        ('{"image": "1.png", "label": 2}', 'has the label "2": give 0 (normal) or 1 (abnormal)'),
        ('{"image": "1.png", "label": "dunno"}', 'has the label "dunno": give 0'),
        ('{"image": "1.png", "label": [0]}', 'has the label "[0]": give 0'),
        ('{"image": "1.png", "label": 0, "split": "dev"}', 'has the split "dev"'),
    ],
)
def test_a_line_at_fault_is_reported_by_its_number_and_left_out(tmp_path, line, fault):
    picture(tmp_path / "1.png")
    (tmp_path / "m.jsonl").write_text('{"image": "1.png", "label": 0}\n\n' + line + "\n")
    dataset = open_dataset(tmp_path / "m.jsonl")
    (problem,) = dataset.problems
    assert problem.kind == "row-invalid"
    assert problem.sentence.startswith("line 3 of ")
    assert fault in problem.sentence
    assert len(dataset) == 1


@pytest.mark.parametrize(
    "table",
    [
        "image,label\n1.png,0.0\n2.png,1.0\n",  # pandas, where the column had an empty cell
        "image;label\n1.png;0\n2.png;1\n",  # Excel where the comma is the decimal mark
        "image;label\n1.png;0,0\n2.png;1,0\n",
        "image\tlabel\n1.png\t0\n2.png\t1\n",
        "\ufeffImage, Label\n1.png, False\n2.png, True\n",
        "image,label\n1.png,normal\n2.png,anomaly\n",
        "image,label\r\n1.png,OK\r\n2.png,NG\r\n",
    ],
)
def test_tables_are_read_as_pandas_and_excel_write_them(tmp_path, table):
    for name in ("1.png", "2.png"):
        picture(tmp_path / name)
    (tmp_path / "parts.csv").write_text(table, encoding="utf-8", newline="")
    dataset = open_dataset(tmp_path / "parts.csv")
    assert dataset.problems == ()
    assert [(record.image.name, record.label) for record in dataset] == [("1.png", 0), ("2.png", 1)]


def test_json_labels_may_be_numbers_of_any_kind_or_truth_values(tmp_path):
    labels = (False, 1.0, True, "0", "1.0")
    for number in range(len(labels)):
        picture(tmp_path / f"{number}.png")
    rows = [{"image": f"{number}.png", "label": label} for number, label in enumerate(labels)]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert [record.label for record in open_dataset(tmp_path / "m.jsonl")] == [0, 1, 1, 0, 1]


def test_paths_may_have_backslashes_and_letters_in_the_other_form_of_unicode(tmp_path):
    picture(tmp_path / "pics" / unicodedata.normalize("NFD", "Stück.png"))
    mask(tmp_path / "pics" / "Maß_é.png")
    row = {"image": "pics\\Stück.png", "label": 1, "mask": "pics\\" + unicodedata.normalize("NFD", "Maß_é.png")}
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    dataset = open_dataset(tmp_path / "m.jsonl")
    assert dataset.problems == ()
    assert read_mask(dataset.records[0]).sum() == 16


def test_the_words_for_splits_are_those_of_other_programs_too(tmp_path):
    words = {"Train": "train", "val": "validation", "valid": "validation", "testing": "test", "unlabeled": "unlabelled"}
    for word in words:
        picture(tmp_path / f"{word}.png")
    (tmp_path / "m.csv").write_text("image,label,split\n" + "".join(f"{word}.png,0,{word}\n" for word in words))
    assert [record.split for record in open_dataset(tmp_path / "m.csv")] == list(words.values())


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("image,label\n1.png,2.0\n", 'line 2 of .*m.csv has the label "2.0"'),
        ("image,label\nold/1.png,1\n", "line 2 of .*m.csv lists .*old/1.png, which does not exist: check the path"),
        (
            "image,label\nold/1.png,1\n1.png,2\n",
            r"which does not exist: check the path \(1 more problems like this one\)",
        ),
        ("file,label\n1.png,1\n", 'm.csv has no column "image": it has file, label'),
    ],
)
def test_why_no_row_of_a_listing_can_be_used_is_reported(tmp_path, table, reason):
    picture(tmp_path / "1.png")
    (tmp_path / "m.csv").write_text(table)
    with pytest.raises(DataError, match=reason):
        open_dataset(tmp_path / "m.csv")


def test_a_picture_that_is_listed_twice_counts_once(tmp_path):
    picture(tmp_path / "1.png")
    (tmp_path / "m.csv").write_text("image,label\n1.png,0\n1.png,0\n./1.png,1\n")
    dataset = open_dataset(tmp_path / "m.csv")
    assert [record.label for record in dataset] == [0]
    assert [each.kind for each in dataset.problems] == ["image-repeated"] * 2
    assert "with another label" in dataset.problems[1].sentence


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "nul\0.png", "."])
def test_a_name_that_no_file_can_have_is_reported_and_the_others_are_read(tmp_path, name):
    picture(tmp_path / "1.png")
    rows = ({"image": name, "label": 0}, {"image": "1.png", "label": 1, "mask": name, "ignore": name})
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = open_dataset(tmp_path / "m.jsonl")
    assert [record.image.name for record in dataset] == ["1.png"]
    assert dataset.problems[0].kind == "image-missing"


def test_files_that_are_gone_are_reported(tmp_path):
    for name in ("1.png", "2.png", "3.png"):
        picture(tmp_path / name)
    mask(tmp_path / "1_mask.png")
    rows = [
        {"image": "1.png", "label": 1, "mask": "1_mask.png"},
        {"image": "2.png", "label": 1, "mask": "gone.png"},
        {"image": "3.png", "label": 1, "ignore": "gone too.png"},
        {"image": "4.png", "label": 0},
    ]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = open_dataset(tmp_path / "m.jsonl")
    assert [(each.kind, each.path.name) for each in dataset.problems] == [
        ("image-missing", "4.png"),
        ("mask-missing", "2.png"),
        ("mask-missing", "3.png"),  # others of its category have a mask
        ("mask-missing", "3.png"),  # and its ignore mask is gone
    ]
    assert [(record.mask is not None, record.ignore) for record in dataset] == [
        (True, None),
        (False, None),
        (False, None),
    ]


def test_a_manifest_in_another_encoding_is_one_clear_error(tmp_path):
    (tmp_path / "m.jsonl").write_bytes('{"image": "Stück.png", "label": 0}'.encode("latin-1"))
    with pytest.raises(DataError, match="is not text in UTF-8"):
        open_dataset(tmp_path / "m.jsonl")


def test_a_manifest_that_could_not_be_opened_again_is_not_written(tmp_path):
    with pytest.raises(UsageError, match=r"does not end in \.jsonl"):
        write_manifest(open_dataset(mvtec(tmp_path)), tmp_path / "m.txt")
