"""OUT/report.html: the results of a run for people, made of the files in OUT alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.errors import UsageError, printable
from oddlens.inference.records import Record, read_records
from oddlens.inference.report_page import report_page
from oddlens.inference.sinks import Sink
from oddlens.io.atomic import remove, write_text
from oddlens.io.paths import is_file, read_bytes
from oddlens.io.pixels import Pixels
from oddlens.io.strict_json import checked, parse_json

if TYPE_CHECKING:
    from oddlens.detection import Detection

NAME = "report.html"


def write_report(root: Path, said: Mapping[str, Sequence[str]] | None = None) -> Path:
    """Write OUT/report.html from OUT/results.jsonl and what lies beside it, whole or not at all; returns its path.

    Args:
        root: The folder OUT.
        said: What to know of the run as a whole, by kind, each a list of sentences: "promise" (what the threshold promises),
            "references" (flagged good examples), "drift", or another heading. It is kept in OUT/run.json, in the place of what
            stood there of that kind; a kind with an empty list is removed.

    Raises:
        UsageError: There are no results.
        OddlensError: The page cannot be written.
    """
    lines = root / "results.jsonl"
    if not is_file(lines):
        raise UsageError(f"{printable(str(root))} holds no results: give the folder of a run")
    document = _document(root / "run.json")
    kept = _said(document)
    if said:
        kept |= {kind: list(sentences) for kind, sentences in said.items()}
        kept = {kind: sentences for kind, sentences in kept.items() if sentences}
        document["said"] = kept
        write_text(root / "run.json", json.dumps(document, indent=2) + "\n")
    page = root / NAME
    write_text(page, report_page(root, list(read_records(lines).values()), document, kept))
    return page


class ReportSink(Sink):
    """Writes OUT/report.html at the end of a run, behind the `FolderSink` of that folder.

    A page of an earlier run is removed when this one begins: it never lies beside results that it does not show.

    said: what to know of the run as a whole, see `write_report`; other sinks and the caller may add to it until the run ends.
    """

    def __init__(self, root: Path) -> None:
        self.said: dict[str, list[str]] = {}
        self._root = root
        self._page = root / NAME

    def begin(self) -> None:
        """See `Sink`."""
        remove(self._page)

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """See `Sink`."""
        if detection.thresholds.promise is not None:
            self.said["promise"] = [detection.thresholds.promise]
        return {}

    def kept(self, number: int) -> object:
        """See `Sink`."""
        return self.said.get("promise")

    def keep(self, number: int, kept: object) -> None:
        """See `Sink`."""
        self.said["promise"] = checked(kept, list[str])

    def finish(self) -> None:
        """See `Sink`. A run without an image writes nothing, as the folder beside it."""
        lines = self._root / "results.jsonl"
        if is_file(lines) and (self.said or not is_file(self._page) or _changed(self._page) < _changed(lines)):
            write_report(self._root, self.said)


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns


def _document(path: Path) -> dict[str, object]:
    """What run.json says: where it is missing or damaged the page shows less."""
    try:
        return checked(parse_json(read_bytes(path)), dict[str, object])
    except (OSError, ValueError):
        return {}


def _said(document: Mapping[str, object]) -> dict[str, list[str]]:
    """What was said of the run, by kind."""
    kept: dict[str, list[str]] = {}
    said = document.get("said")
    for kind, sentences in said.items() if isinstance(said, dict) else ():
        with suppress(ValueError):
            kept[kind] = checked(sentences, list[str])
    return kept
