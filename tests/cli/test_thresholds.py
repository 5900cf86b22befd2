"""Thresholds of images and pixels as they are typed."""

from __future__ import annotations

import pytest

from oddlens.cli.thresholds import parse_thresholds
from oddlens.errors import OddlensWarning, UsageError


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([], (None, None)),
        (["0.4"], (0.4, None)),
        (["0.4,0.5"], (0.4, 0.5)),
        ([",0.5"], (None, 0.5)),
        (["0.4", ",0.5"], (0.4, 0.5)),
        (["-0.05"], (-0.05, None)),
        (["0,1"], (0.0, 1.0)),
    ],
)
def test_a_comma_divides_the_score_from_the_pixel(given: list[str], found: tuple[float | None, float | None]) -> None:
    assert parse_thresholds(given) == found


@pytest.mark.parametrize(("text", "meant"), [("0,5", "0.5"), ("0,05", "0.05"), ("-0,25", "-0.25")])
def test_a_decimal_comma_is_asked_about(text: str, meant: str) -> None:
    with pytest.warns(OddlensWarning, match=rf"write a decimal point where you meant {meant}$"):
        parse_thresholds([text])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["0.4,0.5,0.6"], "is not of the form SCORE"),
        ([","], "is not of the form SCORE"),
        (["0.4", "0.5"], "is given more than once"),
        (["high"], "high is no threshold"),
        (["nan"], "nan is no threshold"),
    ],
)
def test_what_is_no_threshold_is_refused(given: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_thresholds(given)
