"""Options as version 0.1 spelled them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from oddlens.cli.earlier_spellings import replace_earlier
from tests.cli.program import Done, run

Detect = Callable[..., Done]

OWN = ("--set", "--threshold", "--write")


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("a.png --smooth 0.3", "a.png --set smooth=0.3"),
        ("--max-megapixels=400 a.png", "--set max_megapixels=400 a.png"),
        ("--activation gelu --pixel-threshold 0.4", "--set activation=gelu --threshold ,0.4"),
        ("a.png --no-maps --no-labels", "--write overlays a.png"),
        ("a.png --no-maps --no-labels --no-overlays", "--write nothing a.png"),
        ("a.png --overlays", "a.png"),
    ],
)
def test_they_become_todays_with_a_warning_each(before: str, now: str) -> None:
    words, warnings = replace_earlier(before.split(), OWN)
    assert words == now.split()
    assert len(warnings) == before.count("--")
    assert all("the earlier spelling ends with 0.3" in warning for warning in warnings)


@pytest.mark.parametrize(
    "call", ["a.png --threshold 0.4 --set smooth=0.3", "maps --write maps", "-- --smooth", "", "--smoth 1"]
)
def test_all_else_stays_as_it_is(call: str) -> None:
    assert replace_earlier(call.split(), OWN) == (call.split(), [])


def test_what_a_verb_calls_so_itself_is_no_earlier_spelling() -> None:
    assert replace_earlier(["--maps"], ["--maps", "--set"]) == (["--maps"], [])
    assert replace_earlier(["--no-maps"], ["--set"]) == (["--no-maps"], [])


def test_a_call_gives_the_same_results_and_the_warning_comes_last(detect: Detect, parts: Path, tmp_path: Path) -> None:
    now = detect(parts, "--json", "--threshold", ",0.4")
    before = detect(parts, "--json", "--pixel-threshold", "0.4")
    assert [record["regions"] for record in before.records] == [record["regions"] for record in now.records]
    assert before.err == (
        "oddlens: --pixel-threshold 0.4 is now --threshold ,0.4: the earlier spelling ends with 0.3\n"
    )
    assert detect(parts, "--out", tmp_path / "out", "--no-overlays", "--no-labels").code == 0
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == {"maps"}


def test_a_call_that_is_refused_is_one_sentence(parts: Path) -> None:
    assert run("detect", parts, "--max-megapixels", -1).sentence == "max_megapixels is -1: give a number above 0"
