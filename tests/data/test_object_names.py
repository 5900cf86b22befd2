"""What a category is called in prompts and in paths."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddlens.data.object_names import path_name
from oddlens.errors import UsageError
from oddlens.evaluation import ObjectNames, open_sources, read_names

AUTHORS = {"macaroni1": "macaroni", "macaroni2": "macaroni"}


def test_the_rule_is_the_category_as_it_is_written() -> None:
    assert ObjectNames().of("mvtec", "metal_nut") == "metal_nut"
    assert ObjectNames().of("btad", "01", AUTHORS) == "01"


def test_what_the_authors_of_a_method_call_otherwise_is_called_so() -> None:
    assert ObjectNames().of("visa", "macaroni2", AUTHORS) == "macaroni"
    assert ObjectNames().of("visa", "macaroni2") == "macaroni2"


def test_one_name_can_be_given_to_everything() -> None:
    assert ObjectNames("part").of("visa", "macaroni1", AUTHORS) == "part"


def test_names_by_category_win_over_the_rule_and_with_the_data_set_over_those_without() -> None:
    names = ObjectNames(by_category={"bolt": "screw", "parts/bolt": "steel bolt"})
    assert names.of("parts", "bolt") == "steel bolt"
    assert names.of("others", "bolt") == "screw"
    assert names.of("parts", "metal_nut") == "metal_nut"


def test_names_are_read_from_json(tmp_path: Path, small_set: Path) -> None:
    path = tmp_path / "names.json"
    path.write_text(json.dumps({"metal_nut": "metal nut"}))
    assert read_names(path, open_sources([small_set])).of("parts", "metal_nut") == "metal nut"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"metal_nutt": "metal nut"}', "metal_nutt.*no category here"),
        ('{"metal_nut": " "}', "not one JSON object of names"),
        ('["metal_nut"]', "not one JSON object of names"),
        ("{'metal_nut': 'metal nut'}", "cannot be read as JSON"),
    ],
)
def test_a_wrong_file_of_names_is_refused(tmp_path: Path, small_set: Path, content: str, complaint: str) -> None:
    path = tmp_path / "names.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=complaint):
        read_names(path, open_sources([small_set]))


@given(st.lists(st.text(min_size=1), unique=True, min_size=2))
def test_path_names_are_different_for_different_words_and_hold_no_separator(words: list[str]) -> None:
    names = [path_name(word) for word in words]
    assert len(set(names)) == len(words)
    assert not any("/" in name or "\\" in name or "\0" in name or name in (".", "..") for name in names)


def test_words_beyond_what_a_file_can_be_called_are_cut_short_and_stay_different() -> None:
    words = ["x" * 300, "x" * 299 + "y", "é" * 100, "\udcff" * 60, "\ud800"]
    names = [path_name(word) for word in words]
    assert len(set(names)) == len(words)
    assert max(map(len, names)) <= 150


def test_common_words_stay_as_they_are() -> None:
    assert [path_name(word) for word in ("metal_nut", "01", "Class 1")] == ["metal_nut", "01", "Class 1"]


def test_names_that_are_nested_too_deeply_are_one_sentence(tmp_path: Path, small_set: Path) -> None:
    path = tmp_path / "names.json"
    path.write_text("[" * 100_000)
    with pytest.raises(UsageError, match="cannot be read as JSON"):
        read_names(path, open_sources([small_set]))
