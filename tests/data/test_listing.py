import pytest

from oddlens.data.listing import absence, locate, read_json, read_table, read_text
from oddlens.errors import DataError


def test_text_is_utf_8_with_or_without_a_mark_or_utf_16_with_one(tmp_path):
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "t.txt").write_text("Stück", encoding=encoding)
        assert read_text(tmp_path / "t.txt") == "Stück"


def test_text_in_another_encoding_and_a_file_that_is_gone_are_one_clear_error_each(tmp_path):
    (tmp_path / "t.txt").write_bytes("Stück".encode("latin-1"))
    with pytest.raises(DataError, match=r"t\.txt is not text in UTF-8"):
        read_text(tmp_path / "t.txt")
    with pytest.raises(DataError, match=r"gone\.txt cannot be read \(No such file"):
        read_text(tmp_path / "gone.txt")


@pytest.mark.parametrize("content", ["", "{", "NaN", "[" * 100_000, "1" * 5000])
def test_what_is_no_json_is_one_clear_error(tmp_path, content):
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(DataError, match=r"t\.json cannot be read as JSON"):
        read_json(tmp_path / "t.json")


def test_a_table_may_have_spaces_after_commas_and_short_rows(tmp_path):
    (tmp_path / "t.csv").write_text("\ufeffid, Label\n1, 0\n2\n", encoding="utf-8")
    assert read_table(tmp_path / "t.csv") == [(2, {"id": "1", "label": "0"}), (3, {"id": "2", "label": ""})]


def test_a_table_whose_cells_hold_the_separators_of_others_is_read_by_that_of_its_header(tmp_path):
    (tmp_path / "t.csv").write_text('id;label;"a;b"\n"1,5";x\ty;z\n')
    assert read_table(tmp_path / "t.csv") == [(2, {"id": "1,5", "label": "x\ty", "a;b": "z"})]


@pytest.mark.parametrize("content", [b"id,label\n\xff\xfe,1\n", b"id\n" + b"x" * 200_000])
def test_a_table_that_cannot_be_read_is_one_clear_error(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"t\.csv is not"):
        read_table(tmp_path / "t.csv")


def test_a_file_is_first_searched_by_the_path_as_written(tmp_path):
    for name in ("a\\b.png", "a/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert locate(tmp_path, "a\\b.png").name == "a\\b.png"
    (tmp_path / "a\\b.png").unlink()
    assert locate(tmp_path, "a\\b.png") == tmp_path / "a" / "b.png"
    assert locate(tmp_path, "gone\\b.png") == tmp_path / "gone\\b.png"


def test_why_nothing_can_be_read_at_a_path(tmp_path):
    assert absence(tmp_path) is None
    assert absence(tmp_path, file=True) == "which is a folder"
    assert absence(tmp_path / "gone") == "which does not exist: check the path"
    for name in ("x" * 300, "a\0b"):
        assert absence(tmp_path / name) == "which is no possible file name: check the path"
