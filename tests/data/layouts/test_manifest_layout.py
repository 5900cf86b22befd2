import pytest

from oddlens.data import open_dataset
from oddlens.errors import DataError
from tests.data.small_sets import manifest


def test_a_manifest_is_opened_by_its_folder_or_by_itself(tmp_path):
    dataset = open_dataset(manifest(tmp_path))
    assert open_dataset(tmp_path / "manifest.jsonl").records == dataset.records
    assert dataset.root == tmp_path


def test_a_file_of_another_kind_is_no_data_set(tmp_path):
    (tmp_path / "notes.txt").write_text("good: 3")
    with pytest.raises(DataError, match="laid out like no data set"):
        open_dataset(tmp_path / "notes.txt")
