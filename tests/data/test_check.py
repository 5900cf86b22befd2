import json
import shutil

import numpy as np
import pytest
from PIL import Image

from oddlens.data import LEGENDS, Count, Dataset, Record, check_dataset, open_dataset
from tests.data.small_sets import mask, mvtec, mvtec_ad_2, picture


def plant_every_fault(root):
    """Write an MVTec-like set with every fault there is, and return what the check has to say: {(kind, path in the root)}."""
    mvtec(root)
    test, truth = root / "nut" / "test", root / "nut" / "ground_truth"
    for stem in ("001", "002", "003", "004", "005", "006"):
        picture(test / "crack" / f"{stem}.png")
    mask(truth / "crack" / "001_mask.png", size=(16, 8))
    soft = Image.new("L", (16, 16))
    soft.paste(Image.linear_gradient("L").resize((16, 6)), (0, 5))
    soft.save(truth / "crack" / "002_mask.png")
    (truth / "crack" / "003_mask.png").write_bytes(b"no image")
    mask(truth / "crack" / "004_mask.png", value=0)
    mask(truth / "crack" / "0O5_mask.png")  # shifted: the image is 005, with a zero
    (test / "crack" / "006.png").write_bytes((test / "crack" / "006.png").read_bytes()[:40])  # cut short
    mask(truth / "crack" / "006_mask.png")
    picture(test / "good" / "000.bmp")
    picture(root / "nut" / "train" / "crack" / "000.png")
    (test / "dent").mkdir()
    mask(truth / "stain" / "000_mask.png")
    (root / "screw").mkdir()
    picture(root / "backup" / "000.png")
    picture(root / "cap" / "train" / "good" / "000.png")
    return {
        ("mask-size", "nut/ground_truth/crack/001_mask.png"),
        ("mask-not-binary", "nut/ground_truth/crack/002_mask.png"),
        ("mask-unreadable", "nut/ground_truth/crack/003_mask.png"),
        ("mask-empty", "nut/ground_truth/crack/004_mask.png"),
        ("mask-missing", "nut/test/crack/005.png"),
        ("mask-orphan", "nut/ground_truth/crack/0O5_mask.png"),
        ("image-unreadable", "nut/test/crack/006.png"),
        ("name-duplicate", "nut/test/good/000.png"),
        ("abnormal-in-train", "nut/train/crack"),
        ("folder-empty", "nut/test/dent"),
        ("mask-orphan", "nut/ground_truth/stain"),
        ("category-empty", "screw"),
        ("folder-unknown", "backup"),
        ("test-empty", "."),
    }


def test_every_planted_fault_is_described_and_nothing_else(tmp_path):
    planted = plant_every_fault(tmp_path)
    report = check_dataset(open_dataset(tmp_path))
    assert not report.ok
    assert {(each.kind, each.path.relative_to(tmp_path).as_posix()) for each in report.problems} == planted
    assert len(report.problems) == len(planted)
    for problem in report.problems:
        assert str(problem.path) in problem.sentence
        assert not problem.sentence.endswith(".")
        assert not problem.sentence[0].isupper()
        assert "\n" not in problem.sentence


def test_counts_are_by_category_and_split(tmp_path):
    assert check_dataset(open_dataset(mvtec(tmp_path))).counts == tuple(
        count
        for category in ("bottle", "nut")
        for count in (Count(category, "train", 1, 0, 0, 0), Count(category, "test", 1, 1, 1, 0))
    )


def test_unlabelled_pictures_are_counted_as_such(tmp_path):
    counts = check_dataset(open_dataset(mvtec_ad_2(tmp_path))).counts
    assert counts[-1] == Count("can", "unlabelled", 0, 0, 0, 2)


def test_a_normal_picture_whose_mask_shows_a_defect_is_a_problem(tmp_path):
    picture(tmp_path / "1.png")
    picture(tmp_path / "2.png")
    mask(tmp_path / "1_mask.png")
    mask(tmp_path / "2_mask.png", value=0)
    (tmp_path / "m.csv").write_text("image,label,mask\n1.png,0,1_mask.png\n2.png,0,2_mask.png\n")
    problems = check_dataset(open_dataset(tmp_path / "m.csv")).problems
    assert [(each.kind, each.path.name) for each in problems] == [("mask-of-normal", "1_mask.png")]


@pytest.mark.parametrize(
    ("box", "inverted"),
    [((6, 6, 9, 9), True), ((2, 2, 13, 13), True), ((0, 0, 16, 13), False), ((0, 0, 0, 0), True)],
    ids=["a speck is left", "less than half is left", "the border is left", "nothing is left"],
)
def test_a_mask_that_may_be_black_on_white_is_a_problem(tmp_path, box, inverted):
    path = mask(mvtec(tmp_path) / "nut" / "ground_truth" / "crack" / "000_mask.png", value=255, box=(0, 0, 16, 16))
    drawn = Image.open(path)
    drawn.paste(0, box)
    drawn.save(path)
    problems = check_dataset(open_dataset(tmp_path)).problems
    assert [(each.kind, each.path) for each in problems] == ([("mask-inverted", path)] if inverted else [])


def test_a_large_defect_within_the_picture_is_no_inverted_mask(tmp_path):
    mask(mvtec(tmp_path) / "nut" / "ground_truth" / "crack" / "000_mask.png", box=(1, 1, 15, 14))
    assert check_dataset(open_dataset(tmp_path)).ok


def test_the_same_picture_in_training_and_test_is_found_by_what_it_shows(tmp_path):
    shown = Image.open(mvtec(tmp_path) / "nut" / "train" / "good" / "000.png")
    shown.save(tmp_path / "bottle" / "test" / "crack" / "000.png", compress_level=0)
    (problem,) = check_dataset(open_dataset(tmp_path)).problems
    assert problem.kind == "image-shared"
    assert problem.path == tmp_path / "bottle" / "test" / "crack" / "000.png"
    assert "is the same image as" in problem.sentence
    assert "nut/train/good/000.png (train): keep only one of them" in problem.sentence


def test_one_picture_with_two_labels_is_a_problem_and_with_one_label_in_one_split_it_is_not(tmp_path):
    for name in ("good/1.png", "good/2.png", "dent/1.png"):
        picture(tmp_path / name)
    shutil.copy(tmp_path / "good" / "1.png", tmp_path / "good" / "3.png")
    assert check_dataset(open_dataset(tmp_path)).ok
    shutil.copy(tmp_path / "good" / "2.png", tmp_path / "dent" / "2.png")
    (problem,) = check_dataset(open_dataset(tmp_path)).problems
    assert (problem.kind, problem.path) == ("image-shared", tmp_path / "dent" / "2.png")
    assert "labelled abnormal and is the same image as" in problem.sentence


def test_a_picture_of_the_same_pixels_in_another_shape_is_another(tmp_path):
    for name, size in (("train/good/1.png", (8, 2)), ("test/good/1.png", (2, 8))):
        (tmp_path / name).parent.mkdir(parents=True)
        Image.new("RGB", size).save(tmp_path / name)
    assert check_dataset(open_dataset(tmp_path)).ok


def test_a_mask_saved_as_jpeg_is_not_binary(tmp_path):
    picture(tmp_path / "images" / "1.jpg")
    mask(tmp_path / "masks" / "1.jpg", box=(3, 3, 12, 9))
    assert [each.kind for each in check_dataset(open_dataset(tmp_path)).problems] == ["mask-not-binary"]


def test_a_mask_turned_on_its_side_has_the_wrong_size_and_one_that_lies_like_its_picture_has_not(tmp_path):
    for stem, size in (("lying", (16, 8)), ("standing", (8, 16))):
        picture(tmp_path / "images" / f"{stem}.png", size=(16, 8))
        mask(tmp_path / "masks" / f"{stem}.png", size=size)
    (problem,) = check_dataset(open_dataset(tmp_path)).problems
    assert (problem.kind, problem.path.name) == ("mask-size", "standing.png")
    assert "has 8 x 16 pixels, its image 16 x 8" in problem.sentence


def test_masks_of_ignored_pixels_are_held_against_their_picture_too(tmp_path):
    mask(mvtec(tmp_path) / "nut" / "ignore" / "crack" / "000_ignore.png", size=(4, 4))
    problems = check_dataset(open_dataset(tmp_path)).problems
    assert [(each.kind, each.path.name) for each in problems] == [("mask-size", "000_ignore.png")]


def test_label_files_are_read_by_their_legend(tmp_path):
    image, labels = picture(tmp_path / "1.png"), mask(tmp_path / "labels.png", value=255)
    record = Record(image, labels, 1, "road", "anomaly", "test", labels, labels, "ood")
    (problem,) = check_dataset(Dataset(tmp_path, "by hand", (record,))).problems
    assert problem.kind == "mask-empty"
    assert problem.sentence.endswith("labelled abnormal: its values are 0, 255, and the unknown is 1")
    drawn = Image.open(labels)
    drawn.paste(1, (0, 0, 2, 2))
    drawn.save(labels)
    assert check_dataset(Dataset(tmp_path, "by hand", (record,))).ok


def test_class_labels_are_held_against_their_picture_and_are_no_defect(tmp_path):
    image, labels = picture(tmp_path / "1.png"), mask(tmp_path / "labels.png", value=26, size=(4, 16), box=(0, 0, 2, 2))
    record = Record(image, None, 0, "road", "good", "test", labels, labels, "cityscapes")
    problems = check_dataset(Dataset(tmp_path, "by hand", (record,))).problems
    assert [(each.kind, each.path) for each in problems] == [("mask-size", labels)]


def test_a_label_file_of_which_no_pixel_counts_is_named(tmp_path):
    image, labels = picture(tmp_path / "1.png"), mask(tmp_path / "labels.png", value=255)
    record = Record(image, None, 0, "road", "good", "test", labels, labels, "cityscapes")
    (problem,) = check_dataset(Dataset(tmp_path, "by hand", (record,))).problems
    assert (problem.kind, problem.path) == ("mask-empty", labels)
    assert problem.sentence.endswith(
        "counts: its values are 0, 255, and those that count 7, 8, 11, 12, 13, 17, 19, 20, ..."
    )


def test_a_label_file_that_is_a_jpeg_is_refused(tmp_path):
    image, labels = picture(tmp_path / "1.png"), mask(tmp_path / "labels.JPG", value=26)
    record = Record(image, None, 0, "road", "good", "test", labels, labels, "cityscapes")
    (problem,) = check_dataset(Dataset(tmp_path, "by hand", (record,))).problems
    assert (problem.kind, problem.path) == ("mask-unreadable", labels)
    assert problem.sentence.endswith("is a JPEG, which turns values into others: save the labels again, as PNG")


def test_known_classes_are_reported_by_category(tmp_path):
    labels = mask(tmp_path / "labels.png", value=26)
    street = Record(picture(tmp_path / "1.png"), None, 0, "road", "good", "test", labels, labels, "cityscapes")
    nut = Record(picture(tmp_path / "2.png"), None, 0, "nut", "good", "test")
    report = check_dataset(Dataset(tmp_path, "by hand", (street, nut)))
    assert report.classes == {"road": LEGENDS["cityscapes"].names}
    assert report.to_dict()["classes"]["road"][0] == "road"


def test_progress_is_reported_picture_by_picture(tmp_path):
    told = []
    check_dataset(open_dataset(mvtec(tmp_path)), lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]


def test_the_report_is_plain_json(tmp_path):
    plant_every_fault(tmp_path)
    report = check_dataset(open_dataset(tmp_path))
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["ok"] is False
    assert plain["layout"] == "mvtec"
    assert plain["counts"][0]["category"] == "bottle"
    assert {each["kind"] for each in plain["problems"]} == {each.kind for each in report.problems}


@pytest.mark.parametrize("name", ["000.png", "000.jpg", "000.bmp", "000.tif"])
def test_a_picture_cut_short_is_unreadable_in_every_format(tmp_path, name):
    path = picture(tmp_path / "good" / name, size=(64, 64))
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
    assert [each.kind for each in check_dataset(open_dataset(tmp_path)).problems] == ["image-unreadable"]


def test_a_picture_that_may_not_be_what_its_owner_thinks_is_a_problem(tmp_path):
    """Of each set of images one: 12 bits in 16, several pages, and one that is just deep."""
    values = np.random.default_rng(0).integers(1000, 4096, (3, 16, 16), dtype=np.uint16)
    folder = tmp_path / "good"
    folder.mkdir()
    Image.fromarray(values[0]).save(folder / "dark.png")
    Image.fromarray(values[1] << 4).save(folder / "deep.png")
    pages = [Image.fromarray((values[2] >> 4).astype(np.uint8)), Image.new("L", (16, 16))]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    found = {each.path.name: each for each in check_dataset(open_dataset(tmp_path)).problems}
    assert {each.kind for each in found.values()} == {"image-doubtful"}
    assert sorted(found) == ["dark.png", "pages.tif"]
    assert "only the lower 12 bits are in use" in found["dark.png"].sentence
    assert found["pages.tif"].sentence.endswith("pages.tif: the first of several images in the file")
