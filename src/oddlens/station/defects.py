"""What users know of defects: their names, and regions that they have named."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from oddlens.errors import UsageError, printable

UNKNOWN = "unknown"
"""Stands for the name of a region that no name fits."""


@dataclass(frozen=True, eq=False)
class NamedRegions:
    """Regions that a user has named.

    Attributes:
        names: Of each.
        features: Of each, as `oddlens.teaching.namer.Namer.features` gives them: float32 [regions, channels], unit norm.
    """

    names: tuple[str, ...] = ()
    features: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))


def defect_names(text: str) -> tuple[str, ...]:
    """The names in a list with commas, each once, in any case of letters.

    Raises:
        UsageError: There are fewer than two, or one is "unknown".

    Example:
        >>> defect_names("scratch, dent,Scratch")
        ('scratch', 'dent')
    """
    words = [" ".join(word.split()) for word in text.split(",") if word.strip()]
    names = {word.casefold(): word for word in reversed(words)}
    if len(names) < 2:
        raise UsageError(
            f"{printable(text)!r} names fewer than two defects: give two or more, divided by commas, of which one is chosen"
        )
    for name in names.values():
        check_defect_name(name)
    return tuple(names[name] for name in dict.fromkeys(map(str.casefold, words)))


def check_defect_name(name: str) -> str:
    """The name of a defect. Raises `UsageError` for an empty one and for "unknown", which stands for none."""
    cleaned = " ".join(name.split())
    if not cleaned or cleaned.casefold() == UNKNOWN:
        raise UsageError(
            f"no defect can be called {printable(name)!r}: {UNKNOWN!r} stands for a region that no name fits"
        )
    return cleaned
