"""No kind of its own: inputs that end, crash, hang, or swell, to test the runner with."""

from __future__ import annotations

import os
import random
import time
from itertools import count
from pathlib import Path

from tests.fuzz.case import Case, draw
from tests.fuzz.runner import Input


def _end() -> None:
    pass


def _crash() -> None:
    os.abort()


def _hang() -> None:
    time.sleep(3600)


def _swell() -> None:
    held = []
    while True:
        held.append(b"x" * (64 << 20))
        time.sleep(0.01)


_ENDS = {"end": _end, "crash": _crash, "hang": _hang, "swell": _swell}


def make(rng: random.Random, world: object, scratch: Path) -> Case:
    """One of them."""
    name = rng.choice(list(_ENDS))
    return Case(name, _ENDS[name])


def input_that(name: str) -> Input:
    """An input that ends, crashes, hangs or swells."""
    return next(
        Input("self_test", 0, each) for each in count() if draw("self_test", 0, each).choice(list(_ENDS)) == name
    )
