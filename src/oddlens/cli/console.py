"""The results of a run on the screen: what was found goes to stdout, what went wrong to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Literal

from oddlens.errors import printable
from oddlens.inference.results import Record
from oddlens.inference.sinks import Sink


class ConsoleSink(Sink):
    """Prints each result: a JSON object, a line for people, or nothing.

    failed, judged, anomalous: how many images failed so far, have a verdict, and are anomalous by it. advance: is called with 1
    for each image.
    """

    def __init__(self, shows: Literal["json", "lines", "failures"], note: Callable[[str, str | None], None]) -> None:
        self.failed = self.judged = self.anomalous = 0
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
            self.judged += record["is_anomalous"] is not None
            self.anomalous += record["is_anomalous"] is True
            if self._shows == "lines":
                verdict = {True: "anomalous", False: "normal", None: "-"}[record["is_anomalous"]]
                print(f"{record['score']:.4f}  {verdict:9}  {printable(record['path'])}", flush=True)
        self._note(record["path"], record.get("note"))
        self.advance(1)
        return record
