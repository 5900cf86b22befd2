"""The known faults of the listings that AnomalyCLIP's generators write."""

import pytest

from oddlens.data import open_dataset
from oddlens.errors import DataError
from tests.data.small_sets import facts, listing, mask, meta_json, mvtec_loco, picture


def entry(image, mask_path="", anomaly=1, specie="crack"):
    return {
        "img_path": str(image),
        "mask_path": str(mask_path),
        "cls_name": "c",
        "specie_name": specie,
        "anomaly": anomaly,
    }


def kinds(dataset):
    return [(problem.kind, problem.path.name) for problem in dataset.problems]


def test_the_listing_counts_and_not_the_folders_around_it(tmp_path):
    dataset = open_dataset(meta_json(tmp_path))
    assert facts(dataset, tmp_path) == {
        ("bottle/test/good/000.png", "bottle", "test", "good", None),
        ("bottle/test/crack/000.png", "bottle", "test", "crack", "bottle/ground_truth/crack/000_mask.png"),
    }
    assert open_dataset(tmp_path / "meta.json").records == dataset.records


def test_names_of_parts_count_in_any_case(tmp_path):
    picture(tmp_path / "Class1" / "Train" / "0001.PNG")
    picture(tmp_path / "Class1" / "Test" / "0002.PNG")
    train, test = entry("Class1/Train/0001.PNG", anomaly=0), entry("Class1/Test/0002.PNG", anomaly=0)
    dataset = open_dataset(listing(tmp_path, {"Train": {"Class1": [train]}, "Test": {"Class1": [test]}}))
    assert dataset.splits == ("train", "test")
    assert dataset.problems == ()


def test_another_part_is_a_problem(tmp_path):
    picture(tmp_path / "1.png")
    dataset = open_dataset(listing(tmp_path, {"test": {"c": [entry("1.png")]}, "extra": {"c": [entry("1.png")]}}))
    assert kinds(dataset) == [("row-invalid", "meta.json")]
    assert len(dataset) == 1


@pytest.mark.parametrize("away", ["/remote-home/somebody/data/medical", "D:\\data"])
def test_absolute_paths_of_another_machine_are_taken_from_the_root_on(tmp_path, away):
    root = tmp_path / "CVC-ColonDB"
    image, drawn = picture(root / "images" / "1.png"), mask(root / "masks" / "1.png")
    separator = "\\" if "\\" in away else "/"
    paths = [separator.join((away, "CVC-ColonDB", folder, "1.png")) for folder in ("images", "masks")]
    dataset = open_dataset(listing(root, {"train": {}, "test": {"colon": [entry(*paths, specie="")]}}))
    assert [(record.image, record.mask, record.defect) for record in dataset] == [(image, drawn, "anomaly")]
    assert dataset.problems == ()


def test_absolute_paths_that_lead_nowhere_are_reported(tmp_path):
    picture(tmp_path / "images" / "1.png")
    entries = [entry("images/1.png"), entry("/remote-home/elsewhere/images/2.png")]
    assert kinds(open_dataset(listing(tmp_path, {"test": {"colon": entries}}))) == [("image-missing", "2.png")]


def test_masks_paired_by_position_are_found_out_by_their_names(tmp_path):
    for stem in ("000", "001", "002"):
        picture(tmp_path / "c" / "test" / "crack" / f"{stem}.png")
        mask(tmp_path / "c" / "ground_truth" / "crack" / f"{stem}_mask.png")
    shifted = [entry(f"c/test/crack/00{i}.png", f"c/ground_truth/crack/00{i + 1}_mask.png") for i in range(2)]
    dataset = open_dataset(listing(tmp_path, {"test": {"c": [*shifted, entry("c/test/crack/002.png")]}}))
    assert kinds(dataset) == [
        ("mask-missing", "002.png"),
        ("mask-mismatched", "000.png"),
        ("mask-mismatched", "001.png"),
    ]
    assert [record.mask for record in dataset] == [None, None, None]


def test_masks_named_by_another_rule_are_believed(tmp_path):
    drawn = mask(tmp_path / "masks" / "gt_7.png")
    picture(tmp_path / "images" / "scan_7.png")
    dataset = open_dataset(listing(tmp_path, {"test": {"c": [entry("images/scan_7.png", "masks/gt_7.png")]}}))
    assert [record.mask for record in dataset] == [drawn]
    assert dataset.problems == ()


def test_the_one_listed_mask_of_mvtec_loco_stands_for_its_folder(tmp_path):
    truth = "pushpins/ground_truth/logical_anomalies/000"
    listed = entry("pushpins/test/logical_anomalies/000.png", f"{truth}/000.png", specie="logical_anomalies")
    dataset = open_dataset(listing(mvtec_loco(tmp_path), {"test": {"pushpins": [listed]}}))
    assert [record.mask for record in dataset] == [tmp_path / truth]


def test_empty_mask_paths_are_no_problem_in_an_image_level_set(tmp_path):
    picture(tmp_path / "yes" / "1.png")
    dataset = open_dataset(listing(tmp_path, {"test": {"brain": [entry("yes/1.png", specie="yes")]}}))
    assert dataset.problems == ()
    assert [(record.label, record.mask) for record in dataset] == [(1, None)]


def test_an_entry_without_image_or_label_is_reported_and_left_out(tmp_path):
    picture(tmp_path / "1.png")
    faulty = [
        entry("1.png", anomaly=2),
        {},
        "1.png",
        {"img_path": 1, "anomaly": 0},
        {"img_path": "1.png", "anomaly": []},
    ]
    dataset = open_dataset(listing(tmp_path, {"test": {"c": [entry("1.png"), *faulty]}}))
    assert kinds(dataset) == [("row-invalid", "meta.json")] * len(faulty)
    assert len(dataset) == 1


@pytest.mark.parametrize("content", ["no json", "[]", '{"test": []}', '{"test": {"c": {}}}'])
def test_a_file_that_is_no_such_listing_is_one_clear_error(tmp_path, content):
    (tmp_path / "meta.json").write_text(content)
    with pytest.raises(DataError, match=r"meta\.json (is not a listing|cannot be read as JSON)"):
        open_dataset(tmp_path)
