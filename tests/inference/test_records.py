"""The lines of results.jsonl: which are records, and which are none."""

import json
from pathlib import Path

import pytest

from oddlens.inference.records import Record, verdict_of
from oddlens.inference.results import ResultsFolder
from tests.inference.written import lines_of, record, write

SETTINGS = {"run": {"object": "bolt", "maps": True}, "machine": {"device": "cpu"}}


def test_scores_come_back_bit_by_bit(tmp_path: Path) -> None:
    score = 0.1 + 0.2
    assert ResultsFolder(write(tmp_path, record("a", score)), resume=True).done["a"]["score"] == score


def test_names_that_are_no_text_come_back(tmp_path: Path) -> None:
    assert list(ResultsFolder(write(tmp_path, record("\udcff\n部")), resume=True).done) == ["\udcff\n部"]


def test_a_value_that_json_does_not_know_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write(tmp_path, record("a", float("nan")))


@pytest.mark.parametrize("cut", ['{"path": "b", "sco', "{", "\0\0\0\0", "\xff"])
def test_a_line_that_a_stop_cut_off_is_no_result_and_goes_away(tmp_path: Path, cut: str) -> None:
    folder = ResultsFolder(write(tmp_path, record("a"), cut=cut), resume=True)
    assert list(folder.done) == ["a"]
    folder.begin(SETTINGS)
    folder.append(record("b"))
    assert lines_of(tmp_path) == [record("a"), record("b")]


@pytest.mark.parametrize(
    "change",
    [
        {"score": None}, {"score": "0.5"}, {"score": True}, {"is_anomalous": 1}, {"map": {"a": 1}}, {"overlay": 3}, {"note": []},
        {"file": "b"}, {"file": {"path": 3}}, {"file": {}}, {"path": None}, {"verdict": "maybe"}, {"image_size": "640"},
        {"regions": [{}]}, {"regions": [{"box": [1, 2, "3", 4], "area": 1, "peak": 1, "mean": 1}]}, {"p_value": "0.1"},
    ],
)  # fmt: skip
def test_a_line_that_says_something_else_is_none_and_its_picture_runs_again(tmp_path: Path, change: Record) -> None:
    root = write(tmp_path, record("a"))
    with (root / "results.jsonl").open("a") as lines:
        lines.write(json.dumps(record("b") | change) + "\n")
    assert set(ResultsFolder(root, resume=True).done) == {"a"}


@pytest.mark.parametrize("line", ['{"path": "b", "score": NaN}', "[]", "3", "null", "[" * 100_000])
def test_a_line_that_is_no_object_of_json_is_none(tmp_path: Path, line: str) -> None:
    assert set(ResultsFolder(write(tmp_path, record("a"), cut=line + "\n"), resume=True).done) == {"a"}


def test_what_is_no_line_of_a_run_does_not_stay_among_the_lines(tmp_path: Path) -> None:
    root = write(tmp_path, record("a"), cut='{"path": "b\n')
    with (root / "results.jsonl").open("ab") as lines:
        lines.write(b'{"path": "\xff", "error": "x"}\n')
    folder = ResultsFolder(root, resume=True)
    folder.finish([("a",)], SETTINGS)
    folder.close()
    assert lines_of(root) == [record("a")]


def test_lines_of_an_earlier_version_say_their_verdict_otherwise() -> None:
    line = {"path": "a.png", "score": 0.5}
    assert verdict_of({**line, "is_anomalous": True}) == "ng"
    assert verdict_of({**line, "is_anomalous": False}) == "ok"
    assert verdict_of({**line, "is_anomalous": None}) is None
    assert verdict_of({**line, "is_anomalous": False, "verdict": "review"}) == "review"
