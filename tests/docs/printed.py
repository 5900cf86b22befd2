"""Whether a program printed what a page shows: all but what differs from run to run, or from processor to processor."""

from __future__ import annotations

import re
from collections.abc import Sequence

LEFT_OUT = r"oddlens: (this is the embedded model 'mini'.*|[a-z ]+ \.\.\.)"
"""Lines that pages leave out: what asks the embedded model by words, and README too; stages that a terminal shows as bars."""

CLOSE = 3e-3
"""How far a number may be from what the page shows, or one unit of its last digit: other processors give other last digits."""

ANY = {
    "text": (r"\.\.\.", r".*"),
    "small": (r"\d+\.\d+e[+-]\d+", r"\d+\.\d+e[+-]\d+"),  # differences between runtimes
    "when": (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"),
    "seconds": (r"\d+\.\d+ s\b", r"\d+\.\d+ s"),
    "milliseconds": (r'"ms": \d+\.\d+', r'"ms": \d+\.\d+'),
    "number": (r"(?<![\w.])\d+\.\d+(?![\w.])", r"(\d+\.\d+)"),
}
"""What may be another than on the page: how it looks there, and what may stand in its place. Numbers must be close."""

PARTS = re.compile("|".join(f"(?P<{name}>{looks})" for name, (looks, _) in ANY.items()))


def differs(shown: Sequence[str], printed: str) -> str | None:
    """What is wrong, or None. A line `...` in `shown` stands for any lines, within a line for any text."""
    lines = [
        line.rstrip() for line in printed.splitlines() if line.strip() and not re.fullmatch(LEFT_OUT, line.rstrip())
    ]
    if _follows(shown, lines):
        return None
    return "\n".join(
        ("the page shows", *(f"  {line}" for line in shown), "printed is", *(f"  {line}" for line in lines))
    )


def _follows(shown: Sequence[str], lines: Sequence[str]) -> bool:
    if not shown:
        return not lines
    if shown[0] == "...":
        return any(_follows(shown[1:], lines[start:]) for start in range(len(lines) + 1))
    return bool(lines) and same(shown[0], lines[0]) and _follows(shown[1:], lines[1:])


def same(shown: str, line: str) -> bool:
    """Whether a line is the one that the page shows.

    >>> same("0.4858  NG  parts/a.jpg", "0.4859  NG  parts/a.jpg")
    True
    >>> same("0.4858  NG  parts/a.jpg", "0.4758  NG  parts/a.jpg")
    False
    >>> same("0.4858  NG  parts/a.jpg", "0.4858  OK  parts/a.jpg")
    False
    >>> same("done in 3.1 s: ... of results", "done in 12.7 s: 5 of results")
    True
    """
    pattern, end = "", 0
    numbers: list[tuple[float, float]] = []
    for part in PARTS.finditer(shown):
        pattern += re.escape(shown[end : part.start()]) + ANY[part.lastgroup or ""][1]
        end = part.end()
        if part.lastgroup == "number":
            numbers.append((float(part[0]), max(CLOSE, 1.01 * 10.0 ** -len(part[0].partition(".")[2]))))
    found = re.fullmatch(pattern + re.escape(shown[end:]), line)
    return found is not None and all(
        abs(float(value) - number) <= close for value, (number, close) in zip(found.groups(), numbers, strict=True)
    )
