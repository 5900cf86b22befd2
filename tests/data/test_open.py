import os
import subprocess
import sys

import pytest

from oddlens.data import open_dataset
from oddlens.data.layouts import LAYOUTS
from oddlens.errors import DataError, UsageError
from tests.data.small_sets import folder, images_and_masks, mask, meta_json, mvtec, picture


@pytest.mark.parametrize("name", ["MVTec", "MVTEC", "Auto"])
def test_a_layout_is_named_in_any_case_of_letters(tmp_path, name):
    assert open_dataset(mvtec(tmp_path), name).layout == "mvtec"


def test_nothing_at_the_path_is_a_fault_of_the_call(tmp_path):
    with pytest.raises(
        UsageError, match=r"there is nothing at .*nowhere: give the folder of a data set or its listing"
    ):
        open_dataset(tmp_path / "nowhere")


def test_a_name_that_is_nearly_that_of_a_data_set_beside_it_is_answered_with_that(tmp_path):
    mvtec(tmp_path / "mvtec")
    with pytest.raises(
        UsageError, match=r"there is nothing at .*mvtek, did you mean 'mvtec'\? Give the folder of a data set"
    ):
        open_dataset(tmp_path / "mvtek")


def test_an_unknown_layout_name_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(
        UsageError, match=r"there is no layout 'mvtek', did you mean 'mvtec'\? Choose one of auto, .*mvtec"
    ):
        open_dataset(mvtec(tmp_path), layout="mvtek")


def test_a_layout_that_does_not_fit_is_refused_with_what_it_lacks(tmp_path):
    with pytest.raises(DataError, match=r'not laid out like "visa": it lacks split_csv/1cls\.csv'):
        open_dataset(mvtec(tmp_path), layout="visa")


def test_an_unknown_tree_is_one_error_that_lists_what_is_known(tmp_path):
    picture(tmp_path / "somewhere" / "1.png")
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path)
    for layout in LAYOUTS:
        assert layout.name in str(caught.value)
    assert len(str(caught.value)) < 900 + len(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_known_tree_without_a_picture_is_an_error(tmp_path):
    (tmp_path / "bottle" / "train" / "good").mkdir(parents=True)
    with pytest.raises(DataError, match='read by the layout "mvtec", holds no image'):
        open_dataset(tmp_path)


def test_of_several_layouts_that_fit_the_most_specific_is_taken_and_named(tmp_path):
    assert open_dataset(meta_json(tmp_path)).layout == "meta-json"
    assert open_dataset(tmp_path, layout="mvtec").layout == "mvtec"


def test_images_and_masks_beside_good_are_more_specific_than_a_plain_folder(tmp_path):
    picture(images_and_masks(tmp_path) / "good" / "1.png")
    assert open_dataset(tmp_path).layout == "images-and-masks"
    assert open_dataset(tmp_path, layout="folder").layout == "folder"


def test_abnormal_pictures_in_train_are_one_problem_a_category(tmp_path):
    for stem in ("000", "001"):
        picture(mvtec(tmp_path) / "nut" / "train" / "crack" / f"{stem}.png")
    (problem,) = open_dataset(tmp_path).problems
    assert problem.kind == "abnormal-in-train"
    assert problem.path == tmp_path / "nut" / "train" / "crack"
    assert '2 of the 3 training images of "nut"' in problem.sentence


def test_a_category_without_a_test_picture_is_a_problem(tmp_path):
    picture(mvtec(tmp_path) / "cap" / "train" / "good" / "000.png")
    assert [(each.kind, '"cap"' in each.sentence) for each in open_dataset(tmp_path).problems] == [("test-empty", True)]


def test_folders_that_are_no_category_are_reported_unless_they_hold_neither_pictures_nor_nothing(tmp_path):
    mvtec(tmp_path)
    (tmp_path / "grid").mkdir()
    picture(tmp_path / "old" / "1.png")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "readme.txt").write_text("hello")
    problems = {(each.kind, each.path.name) for each in open_dataset(tmp_path).problems}
    assert problems == {("category-empty", "grid"), ("folder-unknown", "old")}


def test_an_empty_folder_that_should_hold_pictures_is_named_where_there_is_no_other(tmp_path):
    (tmp_path / "good").mkdir()
    with pytest.raises(DataError, match=r"holds no image that can be used: the folder .*good holds no image$"):
        open_dataset(tmp_path)


def test_a_home_that_is_not_known_and_a_name_too_long_are_one_clear_error_each(tmp_path):
    with pytest.raises(UsageError, match=r"there is nothing at .*~nosuchuser/set"):
        open_dataset("~nosuchuser/set")
    with pytest.raises(UsageError, match="xxx is no possible file name: check the path"):
        open_dataset(tmp_path / ("x" * 300))


def test_folders_that_lead_back_to_themselves_are_walked_once(tmp_path):
    loops = mvtec(tmp_path) / "backup"
    loops.mkdir()
    for name in ("one", "two", "three"):
        (loops / name).symlink_to(loops)
    assert [each.kind for each in open_dataset(tmp_path).problems] == ["category-empty"]


def test_opening_reads_no_pixels(tmp_path):
    for path in folder(tmp_path).rglob("*.png"):
        path.write_bytes(b"no image")
    assert open_dataset(tmp_path).problems == ()


def test_the_order_of_records_does_not_depend_on_the_file_system(tmp_path):
    for name in ("10.png", "2.png", "1.png"):
        picture(tmp_path / "good" / name)
    assert [record.image.name for record in open_dataset(tmp_path)] == ["1.png", "10.png", "2.png"]


def test_a_path_relative_to_home_or_here_is_understood(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    folder(tmp_path / "set")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_dataset("set").root == open_dataset("~/set").root == tmp_path / "set"
    assert open_dataset("set").categories == ("set",)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_folder_that_may_not_be_listed_is_one_clear_error(tmp_path):
    locked = folder(tmp_path) / "dent"
    locked.chmod(0)
    try:
        with pytest.raises(DataError, match="dent cannot be listed"):
            open_dataset(tmp_path)
    finally:
        locked.chmod(0o700)


def test_masks_that_are_there_are_enough_for_opening(tmp_path):
    mvtec(tmp_path)
    mask(tmp_path / "nut" / "ground_truth" / "crack" / "000_mask.png", size=(3, 3))
    assert open_dataset(tmp_path).problems == ()


def test_data_sets_need_no_torch():
    code = "import sys, oddlens.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
