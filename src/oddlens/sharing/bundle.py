"""What is shared: a folder whose oddlens.json names its files with their SHA-256, and whose README.md says what made them.

Only files in safe forms are shared and taken: nothing that a program would have to unpickle.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypedDict

from oddlens import __version__
from oddlens.errors import ModelError, UsageError, printable
from oddlens.io.atomic import write_text
from oddlens.io.hashes import file_hash
from oddlens.io.paths import is_file, is_link, read_bytes
from oddlens.io.strict_json import checked, parse_json

NAME, CARD = "oddlens.json", "README.md"
FORMAT = 1

Kind = Literal["weights", "station"]
KINDS: Mapping[str, str] = {"weights": "learned weights", "station": "a station"}
"""What is shared, in words; the verbs of the command line are called the same."""

_SAFE = frozenset({".safetensors", ".json", ".txt", ".onnx"})
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


class FileEntry(TypedDict):
    """A file of a bundle."""

    sha256: str
    bytes: int


class BundleDocument(TypedDict):
    """oddlens.json. kind: one of `Kind`. identity: what made it, see `provenance.Identity`, or the training's provenance."""

    format: int
    kind: str
    oddlens: str
    identity: dict[str, object]
    files: dict[str, FileEntry]


def write_bundle(folder: Path, kind: Kind, identity: Mapping[str, object]) -> BundleDocument:
    """Write oddlens.json of the files that lie in a folder; hidden files do not count.

    Raises:
        UsageError: A file has a form that nobody should have to trust.
    """
    files: dict[str, FileEntry] = {}
    for path in sorted(Path(place, name) for place, _, names in os.walk(folder) for name in names):
        name = path.relative_to(folder).as_posix()
        if is_file(path) and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            if path.suffix not in _SAFE:
                raise UsageError(
                    f"{printable(name)} is not shared: only safetensors, JSON and graphs are, which need no trust; make it of "
                    "a model and weights in these forms"
                )
            files[name] = {"sha256": file_hash(path), "bytes": path.stat().st_size}
    document: BundleDocument = {
        "format": FORMAT,
        "kind": kind,
        "oddlens": __version__,
        "identity": dict(identity),
        "files": files,
    }
    write_text(folder / NAME, json.dumps(document, indent=2) + "\n")
    return document


def read_bundle(folder: Path, kind: Kind, shown: str) -> BundleDocument:
    """What oddlens.json in a folder says; no other file is looked at. shown: where it comes from, for sentences.

    Raises:
        UsageError: It is of another kind, or of a later version.
        ModelError: It is missing or damaged, or names files that may not be taken.
    """
    try:
        document = checked(parse_json(read_bytes(folder / NAME)), BundleDocument)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{shown} holds nothing that oddlens shares: its {NAME} is missing or damaged; give what "
            f"'oddlens {kind} push' made"
        ) from error
    if document["format"] > FORMAT:
        raise UsageError(
            f"{shown} was pushed by a later version of oddlens ({printable(document['oddlens'])}): update oddlens"
        )
    if document["kind"] != kind:
        there = KINDS.get(document["kind"], "something else")
        other = f": pull it with 'oddlens {document['kind']} pull'" if document["kind"] in KINDS else ""
        raise UsageError(f"{shown} holds {there}, and not {KINDS[kind]}{other}")
    for name in document["files"]:
        if _FILE.fullmatch(name) is None or Path(name).suffix not in _SAFE or name == NAME:
            raise ModelError(
                f"{shown} names the file {printable(name)}, which is not taken: it may not be what it says it is"
            )
    return document


def check_files(folder: Path, document: BundleDocument, shown: str) -> None:
    """Raise `ModelError` where a file is missing, or is not the one that the document names."""
    for name, entry in document["files"].items():
        path = folder / name
        if not is_file(path) or is_link(path):
            raise ModelError(f"{shown} lacks {name}, which its {NAME} names: push it again")
        if path.stat().st_size != entry["bytes"] or file_hash(path) != entry["sha256"]:
            raise ModelError(f"{name} of {shown} is damaged, or not the file that its {NAME} names: push it again")
