from oddlens.data import open_dataset
from tests.data.small_sets import btad, facts


def test_ok_and_ko_become_good_and_a_defect_with_masks_of_any_format(tmp_path):
    dataset = open_dataset(btad(tmp_path))
    assert facts(dataset.select("01"), tmp_path) == {
        ("01/train/ok/0000.bmp", "01", "train", "good", None),
        ("01/test/ok/0000.bmp", "01", "test", "good", None),
        ("01/test/ko/0000.bmp", "01", "test", "ko", "01/ground_truth/ko/0000.png"),
    }
