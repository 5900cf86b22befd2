import pytest

from oddlens.data import open_dataset
from oddlens.errors import DataError, UsageError
from tests.data.small_sets import facts, folder, labelme_file, mask, picture


def test_good_is_normal_and_every_other_folder_a_defect(tmp_path):
    dataset = open_dataset(folder(tmp_path))
    name = tmp_path.name
    assert facts(dataset, tmp_path) == {
        ("good/a.png", name, "test", "good", None),
        ("scratch/a.png", name, "test", "scratch", None),
        ("dent/a.png", name, "test", "dent", None),
    }
    assert dataset.problems == ()


@pytest.mark.parametrize("normal", ["good", "ok", "Normal", "OK", "GOOD"])
def test_the_normal_folder_has_several_names(tmp_path, normal):
    picture(tmp_path / normal / "1.png")
    assert [record.label for record in open_dataset(tmp_path)] == [0]


def test_several_normal_folders_are_all_normal(tmp_path):
    for name in ("good", "OK", "dent"):
        picture(tmp_path / name / "1.png")
    assert [(record.image.parent.name, record.label) for record in open_dataset(tmp_path)] == [
        ("OK", 0),
        ("good", 0),
        ("dent", 1),
    ]


def test_masks_lie_beside_their_pictures(tmp_path):
    for name in ("good/1.png", "dent/1.png", "dent/2.png", "dent/3.png"):
        picture(tmp_path / name)
    drawn = mask(tmp_path / "dent" / "1_mask.png")
    annotated = labelme_file(tmp_path / "dent" / "2.json", [])
    dataset = open_dataset(tmp_path)
    assert [record.mask for record in dataset] == [None, drawn, annotated, None]
    assert [(each.kind, each.path.name) for each in dataset.problems] == [("mask-missing", "3.png")]


def test_images_in_none_of_the_folders_are_reported(tmp_path):
    picture(folder(tmp_path) / "loose.png")
    (problem,) = open_dataset(tmp_path).problems
    assert (problem.kind, problem.path) == ("image-loose", tmp_path)
    assert "1 image that lies in none of its sub-folders" in problem.sentence


def test_what_systems_and_earlier_runs_leave_is_passed_over(tmp_path):
    for name in ("@eaDir/a.png/t.jpg", "__MACOSX/good/a.png", "good/@eaDir/t.jpg", "overlays/a.png", "maps/a.tiff"):
        picture(folder(tmp_path) / name)
    (tmp_path / "run.json").touch()
    dataset = open_dataset(tmp_path)
    assert [record.defect for record in dataset] == ["good", "dent", "scratch"]
    assert dataset.problems == ()


def test_several_objects_lie_in_a_folder_each(tmp_path):
    for category in ("cup", "lid"):
        (tmp_path / category).mkdir()
        folder(tmp_path / category)
    assert open_dataset(tmp_path).categories == ("cup", "lid")


def test_masks_lie_by_defect(tmp_path):
    drawn = mask(folder(tmp_path) / "masks" / "dent" / "a.png")
    dataset = open_dataset(tmp_path)
    assert [record.mask for record in dataset if record.defect == "dent"] == [drawn]
    assert [(each.kind, each.path) for each in dataset.problems] == [("mask-missing", tmp_path / "masks" / "scratch")]


def test_masks_lie_all_together(tmp_path):
    picture(tmp_path / "good" / "1.png")
    picture(tmp_path / "bad" / "2.jpg")
    drawn = mask(tmp_path / "mask" / "2_mask.png")
    dataset = open_dataset(tmp_path)
    assert [record.mask for record in dataset] == [None, drawn]
    assert dataset.problems == ()


def test_folders_named_by_hand(tmp_path):
    picture(tmp_path / "fine ones" / "1.png")
    picture(tmp_path / "broken" / "2.png")
    drawn = mask(tmp_path / "where" / "2.png")
    dataset = open_dataset(tmp_path, normal_dir="fine ones", abnormal_dir="broken", mask_dir=tmp_path / "where")
    assert dataset.layout == "folder"
    assert facts(dataset, tmp_path) == {
        ("fine ones/1.png", tmp_path.name, "test", "good", None),
        ("broken/2.png", tmp_path.name, "test", "broken", "where/2.png"),
    }
    assert dataset.select(label=1).records[0].mask == drawn


def test_kinds_of_defect_are_the_folders_below_the_one_named_by_hand(tmp_path):
    picture(tmp_path / "bad" / "dent" / "1.png")
    picture(tmp_path / "bad" / "scratch" / "2.png")
    dataset = open_dataset(tmp_path, layout="folder", abnormal_dir="bad")
    assert [record.defect for record in dataset] == ["dent", "scratch"]


def test_a_folder_named_by_hand_that_is_not_there_is_a_fault_of_the_call(tmp_path):
    with pytest.raises(UsageError, match=r"normal_dir names .*nowhere"):
        open_dataset(tmp_path, normal_dir="nowhere")


def test_named_folders_go_with_no_other_layout(tmp_path):
    with pytest.raises(UsageError, match='not to "visa"'):
        open_dataset(folder(tmp_path), layout="visa", normal_dir="good")


def test_named_folders_without_a_picture_are_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        open_dataset(tmp_path, normal_dir="empty")
