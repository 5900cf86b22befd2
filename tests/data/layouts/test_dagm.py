from oddlens.data import open_dataset
from tests.data.small_sets import dagm, facts, mask


def test_a_picture_with_a_label_file_is_abnormal_and_defects_in_train_belong_to_the_set(tmp_path):
    dataset = open_dataset(dagm(tmp_path))
    assert dataset.problems == ()
    assert facts(dataset, tmp_path) == {
        ("Class1/Train/0001.PNG", "Class1", "train", "good", None),
        ("Class1/Train/0002.PNG", "Class1", "train", "defect", "Class1/Train/Label/0002_label.PNG"),
        ("Class1/Test/0001.PNG", "Class1", "test", "good", None),
        ("Class1/Test/0002.PNG", "Class1", "test", "defect", "Class1/Test/Label/0002_label.PNG"),
    }


def test_a_label_without_a_picture_is_a_problem(tmp_path):
    lost = mask(dagm(tmp_path) / "Class1" / "Test" / "Label" / "0009_label.PNG")
    assert [(each.kind, each.path) for each in open_dataset(tmp_path).problems] == [("mask-orphan", lost)]
