"""What notebooks show of a value: a short table, in HTML that needs no style sheet."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_STYLE = "border-collapse: collapse; margin: .3em 0; text-align: left"
_CELL = "text-align: left; vertical-align: top; padding: .1em 1em .1em 0; max-width: 46em; overflow-wrap: anywhere"


def facts(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """A table of names and what they are, all text; rows without a text are left out."""
    lines = "".join(
        f'<tr><th scope="row" style="{_CELL}; opacity: .7; font-weight: normal">{escape(name)}</th>'
        f'<td style="{_CELL}">{escape(text)}</td></tr>'
        for name, text in rows
        if text
    )
    return f'<div><strong>{escape(title)}</strong><table style="{_STYLE}">{lines}</table></div>'
