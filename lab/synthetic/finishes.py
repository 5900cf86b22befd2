"""The surface of a part seen close by.

Kept apart from the surfaces, so that a held-out surface is not seen on a part that is trained on.
"""

from collections.abc import Callable

import numpy as np

from lab.synthetic.plane import Field, Plane, fractal, noise, norm, streaks
from lab.synthetic.rng import Rng

Finish = Callable[[Rng, Rng, Plane, Field, Field, float], tuple[Field, Field]]
"""(design, piece, on, u, v, turn) -> tone (a factor about 1) and relief (reference pixels); (u, v) are the part's coordinates
and `turn` is the direction of its u axis."""


def smooth(design: Rng, piece: Rng, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    """Polished or painted."""
    return 1 + 0.01 * noise(piece, on, 40), np.zeros_like(u)


def brushed(design: Rng, piece: Rng, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    """Fine lines along or across the part."""
    along = turn + design.pick([0.0, np.pi / 2])
    lines = streaks(piece, on, along, design.uniform(1.3, 3), design.uniform(40, 150))
    return 1 + design.uniform(0.03, 0.12) * lines, design.uniform(0.02, 0.15) * lines


def turned(design: Rng, piece: Rng, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    """Rings of a lathe tool."""
    fine = norm(u, v) * design.uniform(0.4, 1.2)
    table = design.normals(256)
    low = np.floor(fine)
    between, ring = fine - low, low.astype(np.int32)
    lines = table[ring % 256] * (1 - between) + table[(ring + 1) % 256] * between
    return 1 + design.uniform(0.02, 0.1) * lines, design.uniform(0.05, 0.25) * lines


def cast(design: Rng, piece: Rng, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    """The skin of a casting."""
    relief = fractal(piece, on, design.uniform(5, 20), 3, 0.7)
    return 1 + design.uniform(0.01, 0.08) * relief, design.uniform(0.1, 0.5) * relief


def moulded(design: Rng, piece: Rng, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    """Plastic with faint lines of flow and a fine grain."""
    flow = fractal(piece, on, design.uniform(40, 120), 3)
    return 1 + design.uniform(0.01, 0.06) * flow, 0.05 * noise(piece, on, 3)


def flecked(design: Rng, piece: Rng, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    """Scattered lighter or darker flecks all over."""
    flecks = np.clip(np.abs(fractal(piece, on, design.uniform(3, 8), 2)) - 1.2, 0, 1)
    return 1 + design.uniform(-0.5, 0.8) * flecks, 0.1 * flecks


def weathered(design: Rng, piece: Rng, on: Plane, u: Field, v: Field, turn: float) -> tuple[Field, Field]:
    """Blotchy all over, as oiled, galvanised or tumbled parts are when nothing is wrong with them."""
    blotches = fractal(piece, on, design.uniform(15, 50), 4, 0.65)
    return np.exp(design.uniform(0.04, 0.16) * blotches), 0.1 * fractal(piece, on, 4, 2)


FINISHES: tuple[Finish, ...] = (smooth, brushed, turned, cast, moulded, flecked, weathered)
