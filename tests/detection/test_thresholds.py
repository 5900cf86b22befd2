"""Thresholds are finite, and so are the scores that get a verdict."""

import math

import pytest

from oddlens.detection import Thresholds
from oddlens.errors import UsageError


def test_review_begins_below_ng() -> None:
    with pytest.raises(UsageError, match=r"the review threshold 0\.6 lies above 0\.5"):
        Thresholds(0.5, review=0.6)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e31, -1e308, 10**400])
def test_a_threshold_is_a_number_that_scores_can_be_compared_with(value: float) -> None:
    for name in ("image", "pixel", "review"):
        with pytest.raises(UsageError, match="is no threshold: give a finite number"):
            Thresholds(**{name: value})


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_has_no_verdict(score: float) -> None:
    with pytest.raises(UsageError, match="has no verdict: find out where it comes from"):
        Thresholds(0.5).verdict(score)
    assert Thresholds().verdict(score) is None
