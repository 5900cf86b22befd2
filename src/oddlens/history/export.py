"""Results as files: a table, lines of JSON, or a zip of both with the images, written as they are read, a few at a time."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from oddlens.history.filters import Filter
from oddlens.history.history import History
from oddlens.history.records import Inspection
from oddlens.io.cells import harmless
from oddlens.io.strict_json import said_time

COLUMNS = (
    "id", "time", "station", "station_version", "source", "origin", "score", "verdict", "p_value", "threshold",
    "review_threshold", "pixel_threshold", "regions", "largest_region", "name", "width", "height", "said", "judged", "defect",
    "comment", "reviewer", "audit", "concern", "note", "error", "ms", "digest",
)  # fmt: skip
"""Of the table. verdict: "failed" of an image that could not be inspected. regions: how many; largest_region: its area in pixels;
name: what the hottest one may be."""

_CHUNK = 1 << 20


def table(history: History, which: Filter) -> Iterator[bytes]:
    """A table, CSV in UTF-8, one line an inspection. A text that a spreadsheet would compute gets an apostrophe in front."""
    page = io.StringIO(newline="")
    lines = csv.DictWriter(page, COLUMNS, restval="", lineterminator="\n")
    lines.writeheader()
    for each in history.each(which):
        lines.writerow({name: harmless(value) for name, value in _row(each).items()})
        if page.tell() > _CHUNK // 16:
            yield _taken(page)
    yield _taken(page)


def json_lines(history: History, which: Filter) -> Iterator[bytes]:
    """One line of JSON an inspection, as the API sends it, with its identity."""
    for each in history.each(which):
        document = each.to_dict() | {"identity": each.identity, "reviewer": each.reviewer}
        yield (json.dumps(document, allow_nan=False) + "\n").encode("ascii")


def archive(history: History, which: Filter) -> Iterator[bytes]:
    """A zip: results.csv, results.jsonl, and images/17.png, the image of result 17, as it came; without those that are gone."""
    now = datetime.now(UTC)
    which = which if which.until is not None else replace(which, until=now)  # all parts have the same results
    out = _Outlet()
    with zipfile.ZipFile(cast("io.BytesIO", out), "w") as file:
        writers: tuple[tuple[str, Callable[[History, Filter], Iterator[bytes]]], ...]
        writers = (("results.csv", table), ("results.jsonl", json_lines))
        for name, lines in writers:
            with file.open(_entry(name, now, zipfile.ZIP_DEFLATED), "w", force_zip64=True) as member:
                for some in lines(history, which):
                    member.write(some)
                    yield out.taken()
        for each in history.each(which):
            path = history.pictures.path(each.digest)
            if path is None:
                continue
            try:
                source = path.open("rb")
            except OSError:  # it was removed just now
                continue
            entry = _entry(f"images/{each.id}{path.suffix}", each.time)
            with source, file.open(entry, "w", force_zip64=True) as member:
                while some := source.read(_CHUNK):
                    member.write(some)
                    yield out.taken()
    yield out.taken()


FORMATS: dict[str, tuple[str, Callable[[History, Filter], Iterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", table),
    "jsonl": ("application/jsonl", json_lines),
    "zip": ("application/zip", archive),
}
"""By the ending of a file's name: the media type, and what writes it."""


def _entry(name: str, time: datetime, compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    """A file in a zip, which knows no time before 1980: a machine whose clock was never set inspects in 1970."""
    info = zipfile.ZipInfo(name, max(time.timetuple()[:6], (1980, 1, 1, 0, 0, 0)))
    info.compress_type = compression
    return info


def _row(each: Inspection) -> dict[str, object]:
    sent = each.to_dict()
    regions = cast("list[dict[str, object]]", sent["regions"])
    thresholds = cast("dict[str, float | None]", sent["thresholds"])
    names = cast("list[tuple[str, float]]", (regions[0].get("names") if regions else None) or [])
    return {name: sent[name] for name in COLUMNS if name in sent} | {
        "time": said_time(each.time),
        "verdict": "failed" if each.detection is None else each.verdict,
        "threshold": thresholds["image"],
        "review_threshold": thresholds["review"],
        "pixel_threshold": thresholds["pixel"],
        "regions": len(regions) if thresholds["pixel"] is not None else None,
        "largest_region": max((cast("float", region["area"]) for region in regions), default=None),
        "name": names[0][0] if names else None,
        "reviewer": each.reviewer,
    }


def _taken(page: io.StringIO) -> bytes:
    text = page.getvalue()
    page.seek(0)
    page.truncate()
    return text.encode("utf-8")


class _Outlet:
    """A file that nobody can seek in, from which what was written is taken."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data
