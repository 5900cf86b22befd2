from oddlens.data import open_dataset
from tests.data.small_sets import facts, picture, yes_no


def test_only_the_two_folders_are_read(tmp_path):
    assert facts(open_dataset(yes_no(tmp_path)), tmp_path) == {
        ("no/no1.jpg", tmp_path.name, "test", "good", None),
        ("yes/y1.jpg", tmp_path.name, "test", "yes", None),
    }


def test_brain_mri_may_lie_one_folder_deeper(tmp_path):
    for name in ("yes/Y1.jpg", "no/N1.jpg"):
        picture(tmp_path / "brain_tumor_dataset" / name)
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, dataset.categories) == ("yes-no", ("brain_tumor_dataset",))
