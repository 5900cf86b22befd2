"""The source of all randomness: a numpy generator whose draws are plain Python numbers or float32 arrays.

Plain numbers leave float32 arrays float32; numpy's own scalars would widen them to float64.
"""

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

T = TypeVar("T")


class Rng:
    """Random draws from one stream, named by whole numbers of 0 and above: equal words, equal draws."""

    def __init__(self, *words: int) -> None:
        # their count is a word too: SeedSequence takes (1, 2) and (1, 2, 0) for the same
        self._rng = Generator(PCG64(SeedSequence((len(words), *words))))

    def uniform(self, low: float, high: float) -> float:
        return self._rng.uniform(low, high)

    def many(self, low: float, high: float, count: int) -> list[float]:
        """Return `count` uniform draws."""
        return [float(value) for value in self._rng.uniform(low, high, count)]

    def point(self, reach: float) -> tuple[float, float]:
        """Return a point of the square with half side `reach`."""
        return self.uniform(-reach, reach), self.uniform(-reach, reach)

    def normal(self, deviation: float) -> float:
        return self._rng.normal(0, deviation)

    def factor(self, deviation: float) -> float:
        """Log-normal factor with median 1."""
        return math.exp(self._rng.normal(0, deviation))

    def log_uniform(self, low: float, high: float) -> float:
        return math.exp(self._rng.uniform(math.log(low), math.log(high)))

    def angle(self) -> float:
        """Any direction, in radians."""
        return self._rng.uniform(0, 2 * math.pi)

    def chance(self, share: float) -> bool:
        return self._rng.random() < share

    def whole(self, low: int, high: int) -> int:
        """Whole number from `low` to `high`, both possible."""
        return int(self._rng.integers(low, high, endpoint=True))

    def pick(self, options: Sequence[T], p: Sequence[float] | None = None) -> T:
        """One of the options; `p` are their probabilities, equal where it is None."""
        return options[int(self._rng.choice(len(options), p=p))]

    def uniforms(self, low: float, high: float, *shape: int) -> NDArray[np.float32]:
        return self._rng.uniform(low, high, shape).astype(np.float32)

    def normals(self, *shape: int) -> NDArray[np.float32]:
        return self._rng.standard_normal(shape, dtype=np.float32)
