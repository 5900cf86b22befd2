"""Folders of results as runs leave them."""

import json
from pathlib import Path

from oddlens.inference.records import Record
from oddlens.inference.results import ResultsFolder

SETTINGS = {"run": {"object": "bolt", "maps": True}, "machine": {"device": "cpu"}}


def record(name: str, score: float = 0.5) -> Record:
    file = {"path": name, "bytes": 1, "modified": 0.5}
    return {"path": name, "score": score, "is_anomalous": None, "file": file}


def failure(name: str) -> Record:
    return {"path": name, "error": "is empty"}


def write(root: Path, *records: Record, cut: str = "") -> Path:
    """A folder as a run leaves it; cut: what follows the last whole line."""
    folder = ResultsFolder(root)
    folder.begin(SETTINGS)
    for each in records:
        folder.append(each)
    with folder.lines.open("a") as file:
        file.write(cut)
    folder.close()
    return root


def lines_of(root: Path) -> list[Record]:
    return [json.loads(line) for line in (root / "results.jsonl").read_text().splitlines()]
