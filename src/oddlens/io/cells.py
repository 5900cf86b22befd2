"""Cells of tables that people open with a spreadsheet."""

from __future__ import annotations


def harmless(value: object) -> object:
    """A cell that no spreadsheet takes for a formula: a text that it would compute gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
