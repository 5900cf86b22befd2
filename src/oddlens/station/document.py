"""station.json and the files in versions/: their form, and what they say in the form of today, whatever format they have."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from difflib import SequenceMatcher
from pathlib import Path
from typing import NotRequired, TypedDict

from oddlens.calibration import Calibration, Rates, is_given
from oddlens.calibration.calibration import CalibrationDocument
from oddlens.detection.thresholds import ThresholdsDocument
from oddlens.errors import UsageError, as_argument, printable, shortened
from oddlens.io.paths import exists, is_closed, is_dir, matching, read_bytes, why_absent, why_not_opened
from oddlens.io.strict_json import checked, parse_json
from oddlens.methods.recipe import filed_recipe
from oddlens.methods.registry import method_card, unknown_method
from oddlens.provenance import respelled
from oddlens.station.state import SECTIONS, SectionDocuments, VersionDocument

FORMAT = 5
_EARLIER = (1, 2, 3, 4)

STATION = "station.json"
_MOST_NEAR = 3
VERSIONS = "versions"

REFERENCES = "references.safetensors"
"""The features of the references in a station of formats 1 to 4."""


class _EarlierReferences(TypedDict):
    """References in formats 1 and 2. sizes: [width, height] of each, in pixels. seal: see `oddlens.station.contents`."""

    sources: list[str]
    sizes: list[list[int]]
    notes: list[str | None]
    digests: list[str]
    seal: str | None


class ReferencesDocument(_EarlierReferences):
    """References. file_sha256: of the file that has their features; None in formats 1 to 3. flagged: see `SavedReferences`."""

    file_sha256: str | None
    flagged: NotRequired[list[str]]


class RatesDocument(TypedDict):
    """The rates of leave-one-out calibrations; and what a whole calibration says besides its `CalibrationDocument`.

    rate_given: only where the rate itself does not show it, see `is_given`.
    """

    kind: str
    false_alarm_rate: float | None
    review_rate: float
    seal: str | None
    rate_given: NotRequired[bool]


class SealedCalibration(CalibrationDocument):
    """A calibration, and a hash of what its scores depend on."""

    seal: str


class MemoryValuesDocument(TypedDict):
    """`StationState.memory_values`: the SHA-256 of their file, and a hash of what they depend on."""

    object_name: str
    arrays_sha256: str
    seal: str


class FilesDocument(TypedDict):
    """Paths from the station's folder."""

    model: str | None
    weights: str | None


class Document(SectionDocuments):
    """station.json, or a file in versions/. image_size: [width, height], in pixels. model_files: by name, their SHA-256.

    calibration: a `SealedCalibration` or a `RatesDocument`, see `rates_of`. in_force: for people; it is not read.
    method_sha256: of the code of a method that is not of oddlens.
    """

    format: int
    version: VersionDocument
    oddlens: NotRequired[object]
    method: str
    recipe: dict[str, object]
    model: str
    model_sha256: str
    model_fingerprint: str | None
    preprocessing_sha256: str | None
    weights_sha256: str | None
    method_sha256: NotRequired[str]
    object_name: str | None
    image_size: list[int] | None
    files: FilesDocument
    model_files: dict[str, str]
    thresholds: ThresholdsDocument
    in_force: NotRequired[object]
    reference_count: int
    references: ReferencesDocument | None
    calibration: dict[str, object] | None
    leave_one_out: SealedCalibration | None
    memory_values: NotRequired[MemoryValuesDocument | None]


class _EarlierModel(TypedDict):
    name: str
    hash: str
    path: str | None


class _EarlierWeights(TypedDict):
    file: str
    hash: str | None


class _Format2(TypedDict):
    """A document of format 2."""

    method: str
    recipe: dict[str, object]
    model: _EarlierModel
    weights: _EarlierWeights | None
    thresholds: ThresholdsDocument
    references: _EarlierReferences | None


_NEW_IN_5: dict[str, object] = {
    "version": {"number": 1, "time": "", "verb": "save", "what": "written by an earlier version of oddlens"},
    "object_name": None,
    "image_size": None,
    "model_files": {},
    "leave_one_out": None,
    **dict.fromkeys(SECTIONS),
}
"""What formats 1 to 4 do not say."""


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
        folder = path.parent
        why = f"no {path.name} in it" if is_dir(folder) else "it is a file" if exists(folder) else "it does not exist"
        raise UsageError(
            f"{folder} is not a station ({why}): give a folder that was saved as one{_near(folder)}"
        ) from error
    except OSError as error:
        raise UsageError(f"{path} {why_not_opened(path, error)}") from error
    return parse_document(data, path)


def parse_document(data: bytes, path: Path) -> Document:
    """As `read_document`, of bytes that were read. path: for sentences."""
    try:
        found = parse_json(data)  # also of an editor that marks which form of Unicode it is
    except ValueError as error:
        raise UsageError(f"{path} is damaged: {what_to_do(path)}") from error
    number = found.get("format") if isinstance(found, dict) else None
    if not isinstance(found, dict) or number not in (*_EARLIER, FORMAT) or isinstance(number, bool):
        instead = "use a later one" if is_later_format(number) else what_to_do(path)
        raise UsageError(f"{path} is of a format that this version of oddlens does not read: {instead}")
    try:
        document = checked(found if number == FORMAT else _in_format_5(found), Document)
        _check_method(document["method"], path)
        if fault := _fault_of(document):
            raise ValueError(fault)
    except ValueError as error:
        raise UsageError(f"{path} is damaged ({error}): {what_to_do(path)}") from error
    return document


def _check_method(name: str, path: Path) -> None:
    """Raise `UsageError` where nothing here brings the method of a station. path: of what names it, for the sentence."""
    if (missing := unknown_method(name)) is not None:
        raise UsageError(
            f"{path} names the method {shortened(missing)}, which nothing here brings: install its package, and the station opens"
        )


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


def _near(folder: Path) -> str:
    """The stations that may have been meant: those in the folder, or beside it where there is none of its name."""
    place = folder if is_dir(folder) else folder.parent
    found = [each.parent for each in matching(place, f"*/{STATION}")]
    found.sort(key=lambda each: -SequenceMatcher(None, each.name, folder.name).ratio())
    shown = [printable(str(each)) for each in found[:_MOST_NEAR]]
    return f", such as {' or '.join(shown)}" if shown else ""


def what_to_do(path: Path) -> str:
    """What is to be done where station.json, or a file in versions/, cannot be used."""
    if path.name != STATION:
        return "take another version, 'oddlens station versions' lists them"
    number = last_whole_version(path.parent)
    if number is None:
        return "make the station again"
    return f"'oddlens station rollback {as_argument(path.parent)} {number}' goes back to version {number}, the last whole one"


def _count(references: object) -> int:
    sources = references.get("sources") if isinstance(references, dict) else None
    return len(sources) if isinstance(sources, list) else 0


def _in_format_5(document: Mapping[str, object]) -> dict[str, object]:
    """What formats 1 to 4 say, in the form of format 5. Raises `ValueError` for a document of format 1 or 2 that is damaged."""
    if document["format"] == 1:
        document = _with_checksums(document)
    if document["format"] in (1, 2):
        document = _from_format_2(document)
    return {"calibration": None, **document, **_NEW_IN_5, "reference_count": _count(document.get("references"))}


def _with_checksums(document: Mapping[str, object]) -> dict[str, object]:
    """What format 1 says, in the form of format 2; what it cannot say is None, and what is damaged stays as it is."""
    weights, references = document.get("weights"), document.get("references")
    if isinstance(weights, str):
        weights = {"file": weights, "hash": None}
    if isinstance(references, dict):
        references = {"digests": [], "seal": None, **references}  # a seal counts under any name of the format
    return {**document, "weights": weights, "references": references}


def _from_format_2(document: Mapping[str, object]) -> dict[str, object]:
    """What format 2 says, in the form of format 3. Raises `ValueError` where it is damaged."""
    found = checked(document, _Format2)
    weights, references = found["weights"], found["references"]
    return {
        **respelled({"model": found["model"]}),
        **{name: document[name] for name in ("format", "method", "recipe", "thresholds")},
        "model_fingerprint": None,
        "preprocessing_sha256": None,
        "weights_sha256": weights and weights["hash"],
        "files": {"model": found["model"]["path"], "weights": weights and weights["file"]},
        "references": references and {**references, "file_sha256": None},
    }


def _fault_of(document: Document) -> str:
    """What is wrong with a document that has the right form; "" where nothing is."""
    for place in (document["files"]["model"], document["files"]["weights"], *document["model_files"]):
        if place is not None and (Path(place).is_absolute() or ".." in Path(place).parts):
            return "it names a file that lies elsewhere"
    references, calibration, size = document["references"], document["calibration"], document["image_size"]
    if references is not None:
        counts = {len(references["sources"]), len(references["sizes"]), len(references["notes"])}
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
        filed_recipe(method_card(document["method"]).recipe, document["recipe"])
        if calibration is not None:
            rates = rates_of(calibration, count := _count(references))
            if rates is None:
                Calibration.from_dict(calibration)
            else:
                rates.check(count)
        if document["leave_one_out"] is not None:
            Calibration.from_dict(document["leave_one_out"])
    except UsageError as error:
        return str(error)
    return ""


def rates_document(rates: Rates, count: int) -> RatesDocument:
    """What `rates_of` reads. count: of references."""
    rate = rates.false_alarm_rate
    document: RatesDocument = {
        "kind": "leave-one-out",
        "false_alarm_rate": rate,
        "review_rate": rates.review_rate,
        "seal": None,
    }
    return document if rate is None or is_given(rate, count) else {**document, "rate_given": True}


def rates_of(calibration: Mapping[str, object], count: int) -> Rates | None:
    """The rates of leave-one-out calibrations, where a document names only them and no scores; else None.

    count: of references. Earlier versions did not say who gave a rate: one that is usual for so many images follows their number.

    Raises `ValueError` where it is neither a `RatesDocument` nor a `SealedCalibration`.
    """
    found = checked(calibration, RatesDocument, "calibration")
    if found["kind"] != "leave-one-out" or "scores" in calibration:
        return None
    rate = found["false_alarm_rate"]
    is_kept = rate is not None and found.get("rate_given", is_given(rate, count))
    return Rates(false_alarm_rate=rate if is_kept else None, review_rate=found["review_rate"])
