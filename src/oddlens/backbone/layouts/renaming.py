"""Tensor names of a layout to ours."""

from __future__ import annotations

from collections.abc import Sequence

Pairs = Sequence[tuple[str, str]]


def rename(name: str, prefixes: Pairs, in_blocks: Pairs) -> str:
    """The name with the first prefix that fits exchanged, and then every part that stands inside a block."""
    for old, new in prefixes:
        if name.startswith(old):
            name = new + name[len(old) :]
            break
    for old, new in in_blocks:
        name = name.replace(old, new)
    return name
