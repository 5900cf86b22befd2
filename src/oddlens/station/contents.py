"""What a station says as a document and back, with checksums of what its numbers depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from oddlens.calibration import Calibration, Rates
from oddlens.detection import Thresholds
from oddlens.errors import ModelError, UsageError, check_name, printable
from oddlens.io.paths import is_dir, is_file, matching
from oddlens.methods.recipe import held_fields, make_recipe
from oddlens.methods.registry import method_card
from oddlens.provenance import Identity, ModelIdentity
from oddlens.station import files
from oddlens.station.document import FORMAT, REFERENCES, STATION, Document, is_rates, rates_of, what_to_do
from oddlens.station.state import SEALED, SECTIONS, SavedReferences, SectionValue, StationState, Version

_ARRAYS = "arrays_sha256"


def to_document(state: StationState, version: Version, root: Path) -> Document:
    """The document of a version. What it names is copied into the station.

    Raises `OddlensError` where that cannot be written, `ModelError` for weights that changed since they were loaded.
    """
    identity, references = state.identity, state.references
    if state.object_name is not None:
        check_name("the object name", state.object_name)
    model, model_files = files.store_model(root, state.model_files)
    weights = None if state.weights is None else files.store_file(root, state.weights)
    if weights is not None and identity.weights_sha256 not in (None, Path(weights).stem):
        raise ModelError(f"{printable(str(state.weights))} is not the file any more that was loaded: load it again")
    document: Document = {
        "format": FORMAT,
        "version": asdict(version),
        **identity.part("oddlens", "method", "recipe", "model", "model_sha256", "model_fingerprint"),
        **identity.part("preprocessing_sha256", "weights_sha256"),
        "object_name": state.object_name,
        "image_size": state.image_size,
        "files": {"model": model, "weights": weights},
        "model_files": model_files,
        "thresholds": state.thresholds.to_dict(),
        "in_force": state.thresholds_in_force.to_dict(),
        "reference_count": 0 if references is None else len(references.sources),
        "references": None,
        "calibration": None,
        "leave_one_out": None,
        **{name: _section_document(root, getattr(state, name)) for name in SECTIONS},
    }
    digest = None
    if references is not None:
        digest, data = files.store_arrays(root, references.features)
        document["references"] = {
            "sources": references.sources,
            "sizes": references.sizes,
            "notes": references.notes,
            "digests": references.digests,
            "file_sha256": digest,
            "seal": _seal(identity, document, data),
        }
    seal = {"seal": _calibration_seal(identity, document, digest)}
    if isinstance(state.calibration, Calibration):
        document["calibration"] = state.calibration.to_dict() | seal
    elif state.calibration is not None:
        document["calibration"] = {"kind": "leave-one-out", **asdict(state.calibration), "seal": None}
    if state.leave_one_out is not None:
        document["leave_one_out"] = state.leave_one_out.to_dict() | seal
    return document


def to_state(document: Document, root: Path) -> StationState:
    """What a document says. Raises `ModelError` where a file that it names is missing, damaged, or another one."""
    place, weights, references = document["files"]["model"], document["files"]["weights"], document["references"]
    model = None if place is None else root / place
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
    if document["format"] != FORMAT:
        members = () if model is None else tuple(filter(is_file, matching(model, "*"))) if is_dir(model) else (model,)
        if references is None and is_file(root / REFERENCES):
            raise ModelError(f"{root / STATION} knows nothing of {REFERENCES} beside it: make the station again")
    else:
        home = model if model is None or model.name == files.MODEL else model.parent
        digests = {} if home is None else {home / name: digest for name, digest in document["model_files"].items()}
        digests |= {} if weights is None else {root / weights: Path(weights).stem}
        for path, digest in digests.items():
            files.check_file(path, digest)
        members = tuple(digests)[: len(document["model_files"])]
    thresholds = document["thresholds"]
    size = document["image_size"]
    sections = {name: _section(root, name, document) for name in SECTIONS}
    return StationState(
        identity=identity,
        model=model,
        model_files=members,
        weights=None if weights is None else root / weights,
        thresholds=Thresholds(thresholds["image"], thresholds["pixel"], thresholds["source"], thresholds.get("review")),
        references=None if references is None else _read_references(root, identity, document),
        calibration=_read_calibration(root, identity, document),
        leave_one_out=_read_leave_one_out(identity, document),
        object_name=document["object_name"],
        image_size=None if size is None else (size[0], size[1]),
        version=Version.from_dict(document["version"]),
        is_sealed=references is None or references["seal"] is not None,
        **sections,
    )


def _section_document(root: Path, value: SectionValue) -> dict[str, Any] | None:
    """A section as JSON values, its arrays in a file of the station."""
    if value is None:
        return None
    plain = dict(value) if isinstance(value, Mapping) else value.to_dict()
    arrays = {name: each for name, each in plain.items() if isinstance(each, np.ndarray)}
    document = {name: each for name, each in plain.items() if name not in arrays}
    return document | {_ARRAYS: files.store_arrays(root, arrays)[0]} if arrays else document


def _section(root: Path, name: str, document: Document) -> Any:
    """The section of a document that `_section_document` made."""
    found = document[name]
    if found is None:
        return None
    plain = {key: each for key, each in found.items() if key != _ARRAYS}
    if (digest := found.get(_ARRAYS)) is not None:
        path = root / files.arrays_place(str(digest))
        plain |= files.read_arrays(files.read_checked(path, str(digest)), path)
    made = SECTIONS[name]
    try:
        return plain if made is None else made(plain)
    except UsageError as error:
        raise UsageError(f"{root / STATION} is damaged ({error}): {what_to_do(root / STATION)}") from error


def _sealed_sections(document: Document, names: Sequence[str] = SEALED) -> list[object]:
    return [[name, document[name]] for name in names if document[name] is not None]


def _seal(identity: Identity, document: Document, data: bytes) -> str:
    """A hash of the references' file and of all that their features depend on but the images themselves."""
    recipe = make_recipe(method_card(identity.method).recipe, identity.recipe)
    made_of = [
        identity.method,
        identity.model.sha256,
        held_fields(recipe),
        *_sealed_sections(document, ["preparation"]),
    ]
    return hashlib.sha256(json.dumps(made_of).encode() + data).hexdigest()


def _calibration_seal(identity: Identity, document: Document, references_sha256: str | None) -> str:
    """A hash of all that the scores of calibration images depend on but the images themselves."""
    made_of = [identity.method, identity.model.sha256, identity.weights_sha256, identity.recipe, references_sha256]
    return hashlib.sha256(json.dumps([*made_of, *_sealed_sections(document)], sort_keys=True).encode()).hexdigest()


def _seal_found(identity: Identity, document: Document) -> str:
    references = document["references"]
    return _calibration_seal(identity, document, None if references is None else references["file_sha256"])


def _read_calibration(root: Path, identity: Identity, document: Document) -> Calibration | Rates | None:
    found = document["calibration"]
    if found is None:
        return None
    if is_rates(found):
        return rates_of(found)
    if found["seal"] != _seal_found(identity, document):
        raise ModelError(
            f"{root / STATION} was edited: its thresholds were calibrated with another method, model, recipe or references than it "
            f"names; {what_to_do(root / STATION)}"
        )
    return Calibration.from_dict(found)


def _read_leave_one_out(identity: Identity, document: Document) -> Calibration | None:
    """None where it does not hold any more: it is made anew when the station is opened."""
    found, calibration = document["leave_one_out"], document["calibration"]
    is_in_force = calibration is None or is_rates(calibration)
    if found is None or not is_in_force or found["object_name"] != document["object_name"]:
        return None
    return Calibration.from_dict(found) if found["seal"] == _seal_found(identity, document) else None


def _read_references(root: Path, identity: Identity, document: Document) -> SavedReferences:
    references = document["references"]
    assert references is not None
    seal, digest = references["seal"], references["file_sha256"]
    path = root / (files.arrays_place(str(digest)) if document["format"] == FORMAT else REFERENCES)
    data = files.read_checked(path, digest)
    if seal is not None and seal != _seal(identity, document, data):
        whose = f"{root / STATION} was edited" if digest else f"{path} is damaged, or {STATION} was edited"
        raise ModelError(
            f"{whose}: the references were made with another method, model or recipe than it names; {what_to_do(root / STATION)}"
        )
    return SavedReferences(
        features=files.read_arrays(data, path),
        sources=tuple(references["sources"]),
        sizes=tuple((width, height) for width, height in references["sizes"]),
        notes=tuple(references["notes"]),
        digests=tuple(references["digests"]),
    )
