"""At which rates thresholds are set: what is asked for, and what is usual for so many good images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from oddlens.calibration.conformal import checked_rate, rank_for

REVIEW_RATE = 0.05
"""The share of good images that go to review by default, beside those that are called NG."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """At which rates thresholds are set: see `Calibration`.

    false_alarm_rate: None is what `usual_rate` says of the number of images, and follows it.
    review_rate: beside those that are called NG.
    """

    false_alarm_rate: float | None = None
    review_rate: float = REVIEW_RATE

    def of(self, count: int) -> float:
        """The false-alarm rate for a number of images. Raises `UsageError` for a rate that they cannot promise, or that is none."""
        rate = usual_rate(count) if self.false_alarm_rate is None else self.false_alarm_rate
        if self.review_rate != 0:
            checked_rate(self.review_rate, "a review rate")
        rank_for(count, rate)
        return rate

    def check(self, count: int) -> Rates:
        """These rates for a number of images, with no None among them. Raises as `of` does."""
        return replace(self, false_alarm_rate=self.of(count))


def usual_rate(count: int) -> float:
    """The false-alarm rate that a number of good images is used for where nobody says otherwise.

    Below 20 the threshold is the largest score, which promises 1 / (n + 1); from 20 on the rate is 5 %, from 100 on 1 %.
    """
    return 1 / (count + 1) if count < 20 else 0.05 if count < 100 else 0.01


def is_given(false_alarm_rate: float, count: int) -> bool:
    """Whether a false-alarm rate must have been asked for: it is not the usual one of so many images."""
    return false_alarm_rate != usual_rate(count)


def percent_up(share: float) -> str:
    """A share in words, rounded up: what is promised is never less than what holds."""
    digits = 0 if share >= 0.1 else 1 if share >= 0.01 else 2
    return f"{max(0.0, np.ceil(share * 100 * 10**digits - 1e-9)) / 10**digits:g} %"
