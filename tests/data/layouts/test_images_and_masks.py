import pytest

from oddlens.data import check_dataset, open_dataset
from tests.data.small_sets import facts, images_and_masks, labelme_file, mask, picture


@pytest.mark.parametrize(
    ("images", "masks", "split"),
    [
        ("images/1.jpg", "masks/1.jpg", "test"),  # Kvasir, CVC-ColonDB, Endo
        ("Original/1.tif", "Ground Truth/1.tif", "test"),  # CVC-ClinicDB
        ("test-image/0001.jpg", "test-mask/0001.jpg", "test"),  # TN3K
        (
            "ISBI2016_ISIC_Part1_Test_Data/ISIC_0000003.jpg",
            "ISBI2016_ISIC_Part1_Test_GroundTruth/ISIC_0000003_Segmentation.png",
            "test",
        ),
        ("train/images/a.png", "train/masks/a_mask.png", "train"),
    ],
)
def test_the_folder_names_of_known_sets(tmp_path, images, masks, split):
    picture(tmp_path / images)
    mask(tmp_path / masks)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "images-and-masks"
    assert facts(dataset, tmp_path) == {(images, tmp_path.name, split, "defect", masks)}
    assert not [problem for problem in dataset.problems if problem.kind != "test-empty"]


def test_a_picture_with_a_black_mask_is_normal(tmp_path):
    mask(images_and_masks(tmp_path) / "masks" / "1.png", value=0)
    dataset = open_dataset(tmp_path)
    name = tmp_path.name
    assert facts(dataset, tmp_path) == {
        ("images/1.png", name, "test", "good", None),
        ("images/2.png", name, "test", "defect", "masks/2.png"),
    }
    assert check_dataset(dataset).ok


def test_a_picture_without_a_mask_is_unlabelled_and_reported(tmp_path):
    (images_and_masks(tmp_path) / "masks" / "1.png").unlink()
    dataset = open_dataset(tmp_path)
    assert [(record.label, record.split) for record in dataset] == [(None, "unlabelled"), (1, "test")]
    assert [(each.kind, each.path.name) for each in dataset.problems] == [("mask-missing", "1.png")]


def test_a_set_whose_masks_are_all_gone_is_one_problem(tmp_path):
    for path in (images_and_masks(tmp_path) / "masks").iterdir():
        path.unlink()
    dataset = open_dataset(tmp_path)
    assert [(each.kind, each.path.name) for each in dataset.problems] == [("mask-missing", "images")]
    assert {record.label for record in dataset} == {None}


def test_several_objects_lie_in_a_folder_each(tmp_path):
    for category in ("cup", "lid"):
        picture(tmp_path / category / "images" / "1.png")
        mask(tmp_path / category / "masks" / "1.png")
    assert [(r.category, r.label) for r in open_dataset(tmp_path)] == [("cup", 1), ("lid", 1)]


def test_splits_may_be_called_as_label_tools_call_them(tmp_path):
    for word in ("Train", "valid", "testing"):
        picture(tmp_path / word / "images" / "1.png")
        labelme_file(tmp_path / word / "masks" / "1.json", [{"label": "dent", "points": [[0, 0], [4, 0], [4, 4]]}])
    dataset = open_dataset(tmp_path)
    assert [(record.split, record.defect) for record in dataset] == [
        (split, "dent") for split in ("train", "validation", "test")
    ]


def test_a_folder_good_beside_them_holds_normal_pictures(tmp_path):
    picture(images_and_masks(tmp_path) / "good" / "1.png")
    assert len(open_dataset(tmp_path).select(label=0)) == 1
