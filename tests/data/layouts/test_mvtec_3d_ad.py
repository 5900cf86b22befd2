from oddlens.data import open_dataset, read_mask
from tests.data.small_sets import facts, mvtec_3d_ad


def test_the_pictures_are_read_and_not_the_point_clouds(tmp_path):
    dataset = open_dataset(mvtec_3d_ad(tmp_path))
    assert dataset.layout == "mvtec-3d-ad"
    assert facts(dataset, tmp_path) == {
        ("bagel/train/good/rgb/000.png", "bagel", "train", "good", None),
        ("bagel/validation/good/rgb/000.png", "bagel", "validation", "good", None),
        ("bagel/test/good/rgb/000.png", "bagel", "test", "good", None),
        ("bagel/test/hole/rgb/000.png", "bagel", "test", "hole", "bagel/test/hole/gt/000.png"),
    }
    assert read_mask(dataset.select(label=1).records[0]).sum() == 16


def test_a_category_opens_by_its_own_folder_and_a_lost_mask_is_reported(tmp_path):
    (mvtec_3d_ad(tmp_path) / "bagel" / "test" / "hole" / "gt" / "000.png").unlink()
    dataset = open_dataset(tmp_path / "bagel")
    assert (dataset.layout, dataset.categories) == ("mvtec-3d-ad", ("bagel",))
    assert [(each.kind, each.path.name) for each in dataset.problems] == [("mask-missing", "gt")]
