"""README.md of what is shared: a model card. Its licence and whatever else people write in it stay when it is pushed again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from oddlens.errors import UsageError

BEGIN, END = "<!-- oddlens: begin -->", "<!-- oddlens: end -->"
"""Between these lines the card is ours."""

_HEAD = """---
library_name: oddlens
pipeline_tag: {task}
tags:
- oddlens
- anomaly-detection
- {tag}
# license: say here under which licence others may use this
---

# {title}

"""


def card(title: str, tag: str, body: str, before: str | None = None) -> str:
    """The text of a card.

    Args:
        title: What it is of.
        tag: Its method, or another word to find it by.
        body: What oddlens says of it, in Markdown.
        before: The card as it was; what people wrote in it stays. None: there was none.

    Raises:
        UsageError: Nobody can say where ours ends in the card as it was.
    """
    ours = f"{BEGIN}\n{body.strip()}\n{END}\n"
    if before is None:
        return _HEAD.format(task="image-segmentation", tag=tag, title=title) + ours
    head, begin, rest = before.partition(BEGIN)
    if not begin:
        return f"{before.rstrip()}\n\n{ours}"
    _, end, tail = rest.partition(END)
    if not end:
        raise UsageError(
            f"the README.md that is there has the line {BEGIN} and no {END} behind it: put one where the words of oddlens end, and "
            "push again"
        )
    return head + ours + tail.lstrip("\n")


def table(rows: Iterable[Sequence[str]]) -> str:
    """Facts as a table in Markdown. The first row is its head."""
    lines = ["| " + " | ".join(_cell(each) for each in row) + " |" for row in rows]
    if lines:
        lines.insert(1, "|" + " --- |" * lines[0].count(" | ") + " --- |")
    return "\n".join(lines)


def bullets(lines: Iterable[str]) -> str:
    """Sentences as a list in Markdown."""
    return "\n".join(f"- {_cell(line)}" for line in lines)


def facts(values: Mapping[str, object]) -> str:
    """A table of names and values; a value of several parts is JSON."""
    rows = [
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in values.items()
        if value not in (None, {}, [])
    ]
    return table([("", ""), *rows])


def _cell(text: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown.replace("|", "\\|").replace("<", "&lt;")
