"""Distribution functions that the standard library lacks: of Beta and of Student's t."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist


@lru_cache(maxsize=2**14)  # the bounds of all ranks of some calibration sets
def beta_quantile(probability: float, a: float, b: float) -> float:
    """The value that a Beta(a, b) number stays below with a probability, to about 1e-14."""
    return _bisected(lambda x: beta_cdf(x, a, b), probability, *_beta_bracket(probability, a, b))


_SURE = 2.0**-34
"""How far from a root that Newton's method found, as a share of it, a distribution function is surely on its own side."""


def _beta_bracket(probability: float, a: float, b: float) -> tuple[float, float]:
    """What `beta_quantile` surely lies between; 0 and 1 where Newton's method does not converge."""
    if not 0 < probability < 1:
        return 0.0, 1.0
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    mean = a / (a + b)
    spread = math.sqrt(mean * (1 - mean) / (a + b + 1))
    x = min(max(mean + NormalDist().inv_cdf(probability) * spread, mean / 4), (3 + mean) / 4)
    for _ in range(30):
        density = math.exp(scale + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))
        if not density:
            break
        step = (beta_cdf(x, a, b) - probability) / density
        if abs(step) < 2.0**-24 * x:  # the next one would be about its square
            return (x - step) * (1 - _SURE), (x - step) * (1 + _SURE)
        x -= min(max(step, (x - 1) / 2), x / 2)
    return 0.0, 1.0


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
    c, d = 1.0, 1 / ((1 - (a + b) * x / (a + 1)) or _TINY)
    value = d
    for m in range(1, 10_000):  # the two terms of a round are written out: this is where the time goes
        doubled = a + 2 * m
        term = m * (b - m) * x / ((doubled - 1) * doubled)
        d = 1 / ((1 + term * d) or _TINY)
        c = (1 + term / c) or _TINY
        value *= c * d
        term = -(a + m) * (a + b + m) * x / (doubled * (doubled + 1))
        d = 1 / ((1 + term * d) or _TINY)
        c = (1 + term / c) or _TINY
        change = c * d
        value *= change
        if abs(change - 1) < 1e-15:
            break
    return front * value / a


_TINY = 1e-300
"""In place of a zero that is divided by."""


def _bisected(rising: Callable[[float], float], target: float, least: float = 0.0, most: float = 1.0) -> float:
    """Where a rising function on [0, 1] reaches a target. least, most: below and above these it is not asked.

    The halving is that of [0, 1] whatever they are, so that they change no bit.
    """
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        below = middle < least or (middle <= most and rising(middle) < target)
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2
