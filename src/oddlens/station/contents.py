"""What a station says as a document and back, with checksums of what its numbers depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from oddlens import __version__
from oddlens.calibration import Accepted, Calibration, Rates, Readiness, Scene
from oddlens.detection import Marking, RegionOfInterest, Thresholds
from oddlens.errors import ModelError, UsageError, check_name, printable
from oddlens.io.paths import is_dir, is_file, matching
from oddlens.io.preparation import Preparation
from oddlens.methods.recipe import filed_recipe, held_fields
from oddlens.methods.registry import method_card
from oddlens.provenance import Identity, ModelIdentity
from oddlens.station import files
from oddlens.station.defects import Defects
from oddlens.station.document import (
    FORMAT,
    REFERENCES,
    STATION,
    Document,
    ReferencesDocument,
    SealedCalibration,
    rates_document,
    rates_of,
    what_to_do,
)
from oddlens.station.state import SEALED, SavedReferences, SealedSection, Section, StationState, Version

_ARRAYS = "arrays_sha256"
_Section = TypeVar("_Section")


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
        "version": version.to_dict(),
        "oddlens": __version__,
        "method": identity.method,
        "recipe": dict(identity.recipe),
        "model": identity.model.name,
        "model_sha256": identity.model.sha256,
        "model_fingerprint": identity.model.fingerprint,
        "preprocessing_sha256": identity.preprocessing_sha256,
        "weights_sha256": identity.weights_sha256,
        "object_name": state.object_name,
        "image_size": None if state.image_size is None else list(state.image_size),
        "files": {"model": model, "weights": weights},
        "model_files": model_files,
        "thresholds": state.thresholds.to_dict(),
        "in_force": state.thresholds_in_force.to_dict(),
        "reference_count": 0 if references is None else len(references.sources),
        "references": None,
        "calibration": None,
        "leave_one_out": None,
        "memory_values": None,
        "roi": _section_document(root, state.roi),
        "marking": _section_document(root, state.marking),
        "preparation": _section_document(root, state.preparation),
        "scene": _section_document(root, state.scene),
        "state": _section_document(root, state.state),
        "defects": _section_document(root, state.defects),
        "accepted": _section_document(root, state.accepted),
    }
    if identity.method_sha256 is not None:
        document["method_sha256"] = identity.method_sha256
    digest = None
    if references is not None:
        digest, data = files.store_arrays(root, references.features)
        found: ReferencesDocument = {
            "sources": list(references.sources),
            "sizes": [list(size) for size in references.sizes],
            "notes": list(references.notes),
            "digests": list(references.digests),
            "file_sha256": digest,
            "seal": _seal(identity, document, data),
        }
        if references.flagged is not None:
            found["flagged"] = list(references.flagged)
        document["references"] = found
    seal = _calibration_seal(identity, document, digest)
    if isinstance(state.calibration, Calibration):
        document["calibration"] = dict(_sealed(state.calibration, seal))
    elif state.calibration is not None:
        document["calibration"] = dict(rates_document(state.calibration, document["reference_count"]))
    if state.leave_one_out is not None:
        document["leave_one_out"] = _sealed(state.leave_one_out, seal)
        if state.memory_values:
            document["memory_values"] = {
                "object_name": state.leave_one_out.object_name,
                "arrays_sha256": files.store_arrays(root, state.memory_values)[0],
                "seal": seal,
            }
    return document


def _sealed(calibration: Calibration, seal: str) -> SealedCalibration:
    return {**calibration.to_dict(), "seal": seal}


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
        method_sha256=document.get("method_sha256"),
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
    return StationState(
        identity=identity,
        roi=_section(root, document["roi"], RegionOfInterest.from_dict),
        marking=_section(root, document["marking"], Marking.from_dict),
        preparation=_section(root, document["preparation"], Preparation.from_dict),
        scene=_section(root, document["scene"], Scene.from_dict),
        state=_section(root, document["state"], Readiness.from_dict),
        defects=_section(root, document["defects"], Defects.from_dict),
        accepted=_section(root, document["accepted"], Accepted.from_dict),
        model=model,
        model_files=members,
        weights=None if weights is None else root / weights,
        thresholds=Thresholds(thresholds["image"], thresholds["pixel"], thresholds["source"], thresholds.get("review")),
        references=None if references is None else _read_references(root, identity, document),
        calibration=_read_calibration(root, identity, document),
        leave_one_out=_read_leave_one_out(identity, document),
        memory_values=_read_memory_values(root, identity, document),
        object_name=document["object_name"],
        image_size=None if size is None else (size[0], size[1]),
        version=Version.from_dict(document["version"]),
        is_sealed=references is None or references["seal"] is not None,
    )


def _section_document(root: Path, section: Section | None) -> dict[str, object] | None:
    """A section as JSON values, its arrays in a file of the station."""
    if section is None:
        return None
    plain = section.to_dict()
    arrays = {name: each for name, each in plain.items() if isinstance(each, np.ndarray)}
    document = {name: each for name, each in plain.items() if name not in arrays}
    return document | {_ARRAYS: files.store_arrays(root, arrays)[0]} if arrays else document


def _section(
    root: Path, found: Mapping[str, object] | None, made: Callable[[dict[str, object]], _Section]
) -> _Section | None:
    """The section that `_section_document` made a document of. made: its `from_dict`."""
    if found is None:
        return None
    plain = {key: each for key, each in found.items() if key != _ARRAYS}
    if (digest := found.get(_ARRAYS)) is not None:
        path = root / files.arrays_place(str(digest))
        plain |= files.read_arrays(files.read_checked(path, str(digest)), path)
    try:
        return made(plain)
    except UsageError as error:
        raise UsageError(f"{root / STATION} is damaged ({error}): {what_to_do(root / STATION)}") from error


def _sealed_sections(document: Document, names: Sequence[SealedSection] = SEALED) -> list[object]:
    return [[name, document[name]] for name in names if document[name] is not None]


def _seal(identity: Identity, document: Document, data: bytes) -> str:
    """A hash of the references' file and of all that their features depend on but the images themselves."""
    recipe = filed_recipe(method_card(identity.method).recipe, identity.recipe)
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
    if (rates := rates_of(found, document["reference_count"])) is not None:
        return rates
    if found["seal"] != _seal_found(identity, document):
        raise ModelError(
            f"{root / STATION} was edited: its thresholds were calibrated with another method, model, recipe or references than it "
            f"names; {what_to_do(root / STATION)}"
        )
    return Calibration.from_dict(found)


def _read_leave_one_out(identity: Identity, document: Document) -> Calibration | None:
    """None where it does not hold any more: it is made anew when the station is opened."""
    found = document["leave_one_out"]
    if found is None or found["object_name"] != document["object_name"]:
        return None
    return Calibration.from_dict(found) if found["seal"] == _seal_found(identity, document) else None


def _read_memory_values(root: Path, identity: Identity, document: Document) -> dict[str, NDArray[np.generic]] | None:
    """As `_read_leave_one_out`."""
    found = document.get("memory_values")
    if found is None or found["object_name"] != document["object_name"]:
        return None
    if found["seal"] != _seal_found(identity, document):
        return None
    path = root / files.arrays_place(found["arrays_sha256"])
    return files.read_arrays(files.read_checked(path, found["arrays_sha256"]), path)


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
        flagged=tuple(references["flagged"]) if "flagged" in references else None,
    )
