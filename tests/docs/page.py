"""A page of the documents, as the tests read it: its fenced blocks, and what comments before them say.

A comment on the line before a block is for the tests, and no reader sees it:

    <!-- not run: large model -->         The block is not run, for a reason of NOT_RUN.
    <!-- needs: torch, onnx -->           From here on the page needs these packages; without them the rest is skipped.
    <!-- file: roi.json -->               The block is written into this file.
    <!-- line: results.jsonl, 2 -->       The block is that line of the file, on as many lines as a reader wants.
    <!-- there: line-3, results -->       These things of `tests.docs.things` lie in the page's folder from here on.

In a block `console` each call follows a `$ `; what stands below is what it prints, on stdout and stderr. A call with nothing below
may print anything. `...` stands for any lines, or within a line for any text. What a block `python` prints stands in a block
`text` that follows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

NOT_RUN = {
    "network": "reaches other machines",
    "large model": "needs a model of hundreds of megabytes, which is fetched first",
    "data set": "needs a data set that oddlens does not bring",
    "minutes": "takes minutes or hours",
    "camera": "needs a camera",
    "another server": "needs a server of another program, such as MLflow or a proxy",
    "container": "needs Docker",
    "installs": "installs packages, or changes the system",
    "another language": "needs a compiler or a runtime of another language; a test of its own builds it where there is one",
    "elsewhere": "another test runs it, and is named beside it",
}
"""Why a block may not be run."""

RUN = ("console", "bash", "sh", "python")
"""The languages that are run; all others are data, and read by nobody here."""


@dataclass(frozen=True)
class Call:
    """A command, and the lines that the page shows below it; none: it may print anything."""

    command: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        line: Its number in the page, from 1.
        language: The first word behind the fence.
        text: All between the fences.
        notes: What comments before it say: the word, and what follows it.
        printed: For Python: the lines of the block `text` that follows; None if none does.
    """

    line: int
    language: str
    text: str
    notes: dict[str, str] = field(default_factory=dict)
    printed: tuple[str, ...] | None = None

    @property
    def calls(self) -> Iterator[Call]:
        """The calls of a block `console`."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, below = re.sub(r"\\\n\s*", "", part).partition("\n")
            yield Call(command, tuple(line.rstrip() for line in below.splitlines() if line.strip()))

    def noted(self, word: str) -> list[str]:
        """What a comment lists, divided by commas."""
        return [each.strip() for each in self.notes.get(word, "").split(",") if each.strip()]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page in order; blocks `text` that show what Python prints belong to the block before."""
    found: list[Block] = []
    notes: dict[str, str] = {}
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if comment := re.fullmatch(r"<!-- ([a-z ]+): (.*) -->", line.strip()):
            notes[comment[1]] = comment[2]
        elif fence := re.match(r"( *)```(\w*)", line):
            end = next(at for at in range(number, len(lines)) if lines[at].strip() == "```")
            text = "".join(f"{each.removeprefix(fence[1])}\n" for each in lines[number:end])
            if fence[2] == "text" and found and found[-1].language == "python" and not _words(lines, found[-1], number):
                last = found.pop()
                shown = tuple(each.rstrip() for each in text.splitlines() if each.strip())
                found.append(Block(last.line, last.language, last.text, last.notes, shown))
            else:
                found.append(Block(number, fence[2], text, notes))
            notes, number = {}, end + 1
        elif line.strip():
            notes = {}
    return found


def _words(lines: list[str], block: Block, until: int) -> bool:
    """Whether anything but empty lines stands between a block and the fence in line `until`."""
    end = block.line + block.text.count("\n") + 1
    return any(line.strip() for line in lines[end : until - 1])
