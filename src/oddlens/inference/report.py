"""OUT/report.html: the results of a run for people, made of the files in OUT alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oddlens.errors import UsageError, printable
from oddlens.inference.records import Record, read_records
from oddlens.inference.report_page import report_page
from oddlens.inference.sinks import Sink
from oddlens.io.atomic import unwritable, write_text
from oddlens.io.paths import is_file, read_bytes
from oddlens.io.pixels import Pixels
from oddlens.io.strict_json import form_fault, parse_json

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
    if said:
        kept = {**document["said"], **{kind: list(sentences) for kind, sentences in said.items()}}
        document["said"] = {kind: sentences for kind, sentences in kept.items() if sentences}
        write_text(root / "run.json", json.dumps(document, indent=2) + "\n")
    page = root / NAME
    write_text(page, report_page(root, list(read_records(lines).values()), document))
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
        try:
            self._page.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(self._page, error) from error

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """See `Sink`."""
        if detection.thresholds.promise is not None:
            self.said["promise"] = [detection.thresholds.promise]
        return {}

    def finish(self) -> None:
        """See `Sink`. A run without an image writes nothing, as the folder beside it."""
        lines = self._root / "results.jsonl"
        if is_file(lines) and (self.said or not is_file(self._page) or _changed(self._page) < _changed(lines)):
            write_report(self._root, self.said)


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns


def _document(path: Path) -> dict[str, Any]:
    """What run.json says, with what the page needs of it in its form: where it is missing or damaged the page shows less."""
    try:
        document = parse_json(read_bytes(path))
    except (OSError, ValueError):
        document = None
    document = document if isinstance(document, dict) else {}
    said = document.get("said")
    kept = said if isinstance(said, dict) else {}
    document["said"] = {kind: each for kind, each in kept.items() if not form_fault(each, [str])}
    return document
