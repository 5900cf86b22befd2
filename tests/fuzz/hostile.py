"""Texts, numbers and values that programs trip over."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

HOSTILE_TEXTS = (
    "", " ", ".", "..", "\\", "~", "~nosuchuser/x", "-x", "--help", "*", "[", "a[", "?", "**", "%s%n{}",
    "{0.__class__}", "$HOME", "a\nb", "a\rb", "a\tb", "\x1b[31mred", "\x00", "a\x00b", "\u202eright to left",
    "e\u0301", "é", "m1²3", "①", "٣", "𝟛", "Ⅷ", "ﬀ", "ß", "İ", "ı", "\u200d\u200b", "👩‍👩‍👧‍👦", "\ud800", "\udcff",
    "\ufeff", "\u2028", "con", "nul", "a" * 255, "a" * 256, "ü" * 128, "x" * 5000, "nan", "NaN", "inf", "-inf",
    "1e999", "null", "true", "0x10", "1_000", "１２", "'; DROP TABLE", "<script>alert(1)</script>",
    "http://example.invalid/a.png", "file:///etc/passwd", "/dev/zero", "/dev/full", "a/" * 200 + "b",
    "../" * 30 + "etc/passwd", "C:\\Users\\x", "\\\\server\\share", "a;b", "a,b", '"', "'", "`",
)  # fmt: skip
"""Texts that names, paths, numbers and markup trip over."""

HOSTILE_NUMBERS = (
    0, -1, 1, 2, 255, 256, 10**9, 10**20, -(10**20), 2**31, 2**63, 2**64, 10**400, 0.5, -0.0, 1e-300, 5e-324, 1e300,
    1e308,
)  # fmt: skip
HOSTILE_FLOATS = (float("nan"), float("inf"), float("-inf"))


def hostile_text(rng: random.Random) -> str:
    """A text that something trips over, alone or glued to another."""
    text = rng.choice(HOSTILE_TEXTS)
    if rng.random() < 0.2:
        text += rng.choice(HOSTILE_TEXTS)
    if rng.random() < 0.1:
        text = "".join(
            chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x20, 0x3000), rng.randrange(0x10000, 0x1F000))))
            for _ in range(rng.randrange(1, 40))
        )
    return text


def hostile_value(rng: random.Random, depth: int = 0) -> Any:
    """A JSON value of any type, often one that nobody expects."""
    draws: list[Callable[[], Any]] = [
        lambda: None, lambda: rng.choice((True, False)), lambda: rng.choice(HOSTILE_NUMBERS),
        lambda: rng.choice(HOSTILE_FLOATS), lambda: rng.uniform(-3, 3), lambda: rng.randrange(-3, 40),
        lambda: hostile_text(rng), list, dict,
    ]  # fmt: skip
    if depth < 2:
        draws += [
            lambda: [hostile_value(rng, depth + 1) for _ in range(rng.randrange(1, 4))],
            lambda: {hostile_text(rng): hostile_value(rng, depth + 1) for _ in range(rng.randrange(1, 4))},
        ]
    return rng.choice(draws)()
