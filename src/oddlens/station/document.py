"""station.json and the files in versions/: their form, and what they say in the form of today, whatever format they have."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from oddlens.calibration import Calibration, Rates
from oddlens.errors import UsageError
from oddlens.io.paths import is_closed, matching, read_bytes, why_absent, why_not_opened
from oddlens.io.strict_json import form_fault, parse_json
from oddlens.methods.recipe import make_recipe
from oddlens.methods.registry import method_card
from oddlens.provenance import respelled
from oddlens.station.state import SECTIONS

FORMAT = 5
_EARLIER = (1, 2, 3, 4)

STATION = "station.json"
VERSIONS = "versions"

REFERENCES = "references.safetensors"
"""The features of the references in a station of formats 1 to 4."""

_THRESHOLDS = {"image": (float, None), "pixel": (float, None), "source": (str, None)}
_LISTS = {"sources": [str], "sizes": [[int]], "notes": [(str, None)], "digests": [str], "seal": (str, None)}
_FORM_2 = {
    "method": str,
    "recipe": {},
    "model": {"name": str, "hash": str, "path": (str, None)},
    "weights": ({"file": str, "hash": (str, None)}, None),
    "thresholds": _THRESHOLDS,
    "references": (_LISTS, None),
}
_FORM = {
    "version": {"number": int, "time": str, "verb": str, "what": str},
    "method": str,
    "recipe": {},
    "model": str,
    "model_sha256": str,
    "model_fingerprint": (str, None),
    "preprocessing_sha256": (str, None),
    "weights_sha256": (str, None),
    "object_name": (str, None),
    "image_size": ([int], None),
    "files": {"model": (str, None), "weights": (str, None)},
    "model_files": {},
    "thresholds": _THRESHOLDS,
    "reference_count": int,
    "references": (_LISTS | {"file_sha256": (str, None)}, None),
    "calibration": ({"kind": str, "false_alarm_rate": (float, None), "review_rate": float, "seal": (str, None)}, None),
    "leave_one_out": ({"kind": str, "seal": str}, None),
    **{name: ({}, None) for name in SECTIONS},
}
_NEW_IN_5 = {
    "version": {"number": 1, "time": "", "verb": "save", "what": "written by an earlier version of oddlens"},
    "object_name": None,
    "image_size": None,
    "model_files": {},
    "leave_one_out": None,
    **dict.fromkeys(SECTIONS),
}
"""What formats 1 to 4 do not say."""


Document: TypeAlias = dict[str, Any]
"""A document of the form `_FORM`."""


def read_document(path: Path) -> Document:
    """What station.json or a file in versions/ says, in the form of today; `format` is that of the file.

    Raises `UsageError` where there is none, where it is damaged, or where a later version of oddlens wrote it. Where the station
    has a whole version, the sentence says how to go back to it.
    """
    if is_closed(path):
        raise UsageError(f"{path} {why_absent(path)}")
    try:
        data = read_bytes(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.name == STATION and last_whole_version(path.parent) is not None:
            raise UsageError(f"{path} is missing: {what_to_do(path)}") from error
        raise UsageError(
            f"{path.parent} is not a station (no {path.name} in it): give a folder that was saved as one"
        ) from error
    except OSError as error:
        raise UsageError(f"{path} {why_not_opened(path, error)}") from error
    return parse_document(data, path)


def parse_document(data: bytes, path: Path) -> Document:
    """As `read_document`, of bytes that were read. path: for sentences."""
    try:
        document = parse_json(_decoded(data))
    except ValueError as error:
        raise UsageError(f"{path} is damaged: {what_to_do(path)}") from error
    found = document.get("format") if isinstance(document, dict) else None
    if found not in (*_EARLIER, FORMAT) or isinstance(found, bool):
        instead = "use a later one" if is_later_format(found) else what_to_do(path)
        raise UsageError(f"{path} is of a format that this version of oddlens does not read: {instead}")
    fault = ""
    if found in (1, 2):
        document = _with_checksums(document) if found == 1 else document
        fault = form_fault(document, _FORM_2)
        document = document if fault else _from_format_2(document)
    if found != FORMAT:
        document = (
            {"calibration": None} | document | _NEW_IN_5 | {"reference_count": _count(document.get("references"))}
        )
    if fault := fault or form_fault(document, _FORM) or _fault_of(document):
        raise UsageError(f"{path} is damaged ({fault}): {what_to_do(path)}")
    return dict(document)


def is_later_format(found: object) -> bool:
    """Whether a later version of oddlens has written a document of this format."""
    return isinstance(found, int) and found > FORMAT


def version_path(root: Path, number: int) -> Path:
    """Where a version of a station of format 5 lies."""
    return root / VERSIONS / f"{number:04}.json"


def version_numbers(root: Path) -> list[int]:
    """The numbers of the versions that lie in a station of format 5, also those that are damaged; ascending."""
    stems = (path.stem for path in matching(root, f"{VERSIONS}/[0-9]*.json"))
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def last_whole_version(root: Path) -> int | None:
    """The number of the last version whose file can be read; None where there is none."""
    for number in reversed(version_numbers(root)):
        with suppress(UsageError):
            read_document(version_path(root, number))
            return number
    return None


def what_to_do(path: Path) -> str:
    """What is to be done where station.json, or a file in versions/, cannot be used."""
    if path.name != STATION:
        return "take another version, 'oddlens station versions' lists them"
    number = last_whole_version(path.parent)
    if number is None:
        return "make the station again"
    return f"'oddlens station rollback {path.parent} {number}' goes back to version {number}, the last whole one"


def _count(references: object) -> int:
    sources = references.get("sources") if isinstance(references, dict) else None
    return len(sources) if isinstance(sources, list) else 0


def _decoded(data: bytes) -> str:
    """A text as editors save it: UTF-8, or with a mark at its beginning that says which other form of Unicode it is."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding)
    return data.decode("utf-8")


def _with_checksums(document: Mapping[str, object]) -> dict[str, object]:
    """What format 1 says, in the form of format 2; what it cannot say is None, and what is damaged stays as it is."""
    weights, references = document.get("weights"), document.get("references")
    if isinstance(weights, str):
        weights = {"file": weights, "hash": None}
    if isinstance(references, dict):
        references = {"digests": [], "seal": None, **references}  # a seal counts under any name of the format
    return {**document, "weights": weights, "references": references}


def _from_format_2(document: Mapping[str, Any]) -> dict[str, Any]:
    """What format 2 says, in the form of format 3."""
    weights, references = document["weights"], document["references"]
    return {
        **respelled({"model": document["model"]}),
        **{name: document[name] for name in ("format", "method", "recipe", "thresholds")},
        "model_fingerprint": None,
        "preprocessing_sha256": None,
        "weights_sha256": weights and weights["hash"],
        "files": {"model": document["model"]["path"], "weights": weights and weights["file"]},
        "references": references and {**references, "file_sha256": None},
    }


def _fault_of(document: Document) -> str:
    """What is wrong with a document that has the right form; "" where nothing is."""
    for place in (*document["files"].values(), *document["model_files"]):
        if place is not None and (Path(place).is_absolute() or ".." in Path(place).parts):
            return "it names a file that lies elsewhere"
    if not all(isinstance(digest, str) for digest in document["model_files"].values()):
        return "a checksum of its model's files is no text"
    references, calibration, size = document["references"], document["calibration"], document["image_size"]
    if references is not None:
        counts = {len(references[name]) for name in ("sources", "sizes", "notes")}
        if len(counts) > 1 or len(references["digests"]) not in (0, *counts):
            return "its references have lists of several lengths"
        if not all(len(each) == 2 and min(each) > 0 for each in references["sizes"]):
            return "a size of its references is none"
    if document["reference_count"] != _count(references):
        return f"it has {_count(references)} references, and its reference_count is {document['reference_count']}"
    if document["format"] == FORMAT and references is not None and references["file_sha256"] is None:
        return "its references have no file"
    if size is not None and (len(size) != 2 or min(size) < 1):
        return "its image_size is not [width, height]"
    if document["version"]["number"] < 1:
        return "its version has no number from 1 on"
    if document["object_name"] is not None and not document["object_name"].strip():
        return "its object_name is empty"
    try:
        if form_fault(document["thresholds"].get("review"), (float, None)):
            return "its review threshold is no number"
        make_recipe(method_card(document["method"]).recipe, document["recipe"])
        if calibration is not None and is_rates(calibration):
            rates_of(calibration).check(0 if references is None else len(references["sources"]))
        for each in (calibration, document["leave_one_out"]):
            if each is not None and (each is not calibration or not is_rates(each)):
                Calibration.from_dict(each)
    except UsageError as error:
        return str(error)
    return ""


def is_rates(calibration: Mapping[str, Any]) -> bool:
    """Whether a document names only at which rates the references are held against each other, and no scores."""
    return calibration["kind"] == "leave-one-out" and "scores" not in calibration


def rates_of(calibration: Mapping[str, Any]) -> Rates:
    """The rates of leave-one-out calibrations that a document names."""
    return Rates(false_alarm_rate=calibration["false_alarm_rate"], review_rate=calibration["review_rate"])
