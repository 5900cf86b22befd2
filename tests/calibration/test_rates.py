"""Rates in words are never below what holds."""

from __future__ import annotations

import pytest

from oddlens.calibration import percent_up


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (1e-6, "0.01 %"), (0.001, "0.1 %"), (1 / 21, "4.8 %"), (1 / 3, "34 %"), (0.2, "20 %"), (1, "100 %")],
)
def test_a_share_is_rounded_up(share: float, words: str) -> None:
    assert percent_up(share) == words
