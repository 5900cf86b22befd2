"""`oddlens results`: each tool is a verb, and unknown ones get the nearest suggested."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.program import run
from tests.inference.tools.conftest import make_results


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return make_results(tmp_path)


@pytest.mark.parametrize("tool", ["coco", "fiftyone", "labelme"])
def test_what_was_given_is_said(results: Path, tmp_path: Path, tool: str) -> None:
    done = run("results", tool, results, "--to", tmp_path / "made")
    assert (done.code, done.out) == (0, f"{tmp_path}/made: 3 images\n")
    assert done.err == "oddlens: 1 image has no result and is left out\n"
    done = run("results", tool, results, "--to", tmp_path / "again", "--json")
    assert json.loads(done.out) == {
        "place": f"{tmp_path}/again",
        "images": 3,
        "said": ["1 image has no result and is left out"],
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "coc out --to made",
            "there is no tool 'coc', did you mean 'coco'? Choose one of coco, fiftyone, label-studio, labelme, mlflow",
        ),
        ("coco nowhere --to made", "nowhere holds no results"),
        ("coco out", "Missing option '--to'"),
        ("coco out --to parts", "parts exists: give a new folder"),
    ],
)
def test_a_wrong_call_is_a_sentence(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("results", *words.split())
    assert done.code == 2
    assert said.lower() in done.sentence.lower()
    assert not (tmp_path / "made").exists()
