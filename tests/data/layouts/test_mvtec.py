from pathlib import Path

import pytest

from oddlens.data import check_dataset, open_dataset, read_mask
from tests.data.small_sets import facts, mask, mvtec, mvtec_loco, picture

SHARED = Path(__file__).parents[3].parent / "shared" / "data"

# The counts of the data sets' own READMEs: category -> (train, test good, {defect: test}).
REAL_SETS = {
    "mvtec_mini": {
        "bottle": (4, 5, {"broken_large": 2, "broken_small": 2, "contamination": 4}),
        "capsule": (4, 4, {"crack": 2, "poke": 3, "scratch": 2, "squeeze": 1}),
        "metal_nut": (4, 4, {"bent": 3, "color": 3, "flip": 1, "scratch": 1}),
    },
    "magnetic_tile": {
        "magnetic_tile": (200, 80, {"blowhole": 115, "break": 85, "crack": 57, "fray": 32, "uneven": 99}),
    },
    "bsdata": {"ball_screw": (80, 40, {"pitting": 100})},
}


def test_reads_splits_defects_and_masks(tmp_path):
    dataset = open_dataset(mvtec(tmp_path))
    assert dataset.categories == ("bottle", "nut")
    assert dataset.splits == ("train", "test")
    assert facts(dataset.select("bottle"), tmp_path) == {
        ("bottle/train/good/000.png", "bottle", "train", "good", None),
        ("bottle/test/good/000.png", "bottle", "test", "good", None),
        ("bottle/test/crack/000.png", "bottle", "test", "crack", "bottle/ground_truth/crack/000_mask.png"),
    }


@pytest.mark.parametrize("normal", ["normal", "Good", "ok", "OK"])
def test_normal_pictures_lie_in_a_folder_of_several_names(tmp_path, normal):
    for name in ("train/good/1.png", f"test/{normal}/2.png", "test/scratch/3.png"):
        picture(tmp_path / name)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "mvtec"
    assert [(record.image.name, record.label, record.defect) for record in dataset] == [
        ("1.png", 0, "good"),
        ("2.png", 0, "good"),
        ("3.png", 1, "scratch"),
    ]
    assert dataset.problems == ()


@pytest.mark.parametrize("word", ["val", "valid", "Validation"])
def test_pictures_to_validate_with_lie_in_a_folder_of_several_names(tmp_path, word):
    for name in (f"{word}/good/000.png", f"{word}/crack/000.png"):
        picture(mvtec(tmp_path) / "nut" / name)
    dataset = open_dataset(tmp_path)
    assert [(r.image.parent.name, r.label) for r in dataset.select("nut", "validation")] == [("crack", 1), ("good", 0)]
    assert dataset.problems == ()


def test_folders_called_like_a_split_and_loose_images_are_reported(tmp_path):
    for name in ("Test2/good/000.png", "test/000.png", "000.png", "boxes/crack/000.png"):
        picture(mvtec(tmp_path) / "nut" / name)
    nut = tmp_path / "nut"
    assert [(each.kind, each.path) for each in open_dataset(tmp_path).problems] == [
        ("image-loose", nut / "test"),
        ("image-loose", nut),
        ("folder-unknown", nut / "Test2"),
    ]


def test_masks_beside_their_pictures_are_masks_and_no_pictures(tmp_path):
    for name in ("train/good/1.png", "test/good/2.png", "test/scratch/3.png"):
        picture(tmp_path / name)
    drawn = mask(tmp_path / "test" / "scratch" / "3_mask.png")
    mask(tmp_path / "test" / "good" / "2_mask.png", value=0)
    dataset = open_dataset(tmp_path)
    assert [record.mask for record in dataset] == [None, None, drawn]
    assert dataset.problems == ()


def test_pictures_one_folder_deeper_are_reported(tmp_path):
    picture(mvtec(tmp_path) / "nut" / "test" / "dent" / "rgb" / "000.png")
    (problem,) = open_dataset(tmp_path).problems
    assert problem.kind == "folder-empty"
    assert problem.sentence.endswith("dent holds no image, only folders of such")


def test_a_single_category_opens_by_its_own_folder(tmp_path):
    dataset = open_dataset(mvtec(tmp_path) / "nut")
    assert (dataset.layout, dataset.categories, len(dataset)) == ("mvtec", ("nut",), 3)


def test_visa_repacked_has_jpg_images_and_masks_of_the_bare_stem(tmp_path):
    picture(tmp_path / "candle" / "train" / "good" / "0000.JPG")
    picture(tmp_path / "candle" / "test" / "bad" / "000.JPG")
    mask(tmp_path / "candle" / "ground_truth" / "bad" / "000.png")
    dataset = open_dataset(tmp_path)
    assert dataset.problems == ()
    assert dataset.select(label=1).records[0].mask == tmp_path / "candle" / "ground_truth" / "bad" / "000.png"


def test_the_masks_of_mvtec_loco_are_folders_whose_files_count_together(tmp_path):
    dataset = open_dataset(mvtec_loco(tmp_path))
    assert dataset.layout == "mvtec"
    assert dataset.splits == ("train", "validation", "test")
    (abnormal,) = dataset.select(label=1)
    assert abnormal.mask is not None
    assert abnormal.mask.is_dir()
    assert read_mask(abnormal, shape=(16, 16)).sum() == 2 * 2 + 1
    assert check_dataset(dataset).ok


def test_a_category_without_ground_truth_is_an_image_level_one(tmp_path):
    picture(tmp_path / "brain" / "test" / "good" / "1.png")
    picture(tmp_path / "brain" / "test" / "hemorrhage" / "2.png")
    dataset = open_dataset(tmp_path)
    assert dataset.problems == ()
    assert [record.mask for record in dataset] == [None, None]


def test_pixels_to_ignore_come_from_their_own_folder(tmp_path):
    mvtec(tmp_path)
    ignored = mask(tmp_path / "nut" / "ignore" / "crack" / "000_ignore.png")
    records = open_dataset(tmp_path)
    assert [record.ignore for record in records.select("nut", label=1)] == [ignored]
    assert [record.ignore for record in records.select("bottle", label=1)] == [None]


def test_masks_of_a_defect_without_pictures_are_a_problem_and_those_of_good_ones_are_not_read(tmp_path):
    mvtec(tmp_path)
    mask(tmp_path / "nut" / "ground_truth" / "dent" / "000_mask.png")
    mask(tmp_path / "nut" / "ground_truth" / "good" / "000_mask.png", value=0)
    assert [(each.kind, each.path.name) for each in open_dataset(tmp_path).problems] == [("mask-orphan", "dent")]


@pytest.mark.parametrize("name", ["groundtruth", "Ground-Truth", "ground_thruth"])
def test_a_folder_of_masks_with_a_misspelt_name_is_reported(tmp_path, name):
    root = mvtec(tmp_path)
    (root / "bottle" / "ground_truth").rename(root / "bottle" / name)
    dataset = open_dataset(root)
    (problem,) = dataset.problems
    assert problem.sentence == (
        f"nothing reads the images in the folder {root / 'bottle' / name}, did you mean 'ground_truth'?"
    )
    assert not any(record.mask for record in dataset.select("bottle"))


def test_a_split_with_a_misspelt_name_is_reported(tmp_path):
    root = mvtec(tmp_path)
    (root / "bottle" / "test").rename(root / "bottle" / "tets")
    said = [problem.sentence for problem in open_dataset(root).problems]
    assert f"nothing reads the images in the folder {root / 'bottle' / 'tets'}, did you mean 'test'?" in said


@pytest.mark.parametrize("name", REAL_SETS)
def test_a_real_set_has_the_counts_of_its_readme(name):
    if not (SHARED / name).is_dir():
        pytest.skip(f"needs ../shared/data/{name}, real images that are not part of the repository")
    dataset = open_dataset(SHARED / name)
    assert dataset.layout == "mvtec"
    assert dataset.problems == ()
    found = {}
    for category in dataset.categories:
        tests = [record.defect for record in dataset.select(category, "test")]
        defects = {defect: tests.count(defect) for defect in tests if defect != "good"}
        found[category] = (len(dataset.select(category, "train")), tests.count("good"), defects)
        assert all(record.mask for record in dataset.select(category, label=1))
    assert found == REAL_SETS[name]


def test_road_photos_without_official_labels_are_an_image_level_set(shared):
    folder = shared / "data" / "road_ood_samples" / "road"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data/road_ood_samples, real images that are not part of the repository")
    dataset = open_dataset(folder)
    assert (dataset.layout, dataset.problems) == ("mvtec", ())
    assert [len(dataset.select(split=split)) for split in ("train", "test")] == [2, 9]
    assert {record.mask for record in dataset} == {None}
