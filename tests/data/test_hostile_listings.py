"""Damaged listings end in a clean data set, in problems, or in one sentence, and in nothing else."""

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.data.hostile_listings import KINDS, damage, judge

TRIES = 40


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_listing_is_read_reported_or_refused(tmp_path: Path, name: str) -> None:
    kind, rng = KINDS[name], random.Random(f"11 {name}")
    root = kind.write(tmp_path)
    sound = (root / kind.file).read_bytes()
    assert judge(root) in ("clean", "told")
    outcomes: Counter[str] = Counter()
    for _ in range(TRIES):
        damage(kind, root, sound, rng)
        outcomes[judge(root)] += 1
    assert outcomes["refused"] + outcomes["told"] > TRIES / 4, "the damage does not do any harm"
