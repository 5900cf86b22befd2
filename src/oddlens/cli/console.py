"""The results of a run on the screen: what was found goes to stdout, what went wrong to stderr."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Literal

from oddlens.errors import counted, printable
from oddlens.inference.records import Record, count_verdicts, verdict_of
from oddlens.inference.sinks import Sink


class ConsoleSink(Sink):
    """Prints each result: a JSON object, a line for people, or nothing.

    counts: how many images have which verdict so far, or failed (see `count_verdicts`). advance: is called with 1 for each image.
    """

    def __init__(self, shows: Literal["json", "lines", "failures"], note: Callable[[str, str | None], None]) -> None:
        self.counts: Counter[str] = Counter()
        self.advance: Callable[[int], None] = lambda _: None
        self._shows = shows
        self._note = note

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        if self._shows == "json":
            print(json.dumps(record), flush=True)
        self.counts += count_verdicts([record])
        if "error" in record:
            print(f"oddlens: {record['error']}", file=sys.stderr)
        elif self._shows == "lines":
            verdict = (verdict_of(record) or "-").upper()
            print(f"{record['score']:.4f}  {verdict:6}  {printable(record['path'])}", flush=True)
        for remark in (record.get("concern"), record.get("note")):
            self._note(record["path"], remark)
        self.advance(1)
        return record


class Notes:
    """What was noticed of images, on stderr: of the images with one note the first few, the others as a number at the end."""

    MOST = 3

    def __init__(self, *, everything: bool) -> None:
        self._everything = everything
        self._counts: Counter[str] = Counter()

    def add(self, path: str, note: str | None) -> None:
        """Print the note of an image, or count it."""
        if note is None:
            return
        self._counts[note] += 1
        if self._everything or self._counts[note] <= self.MOST:
            print(f"{printable(path)}: {note}", file=sys.stderr)

    def finish(self) -> None:
        """Print how many more images have a note."""
        for note, count in self._counts.items():
            if not self._everything and count > self.MOST:
                print(f"the same of {counted(count - self.MOST, 'image')} more: {note}", file=sys.stderr)
