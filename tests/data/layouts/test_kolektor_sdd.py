from oddlens.data import open_dataset
from tests.data.small_sets import facts, kolektor_sdd, picture


def test_the_pixels_of_the_label_tell_what_is_normal(tmp_path):
    dataset = open_dataset(kolektor_sdd(tmp_path))
    assert facts(dataset, tmp_path) == {
        ("kos01/Part0.jpg", tmp_path.name, "test", "good", None),
        ("kos02/Part0.jpg", tmp_path.name, "test", "defect", "kos02/Part0_label.bmp"),
    }


def test_a_picture_without_a_readable_label_is_unlabelled_and_a_problem(tmp_path):
    picture(kolektor_sdd(tmp_path) / "kos01" / "Part1.jpg")
    (tmp_path / "kos02" / "Part0_label.bmp").write_bytes(b"no image")
    dataset = open_dataset(tmp_path)
    assert [each.kind for each in dataset.problems] == ["mask-missing", "mask-unreadable"]
    assert [record.split for record in dataset] == ["test", "unlabelled", "unlabelled"]
