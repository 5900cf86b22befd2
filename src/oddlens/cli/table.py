"""Tables for the terminal, as plain text that other programs can read too."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, the columns that matter most first: on a terminal, those at the right that do not fit are left out whole."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    shown = len(head)
    while room is not None and shown > 1 and sum(widths[:shown]) + 2 * (shown - 1) > room:
        shown -= 1
    for row in (head, *rows):
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row[:shown], widths, strict=False)).rstrip())
    if shown < len(head):
        print(f"(a wider terminal, or a pipe, shows also: {', '.join(head[shown:])})", file=sys.stderr)
