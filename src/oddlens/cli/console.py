"""The results of a run on the screen: what was found goes to stdout, what went wrong to stderr."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Literal

from oddlens.errors import printable
from oddlens.inference.results import Record
from oddlens.inference.sinks import Sink


class ConsoleSink(Sink):
    """Prints each result: a JSON object, a line for people, or nothing.

    failed, verdicts: how many images failed so far, and how many have each verdict. advance: is called with 1 for each image.
    """

    def __init__(self, shows: Literal["json", "lines", "failures"], note: Callable[[str, str | None], None]) -> None:
        self.failed = 0
        self.verdicts: Counter[str] = Counter()
        self.advance: Callable[[int], None] = lambda _: None
        self._shows = shows
        self._note = note

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        if self._shows == "json":
            print(json.dumps(record), flush=True)
        if "error" in record:
            self.failed += 1
            print(f"oddlens: {record['error']}", file=sys.stderr)
        else:
            verdict = _verdict(record)
            if verdict is not None:
                self.verdicts[verdict] += 1
            if self._shows == "lines":
                print(f"{record['score']:.4f}  {verdict or '-':6}  {printable(record['path'])}", flush=True)
        self._note(record["path"], record.get("note"))
        self.advance(1)
        return record

    @property
    def counts(self) -> str:
        """How many images have each verdict, in words; "" where none has one."""
        return ", ".join(f"{self.verdicts[each]} {each}" for each in ("NG", "REVIEW", "OK") if self.verdicts[each])


def _verdict(record: Record) -> str | None:
    """What an image is called on the screen; a line of an earlier version says only whether it is anomalous."""
    verdict = record.get("verdict")
    if verdict is None and record["is_anomalous"] is not None:
        verdict = "ng" if record["is_anomalous"] else "ok"
    return None if verdict is None else str(verdict).upper()
