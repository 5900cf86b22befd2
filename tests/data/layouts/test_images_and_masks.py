import pytest

from oddlens.data import open_dataset

from ..small_sets import facts, images_and_masks, mask, picture


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


def test_a_folder_good_beside_them_holds_normal_pictures(tmp_path):
    picture(images_and_masks(tmp_path) / "good" / "1.png")
    assert len(open_dataset(tmp_path).select(label=0)) == 1
