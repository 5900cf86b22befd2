"""Make the table of local levels in src/oddlens/calibration/conformal.py: how often each bound of the moved-handle band may fail.

The band bounds the false-alarm rate at every threshold at once. At the k-th smallest of n scores the rate is distributed as
Beta(n + 1 - k, k) or lies below it, and the bound there is the (1 - level) quantile of that distribution, with one level for
all k (equal local levels, of the Berk-Jones kind). The level is the one at which all bounds hold together with the given
probability. That probability is computed exactly, without drawing: the number of uniform scores below each bound is a Poisson
process that is known to end at n. Run:

    python scripts/make_local_levels.py
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import beta, poisson

SIZES = (1, 2, 3, 4, 5, 7, 10, 14, 20, 30, 50, 70, 100, 140, 200, 300, 500, 700, 1000, 1400, 2000, 3000, 5000)


def coverage(level: float, n: int) -> float:
    """The probability that all n bounds hold at once."""
    k = np.arange(1, n + 1)
    # The score at rank k is at least this quantile of all good ones, but for a probability of `level`.
    bounds = beta.ppf(level, k, n + 1 - k)
    steps = np.diff(bounds, prepend=0.0)
    counts: NDArray[np.float64] = np.ones(1)  # the probabilities of 0, 1, ... scores below the bound so far
    first = 0  # the count that counts[0] is of: what is next to impossible is cut off
    for rank, step in enumerate(steps, start=1):
        mean = n * step
        added = poisson.pmf(np.arange(int(mean + 12 * np.sqrt(mean) + 14)), mean)
        counts = np.convolve(counts, added)[: rank - first]  # fewer than `rank` of them may lie below the bound
        while len(counts) > 1 and counts[0] < 1e-18:
            counts, first = counts[1:], first + 1
    rest = n - first - np.arange(len(counts))
    whole = counts @ poisson.pmf(rest, n * (1 - bounds[-1]))
    return float(whole / poisson.pmf(n, n))


def local_level(n: int, confidence: float) -> float:
    """The level at which all bounds hold with that confidence."""
    low, high = (1 - confidence) / n, 1 - confidence
    if n == 1:
        return high
    return float(brentq(lambda level: coverage(level, n) - confidence, low, high, rtol=1e-6))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    arguments = parser.parse_args()
    for n in arguments.sizes:
        print(f"    {n}: {local_level(n, arguments.confidence):.4g},", flush=True)


if __name__ == "__main__":
    main()
