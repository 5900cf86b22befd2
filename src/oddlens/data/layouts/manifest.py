"""Our own manifest (`data/manifest.py`): a .jsonl or .csv file, or a folder with a manifest.jsonl or manifest.csv."""

from pathlib import Path

from oddlens.data.layouts.base import Layout
from oddlens.data.manifest import SUFFIXES, read_manifest
from oddlens.data.problem import Problem
from oddlens.data.record import Record
from oddlens.io.paths import is_file


def _file(root: Path) -> Path | None:
    candidates = [root, *(root / f"manifest{suffix}" for suffix in SUFFIXES)]
    return next((file for file in candidates if file.suffix in SUFFIXES and is_file(file)), None)


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    return read_manifest(_file(root) or root, problems)


LAYOUT = Layout("manifest", "manifest.jsonl or manifest.csv", lambda root: _file(root) is not None, _read)
