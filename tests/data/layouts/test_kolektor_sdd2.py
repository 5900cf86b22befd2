from oddlens.data import open_dataset
from tests.data.small_sets import facts, kolektor_sdd2


def test_pictures_lie_beside_their_labels_in_both_splits(tmp_path):
    dataset = open_dataset(kolektor_sdd2(tmp_path))
    assert dataset.problems == ()
    assert facts(dataset.select(split="test"), tmp_path) == {
        ("test/10000.png", tmp_path.name, "test", "good", None),
        ("test/10001.png", tmp_path.name, "test", "defect", "test/10001_GT.png"),
    }
    assert [record.label for record in dataset.select(split="train")] == [0, 1]
