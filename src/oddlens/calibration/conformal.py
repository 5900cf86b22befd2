"""What scores of good images promise of further good images: p-values, thresholds, bounds of the false-alarm rate.

Everything here rests on one condition, exchangeability: the images that the scores are of and those to come are a random sample of
one production (same part, camera, light, process), in which no image is told from another by its place. Several images of one part
count as one. Images that were taken together do not stand for those that come later: no function here can see that.

Scores are those of calibration images that the detector does not know ("split"), or of references, each held against the others
("leave-one-out"); `oddlens.calibration` says what differs. Higher scores are more anomalous, and an image is called NG only where
its score is greater than the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oddlens.errors import UsageError, shortened
from oddlens.metrics.distributions import beta_quantile, t_quantile

CONFIDENCE = 0.95
"""Of the statements on one calibration set, and of the intervals."""

_LEAST = 1e-9
"""The lowest rate that is taken: of one that is much lower no computer says how many images it needs."""

_LOCAL_LEVELS = {
    1: 0.05, 2: 0.02716, 3: 0.01933, 4: 0.01536, 5: 0.01294, 7: 0.01012, 10: 0.007943, 14: 0.006424, 20: 0.005217,
    30: 0.004201, 50: 0.003287, 70: 0.00284, 100: 0.002461, 140: 0.002172, 200: 0.00192, 300: 0.001688, 500: 0.001456,
    700: 0.001331, 1000: 0.001217, 1400: 0.001124, 2000: 0.001039, 3000: 0.0009544, 5000: 0.0008641,
}  # fmt: skip
"""How often each bound of the band may fail so that all hold at once with a confidence of 95 %, by the number of scores:
scripts/make_local_levels.py computes it."""


def p_value(scores: Sequence[float], score: float) -> float:
    """How unusual a score is among those of good images: (1 + the number that reach it) / (n + 1); 1 without any.

    Promised: the p-value of a further good image is at most alpha with a probability of at most alpha, for every alpha, on average
    over calibration sets. Not promised: anything of images that are not exchangeable with those of the scores.

    Examples:
        >>> p_value([0.1, 0.2, 0.3], 0.25)
        0.5
    """
    return (1 + sum(each >= score for each in scores)) / (len(scores) + 1)


def images_needed(rate: float) -> int:
    """How many scores a threshold for a false-alarm rate needs.

    Examples:
        >>> [images_needed(rate) for rate in (0.1, 0.05, 0.01, 0.001)]
        [9, 19, 99, 999]
    """
    return math.ceil(1 / checked_rate(rate) - 1e-9) - 1


def rank_for(count: int, rate: float) -> int:
    """Which of the sorted scores, counted from 1, is the threshold for a false-alarm rate: ceil((n + 1)(1 - rate)).

    Promised: on average over calibration sets, at most (n + 1 - rank) / (n + 1) <= rate of good images score more. Ties only make
    it fewer.

    Raises:
        UsageError: So few scores cannot promise so low a rate.

    Examples:
        >>> rank_for(19, 0.05), rank_for(100, 0.05)
        (19, 96)
    """
    # Rates such as 0.05 are meant exactly: a product that is a whole number but for rounding counts as that number.
    above = math.floor((count + 1) * checked_rate(rate) + 1e-9)
    if above < 1:
        least = "" if count < 1 else f", or a rate of {math.ceil(1000 / (count + 1)) / 1000:g} or more"
        raise UsageError(
            f"a false-alarm rate of {rate:g} needs {images_needed(rate)} good images, and there are {count}: give more{least}"
        )
    return max(1, count + 1 - above)


def threshold_for(scores: Sequence[float], rate: float) -> float:
    """The score that at most this share of further good images exceeds, on average: see `rank_for`."""
    return sorted(scores)[rank_for(len(scores), rate) - 1]


def rank_of(scores: Sequence[float], threshold: float) -> int:
    """How many scores do not exceed a threshold: its rank, for the bounds below; 0 where all do."""
    return sum(each <= threshold for each in scores)


def mean_rate(count: int, rank: int) -> float:
    """The false-alarm rate of a threshold at a rank, on average over calibration sets: at most (n + 1 - rank) / (n + 1)."""
    return (count + 1 - rank) / (count + 1)


def declared_bound(count: int, rank: int, confidence: float = CONFIDENCE) -> float:
    """What the false-alarm rate is at most, with this confidence, for the very calibration set at hand.

    Promised: the rate of a threshold at a rank that was declared before the scores were seen follows Beta(n + 1 - rank, rank), or
    lies below where scores are tied; this is a quantile of it. Not promised: anything of a threshold that was moved afterwards
    (`moved_bound`), or of leave-one-out scores, which are not independent of one another.

    Examples:
        >>> [round(declared_bound(n, n), 3) for n in (20, 100, 300)]
        [0.139, 0.03, 0.01]
    """
    return 1.0 if rank < 1 else beta_quantile(confidence, count + 1 - rank, rank)


MOST_PROMISED = 0.99
"""A bound above it is no promise: "at most 100 %" would only read like one."""


def moved_bound(count: int, rank: int) -> float:
    """As `declared_bound`, at a confidence of 95 %, for a threshold that was moved after the scores were seen.

    Promised: the bounds of all ranks hold together with that confidence, so that whichever threshold is chosen, by whatever
    reason, its bound is among them. The band has equal local levels: at every rank the bound is the same quantile.

    Examples:
        >>> [round(moved_bound(n, n), 3) for n in (20, 100, 300)]
        [0.231, 0.058, 0.021]
    """
    return 1.0 if rank < 1 else beta_quantile(1 - local_level(count), count + 1 - rank, rank)


def local_level(count: int) -> float:
    """How often each bound of the band of `moved_bound` may fail, so that all hold with 95 %; interpolated in the logarithms.

    Beyond the table it falls as 1 / n, which is faster than it really does: the bounds are a little too wide there.
    """
    sizes = list(_LOCAL_LEVELS)
    if count > sizes[-1]:
        return _LOCAL_LEVELS[sizes[-1]] * sizes[-1] / count
    logs = [math.log(level) for level in _LOCAL_LEVELS.values()]
    return float(np.exp(np.interp(math.log(count), np.log(sizes), logs)))


def lognormal_limit(scores: Sequence[float], rate: float) -> float | None:
    """An estimate, not guaranteed, of the score that this share of further good images exceeds: a t prediction limit on log scores.

    mean + t(1 - rate, n - 1) * sd * sqrt(1 + 1 / n) of the logarithms. It needs fewer images than a rank does. Nothing is promised:
    it is right where scores are lognormal, and where eight good images or more gave them it was about right on real images in the
    mean; with four it called twice as many good images NG as it should.

    Returns:
        The limit; None with fewer than two scores, or where one is not positive or all are the same, which gives no estimate.
    """
    values: NDArray[np.float64] = np.asarray(scores, np.float64)
    if len(values) < 2 or values.min() <= 0 or values.min() == values.max():
        return None
    logs = np.log(values)
    spread = float(logs.std(ddof=1)) * math.sqrt(1 + 1 / len(logs))
    return math.exp(float(logs.mean()) + t_quantile(1 - checked_rate(rate), len(logs) - 1) * spread)


def rate_interval(hits: int, count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """A rate that was counted, for instance of defects found, as an exact interval (Clopper and Pearson 1934).

    Promised: whatever the true rate is, the interval holds it with at least this probability, where the images counted are
    independent and like those to come. (0, 1) without any.

    Examples:
        >>> [round(end, 3) for end in rate_interval(8, 8)]
        [0.631, 1.0]
    """
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else beta_quantile(tail, hits, count - hits + 1)
    high = 1.0 if hits == count else beta_quantile(1 - tail, hits + 1, count - hits)
    return low, high


def checked_rate(rate: float, what: str = "a false-alarm rate") -> float:
    """A rate between 0 and 1. Raises `UsageError` for anything else. what: it is."""
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1:
        raise UsageError(f"{what} cannot be {shortened(rate)}: give a number between 0 and 1, for instance 0.05")
    if rate < _LEAST:
        raise UsageError(f"{what} of {rate:g} needs more good images than anyone has: give {_LEAST:g} or more")
    return rate
