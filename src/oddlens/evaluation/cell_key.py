"""Which cell of a benchmark it is: data set, category, method, number of good examples and seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from oddlens.data.object_names import path_name


@dataclass(frozen=True)
class Variant:
    """A number of good examples and the seed they are picked by.

    Attributes:
        shots: The number of good examples; 0 is zero-shot.
        seed: None without examples: then there is nothing to pick.
    """

    shots: int
    seed: int | None = None

    @property
    def name(self) -> str:
        """As files call it: "0shot", "4shot-seed1"."""
        return f"{self.shots}shot" if self.seed is None else f"{self.shots}shot-seed{self.seed}"


@dataclass(frozen=True)
class Key:
    """Which cell it is."""

    dataset: str
    category: str
    method: str
    variant: Variant

    def path(self, out: Path) -> Path:
        """The cell's file below OUT: cells/<data set>/<category>/<method>-<variant>.json."""
        folder = out / "cells" / path_name(self.dataset) / path_name(self.category)
        return folder / f"{self.method}-{self.variant.name}.json"


def variants(shots: Iterable[int], seeds: Iterable[int]) -> tuple[Variant, ...]:
    """Every number of shots with every seed; zero-shot once.

    Examples:
        >>> [variant.name for variant in variants([0, 4], [0, 1])]
        ['0shot', '4shot-seed0', '4shot-seed1']
    """
    drawn = sorted(set(seeds))
    return tuple(Variant(number, seed) for number in sorted(set(shots)) for seed in (drawn if number else (None,)))
