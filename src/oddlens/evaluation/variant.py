"""How many good examples a cell has, and which draw of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """A number of good examples and the seed they are picked by; without examples there is nothing to pick, and no seed."""

    shots: int
    seed: int | None = None

    @property
    def name(self) -> str:
        """As files call it: "0shot", "4shot-seed1"."""
        return f"{self.shots}shot" if self.seed is None else f"{self.shots}shot-seed{self.seed}"


def variants(shots: Iterable[int], seeds: Iterable[int]) -> tuple[Variant, ...]:
    """Every number of shots with every seed; zero-shot once."""
    drawn = tuple(seeds)
    return tuple(
        Variant(number, seed) for number in sorted(set(shots)) for seed in (sorted(set(drawn)) if number else (None,))
    )
