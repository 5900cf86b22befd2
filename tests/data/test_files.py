from pathlib import Path

import pytest

from oddlens.data import check_dataset, open_dataset
from oddlens.data.files import images_in, list_images, match_masks, pair_masks, stems_of
from tests.data.small_sets import mask, picture


def test_images_are_known_by_suffix_in_any_case_and_hidden_files_are_passed_over(tmp_path):
    for name in ("b.PNG", "a.jpg", ".hidden.png"):
        picture(tmp_path / name)
    (tmp_path / "Thumbs.db").write_bytes(b"")
    assert [image.name for image in images_in(tmp_path)] == ["a.jpg", "b.PNG"]


def test_a_link_that_leads_nowhere_is_an_image_that_cannot_be_read_and_no_folder_is(tmp_path):
    picture(tmp_path / "good" / "1.png")
    (tmp_path / "good" / "2.png").symlink_to(tmp_path / "lost.png")
    (tmp_path / "good" / "3.png").symlink_to(tmp_path / "good")
    (tmp_path / "good" / "4.png").mkdir()
    assert [image.name for image in images_in(tmp_path / "good")] == ["1.png", "2.png"]
    (problem,) = [each for each in check_dataset(open_dataset(tmp_path)).problems if each.path.name == "2.png"]
    assert problem.kind == "image-unreadable"
    assert problem.sentence.endswith("2.png does not exist: check the path")


def test_a_folder_that_is_not_there_has_no_images(tmp_path):
    assert images_in(tmp_path / "nowhere") == []


def test_an_empty_folder_and_a_shared_name_are_problems(tmp_path):
    (tmp_path / "empty").mkdir()
    picture(tmp_path / "full" / "1.png")
    twin = picture(tmp_path / "full" / "1.tif")
    problems = []
    list_images(tmp_path / "empty", problems)
    list_images(tmp_path / "full", problems)
    assert [(each.kind, each.path) for each in problems] == [
        ("folder-empty", tmp_path / "empty"),
        ("name-duplicate", twin),
    ]


def test_pictures_in_a_format_that_is_not_read_are_a_problem_and_other_files_are_not(tmp_path):
    picture(tmp_path / "1.png")
    for name in ("2.DCM", "3.psd", "notes.txt", "Thumbs.db", "1.json"):
        (tmp_path / name).touch()
    problems = []
    assert [image.name for image in list_images(tmp_path, problems)] == ["1.png"]
    assert [(each.kind, each.path) for each in problems] == [("image-format", tmp_path)]
    assert "holds 2 images in a format that is not read, such as 2.DCM" in problems[0].sentence


@pytest.mark.parametrize(
    ("name", "suffixes", "stems"),
    [
        ("000_mask.png", ("_mask", ""), ["000", "000_mask"]),
        ("000.png", ("_mask", ""), ["000"]),
        ("ISIC_1_Segmentation.png", ("_segmentation",), ["isic_1"]),
        ("1.2_GT.png", ("_gt",), ["1.2"]),
        ("000.png", ("_mask",), []),
    ],
)
def test_a_mask_belongs_to_the_stems_that_its_layouts_suffixes_leave(name, suffixes, stems):
    assert stems_of(Path(name), suffixes) == stems


def test_a_shift_of_the_masks_by_one_is_two_problems_and_spoils_no_other_pair(tmp_path):
    images = [tmp_path / f"{index:03}.png" for index in range(4)]
    masks = [mask(tmp_path / "masks" / f"{index:03}_mask.png") for index in (0, 2, 3, 4)]
    problems = []
    pairs = pair_masks(images, tmp_path / "masks", ("_mask",), problems)
    assert pairs == {images[0]: masks[0], images[2]: masks[1], images[3]: masks[2]}
    assert [(each.kind, each.path) for each in problems] == [("mask-orphan", masks[3]), ("mask-missing", images[1])]


def test_an_image_whose_own_name_ends_like_a_mask_is_matched_by_its_whole_name():
    images = [Path("a.png"), Path("a_mask.png")]
    masks = [Path("m/a_mask_mask.png"), Path("m/a_mask.png")]
    assert match_masks(images, masks, ("_mask",), []) == {images[1]: masks[0], images[0]: masks[1]}


def test_a_second_mask_of_one_image_is_a_problem(tmp_path):
    problems = []
    assert match_masks([Path("1.png")], [Path("1.png"), Path("1_mask.png")], ("_mask", ""), problems) == {
        Path("1.png"): Path("1.png")
    }
    assert [(each.kind, each.path.name) for each in problems] == [("name-duplicate", "1_mask.png")]


def test_masks_that_are_missing_as_a_whole_are_one_problem(tmp_path):
    images = [tmp_path / f"{index}.png" for index in range(5)]
    problems = []
    assert pair_masks(images, tmp_path / "crack", ("_mask",), problems) == {}
    assert [(each.kind, each.path) for each in problems] == [("mask-missing", tmp_path / "crack")]


def test_a_mask_beside_images_that_belongs_to_none_is_no_image_but_a_problem(tmp_path):
    for name in ("1.png", "2.png"):
        picture(tmp_path / name)
    mask(tmp_path / "1_mask.png")
    lost = mask(tmp_path / "Z_mask.png")
    problems = []
    assert [image.name for image in list_images(tmp_path, problems)] == ["1.png", "2.png"]
    assert [(each.kind, each.path) for each in problems] == [("mask-orphan", lost)]
