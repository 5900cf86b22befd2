"""Distribution functions that the standard library lacks: of Beta and of Student's t."""

from __future__ import annotations

import math
from collections.abc import Callable


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The value that a Beta(a, b) number stays below with a probability, to about 1e-14."""
    return _bisected(lambda x: beta_cdf(x, a, b), probability)


def t_quantile(probability: float, freedom: int) -> float:
    """The value that Student's t with so many degrees of freedom stays below with a probability of one half or more."""
    # t^2 / (freedom + t^2) follows Beta(1/2, freedom/2).
    share = _bisected(lambda x: beta_cdf(x, 0.5, freedom / 2), 2 * probability - 1)
    return math.sqrt(freedom * share / (1 - share))


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (Lentz; Numerical Recipes, section 6.4)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction of the other tail is the one that converges fast
        return 1 - beta_cdf(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    tiny = 1e-300
    c, d = 1.0, 1 / _apart(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 10_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _apart(1 + term * d, tiny)
            c = _apart(1 + term / c, tiny)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * value / a


def _apart(value: float, least: float) -> float:
    """The value, kept apart from zero."""
    return value if abs(value) > least else least


def _bisected(rising: Callable[[float], float], target: float) -> float:
    """Where a rising function on [0, 1] reaches a target."""
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2
