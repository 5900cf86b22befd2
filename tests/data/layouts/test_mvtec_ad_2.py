import shutil

from oddlens.data import open_dataset
from tests.data.small_sets import facts, mvtec_ad_2


def test_the_public_test_set_has_masks_and_the_private_ones_no_label(tmp_path):
    dataset = open_dataset(mvtec_ad_2(tmp_path))
    mask = "can/test_public/ground_truth/bad/000_regular_mask.png"
    assert facts(dataset, tmp_path) == {
        ("can/train/good/000_regular.png", "can", "train", "good", None),
        ("can/validation/good/000_regular.png", "can", "validation", "good", None),
        ("can/test_public/good/000_regular.png", "can", "test", "good", None),
        ("can/test_public/bad/000_regular.png", "can", "test", "bad", mask),
        ("can/test_private/000_regular.png", "can", "unlabelled", "private", None),
        ("can/test_private_mixed/000_regular.png", "can", "unlabelled", "private_mixed", None),
    }


def test_a_folder_that_is_not_there_is_called_that(tmp_path):
    root = mvtec_ad_2(tmp_path)
    shutil.rmtree(root / "can/validation")
    assert [each.sentence for each in open_dataset(root).problems] == [
        f"there is no folder {root / 'can/validation/good'}"
    ]
