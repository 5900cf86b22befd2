"""The lines of results.jsonl: a record an image, what is counted of them, and how they are read and written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Required, TypedDict

from oddlens.detection import Verdict
from oddlens.detection.detection import DetectionFields
from oddlens.detection.regions import RegionDocument
from oddlens.io.atomic import write_bytes
from oddlens.io.paths import open_file
from oddlens.io.strict_json import checked, parse_json


class FileDocument(TypedDict, total=False):
    """What a line says of its image's file: its path from OUT (`ResultsFolder.key_of`), its size and its time of change.

    Behind an address: the address, its size where it is known, and what changes with it (`oddlens.io.remote.remote_version`).
    """

    path: Required[str]
    bytes: int
    modified: float
    version: str


class Record(DetectionFields, total=False):
    """The result of one image as JSON values, a line of results.jsonl, or a part of one.

    A line has a path and an error; or a path and the detection (`Detection.to_dict`), of which earlier versions wrote less. ms: how
    long it took, in milliseconds. sha256: of the image's file, where a run waited for it. audit: whether it was drawn at random
    for audit. overlay, map, mask, labels, preview: what was drawn of it, from OUT.
    """

    path: str
    sha256: str
    error: str
    score: float
    is_anomalous: bool | None
    verdict: Verdict | None
    regions: list[RegionDocument]
    image_size: list[int]
    ms: float
    audit: bool
    file: FileDocument
    overlay: str
    map: str
    mask: str
    labels: str
    preview: str


def line_of(record: Record) -> str:
    return json.dumps(record, allow_nan=False) + "\n"


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write a results.jsonl, whole or not at all."""
    write_bytes(path, "".join(map(line_of, records)).encode("ascii"))


def unfiled(path: str) -> str:
    """The key of a line that names no file."""
    return f"\0{path}"


def read_records(path: Path) -> dict[str, Record]:
    """The last record of each image in a results.jsonl, by the key of its file (`unfiled` where a line names none).

    A line that a stop cut off, or that has another form, counts as none: its image runs again.
    """
    records: dict[str, Record] = {}
    for record in filter(None, _each_line(path)):
        key = record["file"]["path"] if "file" in record else unfiled(record["path"])
        records.pop(key, None)
        records[key] = record
    return records


def each_record(path: Path) -> Iterator[Record]:
    """The records of a results.jsonl one by one, as they were written; lines of another form are passed over."""
    return filter(None, _each_line(path))


def count_unread(path: Path) -> int:
    """How many lines of a results.jsonl are no records."""
    return sum(record is None for record in _each_line(path))


def _each_line(path: Path) -> Iterator[Record | None]:
    """The record of each line that is not empty; None for one of another form."""
    with open_file(path) as lines:
        for line in lines:
            if line == b"\n":
                continue
            try:
                record = checked(parse_json(line.decode("ascii")), Record)
            except ValueError:
                yield None
            else:
                yield record if _is_whole(record) else None


def _is_whole(record: Record) -> bool:
    return "path" in record and ("error" in record or ("score" in record and "is_anomalous" in record))


def verdict_of(record: Record) -> Verdict | None:
    """The verdict of a record of a detection; a line of an earlier version says only whether it is anomalous."""
    verdict = record.get("verdict")
    if verdict is None and record["is_anomalous"] is not None:
        return "ng" if record["is_anomalous"] else "ok"
    return verdict


def count_verdicts(records: Iterable[Record]) -> Counter[str]:
    """How many records there are of each kind: "ng", "review", "ok", "failed", "none" (without a verdict)."""
    return Counter("failed" if "error" in record else verdict_of(record) or "none" for record in records)


def say_counts(counts: Mapping[str, int]) -> str:
    """The counts of `count_verdicts` in words: "8 NG, 2 review, 3 OK, 0 failed"."""
    words = {"ng": "NG", "review": "review", "ok": "OK"}
    said = [f"{counts.get(kind, 0)} {word}" for kind, word in words.items()] if any(map(counts.get, words)) else []
    said += [f"{none} without a verdict"] if (none := counts.get("none", 0)) else []
    return ", ".join([*said, f"{counts.get('failed', 0)} failed"])
