"""What counts as printed, and what does not."""

import doctest

import pytest

from tests.docs import printed
from tests.docs.printed import differs


def test_the_examples_are_true() -> None:
    assert doctest.testmod(printed).failed == 0


@pytest.mark.parametrize(
    ("shown", "lines"),
    [
        (["a", "...", "c"], "a\nb\nb\nc\n"),
        (["a", "...", "c"], "a\nc\n"),
        (["...", "1 NG"], "2 OK\n1 NG\n"),
        (["made 2026-11-26 09:00 UTC"], "made 2027-01-02 19:30 UTC"),
        (["differ by 4.2e-06"], "differ by 1.0e-07"),
    ],
)
def test_these_are_the_same(shown: list[str], lines: str) -> None:
    assert differs(shown, lines) is None


@pytest.mark.parametrize(
    ("shown", "lines"),
    [
        (["a", "c"], "a\nb\nc\n"),
        (["a", "..."], "b\na\n"),
        (["a"], ""),
        (["3 images"], "4 images"),
        (["33.3 %"], "33.6 %"),
        (["made at 09:00 UTC"], "made at 09:30 UTC"),
    ],
)
def test_these_are_not(shown: list[str], lines: str) -> None:
    assert differs(shown, lines) is not None
