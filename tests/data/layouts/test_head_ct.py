from oddlens.data import open_dataset
from tests.data.small_sets import facts, head_ct, picture


def test_ids_of_the_table_are_file_names_without_leading_zeros(tmp_path):
    assert facts(open_dataset(head_ct(tmp_path)), tmp_path) == {
        ("head_ct/head_ct/000.png", tmp_path.name, "test", "hemorrhage", None),
        ("head_ct/head_ct/001.png", tmp_path.name, "test", "good", None),
    }


def test_pictures_without_a_label_and_labels_without_a_picture_are_reported(tmp_path):
    picture(head_ct(tmp_path) / "head_ct" / "head_ct" / "017.png")
    table = tmp_path / "labels.csv"
    table.write_text(table.read_text() + "3,1\n4,perhaps\n")
    problems = open_dataset(tmp_path).problems
    assert [(each.kind, each.path.name) for each in problems] == [
        ("row-invalid", "labels.csv"),
        ("row-invalid", "017.png"),
        ("image-missing", "labels.csv"),
    ]
