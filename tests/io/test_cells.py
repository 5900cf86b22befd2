"""What a spreadsheet would compute stays a text."""

from __future__ import annotations

import pytest

from oddlens.io.cells import harmless


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("value", ["a=b.png", "", "0.5", -0.5, None, True])
def test_everything_else_stays(value: object) -> None:
    assert harmless(value) is value
