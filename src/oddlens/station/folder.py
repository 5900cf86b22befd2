"""Stations on disk: what a detector is, as plain values and arrays, in a folder with everything needed to detect again.

    STATION/station.json              what made the detections (`provenance.Identity`), the files, the thresholds, the references
    STATION/references.safetensors    features of the good examples, where there are some
    STATION/model/                    the model's files, unless it is the packaged one
    STATION/weights.*                 the learned part of the method, where there is one

This module needs no torch and knows no detector: `Detector.save` fills a `StationState`, `oddlens.open_station` makes a detector of
one. Formats 1 to 3 of earlier versions are read too: 1 has no checksums of weights and references, 1 and 2 nest the model. None of
them says how thresholds were calibrated: they are made anew of the references, by the rule of today, and only those given by hand
stay as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict, cast

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from oddlens.calibration import Calibration, Rates
from oddlens.detection import Thresholds
from oddlens.errors import ModelError, UsageError, printable
from oddlens.io.atomic import replacing, write_bytes, write_text
from oddlens.io.paths import is_closed, is_dir, is_file, matching, read_bytes, why_absent, why_not_opened
from oddlens.io.strict_json import form_fault, parse_json
from oddlens.methods.recipe import held_fields, make_recipe
from oddlens.methods.registry import method_card
from oddlens.provenance import Identity, ModelIdentity, respelled
from oddlens.station.state import SavedReferences, StationState

FORMAT = 4

REFERENCES = "references.safetensors"
_FILE, _MODEL = "station.json", "model"
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
    "method": str,
    "recipe": {},
    "model": str,
    "model_sha256": str,
    "model_fingerprint": (str, None),
    "preprocessing_sha256": (str, None),
    "weights_sha256": (str, None),
    "files": {"model": (str, None), "weights": (str, None)},
    "thresholds": _THRESHOLDS,
    "references": (_LISTS | {"file_sha256": (str, None)}, None),
    "calibration": ({"kind": str, "false_alarm_rate": (float, None), "review_rate": float, "seal": (str, None)}, None),
}


class _Lists(TypedDict):
    """What station.json says of references."""

    sources: list[str]
    sizes: list[list[int]]
    notes: list[str | None]
    digests: list[str]
    file_sha256: str | None
    seal: str | None


class _Document(TypedDict):
    """What station.json says, of the form `_FORM`."""

    method: str
    recipe: dict[str, object]
    model: str
    model_sha256: str
    model_fingerprint: str | None
    preprocessing_sha256: str | None
    weights_sha256: str | None
    files: dict[str, str | None]
    thresholds: dict[str, Any]
    references: _Lists | None
    calibration: dict[str, Any] | None


def write_station(state: StationState, folder: str | os.PathLike[str]) -> None:
    """Write a station, in the place of an earlier one. The model's files are linked where the file system can, else copied.

    Raises `UsageError` for a folder that holds something else, `OddlensError` where the disk takes no more.
    """
    root = Path(folder)
    _refuse_other_files(root)
    files, references = state.model_files, state.references
    weights = None if state.weights is None else "weights" + state.weights.suffix
    _clear(root, {*(f"{_MODEL}/{path.name}" for path in files), weights, REFERENCES if references else None})
    for path in files:
        _link_or_copy(path, root / _MODEL / path.name)
    if state.weights is not None and weights is not None:
        _link_or_copy(state.weights, root / weights)
    document: dict[str, object] = {
        "format": FORMAT,
        **state.identity.part("oddlens", "method", "recipe", "model", "model_sha256", "model_fingerprint"),
        **state.identity.part("preprocessing_sha256", "weights_sha256"),
        "files": {"model": _model_path(files), "weights": weights},
        "thresholds": state.thresholds.to_dict(),
        "references": None,
        "calibration": None,
    }
    digest = None
    if references is not None:
        data = save({name: np.ascontiguousarray(value) for name, value in references.features.items()})
        write_bytes(root / REFERENCES, data)
        digest = hashlib.sha256(data).hexdigest()
        document["references"] = {
            "sources": references.sources,
            "sizes": references.sizes,
            "notes": references.notes,
            "digests": references.digests,
            "file_sha256": digest,
            "seal": _seal(state.identity, data),
        }
    if isinstance(state.calibration, Calibration):
        document["calibration"] = state.calibration.to_dict() | {"seal": _calibration_seal(state.identity, digest)}
    elif state.calibration is not None:
        document["calibration"] = {"kind": "leave-one-out", **asdict(state.calibration), "seal": None}
    write_text(root / _FILE, json.dumps(document, indent=2) + "\n")  # last: a station without it is not one


def read_station(folder: str | os.PathLike[str]) -> StationState:
    """What a station says, checked as far as it can be without its model.

    Raises `UsageError` where there is none or station.json is damaged, `ModelError` where the references are missing, damaged, or
    others.
    """
    root = Path(folder)
    document = _read(root / _FILE)
    model, weights = document["files"]["model"], document["files"]["weights"]
    thresholds, references = document["thresholds"], document["references"]
    identity = Identity(
        method=document["method"],
        recipe=document["recipe"],
        model=ModelIdentity(
            name=document["model"],
            sha256=document["model_sha256"],
            fingerprint=document["model_fingerprint"] or "",
        ),
        preprocessing_sha256=document["preprocessing_sha256"],
        weights_sha256=document["weights_sha256"],
    )
    if references is None and is_file(root / REFERENCES):
        raise ModelError(f"{root / _FILE} knows nothing of {REFERENCES} beside it: make the station again")
    return StationState(
        identity=identity,
        model=None if model is None else root / model,
        weights=None if weights is None else root / weights,
        thresholds=Thresholds(thresholds["image"], thresholds["pixel"], thresholds["source"], thresholds.get("review")),
        references=None if references is None else _read_references(root, identity, references),
        calibration=_read_calibration(root, identity, document),
        is_sealed=references is None or references["seal"] is not None,
    )


def _seal(identity: Identity, data: bytes) -> str:
    """A hash of the references' file and of all that their features depend on but the images themselves."""
    recipe = make_recipe(method_card(identity.method).recipe, identity.recipe)
    made_of = [identity.method, identity.model.sha256, held_fields(recipe)]
    return hashlib.sha256(json.dumps(made_of).encode() + data).hexdigest()


def _calibration_seal(identity: Identity, references_sha256: str | None) -> str:
    """A hash of all that the scores of calibration images depend on but the images themselves."""
    made_of = [identity.method, identity.model.sha256, identity.weights_sha256, identity.recipe, references_sha256]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def _read_calibration(root: Path, identity: Identity, document: _Document) -> Calibration | Rates | None:
    found, references = document["calibration"], document["references"]
    if found is None:
        return None
    if found["kind"] == "leave-one-out":
        return Rates(false_alarm_rate=found["false_alarm_rate"], review_rate=found["review_rate"])
    if found["seal"] != _calibration_seal(identity, None if references is None else references["file_sha256"]):
        raise ModelError(
            f"{root / _FILE} was edited: its thresholds were calibrated with another method, model, recipe or references than it "
            "names; make the station again"
        )
    return Calibration.from_dict(found)


def _read_references(root: Path, identity: Identity, references: _Lists) -> SavedReferences:
    path = root / REFERENCES
    try:
        data = read_bytes(path)
    except OSError as error:
        raise ModelError(f"{path} is missing or damaged: make the station again") from error
    seal, digest = references["seal"], references["file_sha256"]
    if digest is not None and digest != hashlib.sha256(data).hexdigest():
        raise ModelError(f"{path} is damaged, or not the file that {_FILE} names: make the station again")
    if seal is not None and seal != _seal(identity, data):
        whose = f"{root / _FILE} was edited" if digest else f"{path} is damaged, or {_FILE} was edited"
        raise ModelError(
            f"{whose}: the references were made with another method, model or recipe than it names; make the station again"
        )
    try:
        features = load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{path} is damaged (it is no safetensors file): make the station again") from error
    return SavedReferences(
        features=features,
        sources=tuple(references["sources"]),
        sizes=tuple((width, height) for width, height in references["sizes"]),
        notes=tuple(references["notes"]),
        digests=tuple(references["digests"]),
    )


def _model_path(files: tuple[Path, ...]) -> str | None:
    """Where the model lies in the station, as `load` takes it: the folder, or the one file of OpenAI's layout."""
    if not files:
        return None
    return f"{_MODEL}/{files[0].name}" if len(files) == 1 else _MODEL


def _read(path: Path) -> _Document:
    """What station.json says, in the names of today."""
    if is_closed(path):
        raise UsageError(f"{path} {why_absent(path)}")
    try:
        data = read_bytes(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(
            f"{path.parent} is not a station (no {path.name} in it): give a folder that was saved as one"
        ) from error
    except OSError as error:
        raise UsageError(f"{path} {why_not_opened(path, error)}") from error
    try:
        document = parse_json(_decoded(data))
    except ValueError as error:
        raise UsageError(f"{path} is damaged: make the station again") from error
    found = document.get("format") if isinstance(document, dict) else None
    if found not in (1, 2, 3, FORMAT) or isinstance(found, bool):
        raise UsageError(f"{path} is of a format that this version of oddlens does not read: make the station again")
    fault = ""
    if found in (1, 2):
        document = _with_checksums(document) if found == 1 else document
        fault = form_fault(document, _FORM_2)
        document = document if fault else _from_format_2(document)
    if found != FORMAT:
        document = {"calibration": None} | document
    if fault := fault or form_fault(document, _FORM) or _fault_of(document):
        raise UsageError(f"{path} is damaged ({fault}): make the station again")
    return cast("_Document", document)


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
    """What format 2 says, in the form of today."""
    weights, references = document["weights"], document["references"]
    return {
        **respelled({"model": document["model"]}),
        **{name: document[name] for name in ("method", "recipe", "thresholds")},
        "model_fingerprint": None,
        "preprocessing_sha256": None,
        "weights_sha256": weights and weights["hash"],
        "files": {"model": document["model"]["path"], "weights": weights and weights["file"]},
        "references": references and {**references, "file_sha256": None},
    }


def _fault_of(document: _Document) -> str:
    """What is wrong with a document that has the right form; "" where nothing is."""
    for place in document["files"].values():
        if place is not None and (Path(place).is_absolute() or ".." in Path(place).parts):
            return "it names a file that lies elsewhere"
    references = document["references"]
    if references is not None:
        counts = {len(references[name]) for name in ("sources", "sizes", "notes")}
        if len(counts) > 1 or len(references["digests"]) not in (0, *counts):
            return "its references have lists of several lengths"
        if not all(len(size) == 2 and min(size) > 0 for size in references["sizes"]):
            return "a size of its references is none"
    try:
        if form_fault(document["thresholds"].get("review"), (float, None)):
            return "its review threshold is no number"
        make_recipe(method_card(document["method"]).recipe, document["recipe"])
        if document["calibration"] is not None and document["calibration"]["kind"] != "leave-one-out":
            Calibration.from_dict(document["calibration"])
        elif document["calibration"] is not None:
            count = 0 if references is None else len(references["sources"])
            Rates(
                false_alarm_rate=document["calibration"]["false_alarm_rate"],
                review_rate=document["calibration"]["review_rate"],
            ).check(count)
    except UsageError as error:
        return str(error)
    return ""


def _refuse_other_files(root: Path) -> None:
    """Raise `UsageError` for a folder that holds something and no station. What a stopped `write_station` left may lie there."""
    if is_file(root / _FILE):
        return
    other = next((path for path in _visible(root) if not _is_ours(path)), None)
    if other is not None:
        raise UsageError(
            f"{printable(str(root))} is no station and holds other files ({printable(other.name)}): give an empty or a new folder"
        )


def _visible(root: Path) -> Iterator[Path]:
    return (path for path in matching(root, "*") if not path.name.startswith("."))


def _is_ours(path: Path) -> bool:
    return path.name == REFERENCES or path.stem == "weights" or (path.name == _MODEL and is_dir(path))


def _clear(root: Path, wanted: set[str | None]) -> None:
    """Take away what an earlier station in this folder holds and the new one does not: its model would be mistaken for ours."""
    if is_file(root / _FILE):
        for path in [*matching(root, f"{_MODEL}/*"), *matching(root, "weights.*"), root / REFERENCES]:
            if is_file(path) and path.relative_to(root).as_posix() not in wanted:
                path.unlink()


def _link_or_copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        try:
            os.link(source.resolve(), temporary)
        except OSError:
            shutil.copyfile(source, temporary)
