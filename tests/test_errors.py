"""Errors: one sentence on one line, whatever was given."""

import pytest

from oddlens.errors import DataError, ImageError, ModelError, OddlensError, UsageError


@pytest.mark.parametrize("kind", [OddlensError, UsageError, ImageError, ModelError, DataError])
def test_a_name_with_a_line_break_does_not_break_the_sentence(kind: type[OddlensError]) -> None:
    assert (
        str(kind("a\nb\u202e.png does not exist: check the path")) == r"a\nb\u202e.png does not exist: check the path"
    )


def test_a_name_as_long_as_a_book_leaves_a_sentence() -> None:
    assert len(str(UsageError(f"there is no model {'x' * 10**6}: give another"))) <= 2000
