"""Words and tables as Markdown."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, in a cell of a table too."""
    return re.sub(r"([\\`*_\[\]<>|#{}])", r"\\\1", text)


def code(text: str) -> str:
    """Text as code, in a cell of a table too."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", r"\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown in one line each."""
    lines = (f"| {' | '.join(' '.join(cell.split()) for cell in row)} |" for row in (head, ["---"] * len(head), *rows))
    return "\n".join(lines)


def relative(page: str | Path, folder: str | Path) -> str:
    """The way from a folder of the site to a page."""
    return os.path.relpath(page, folder).replace(os.sep, "/")
