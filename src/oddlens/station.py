"""Stations: a detector as a folder, with everything needed to detect again, on another machine and without a network.

STATION/station.json              method, recipe, thresholds, model, what the references were, and checksums of the files beside it
STATION/references.safetensors    features of the good examples, where there are some
STATION/model/                    the model's files, unless it is the packaged one
STATION/weights.*                 the learned part of the method, where there is one
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save
from torch import Tensor

from oddlens import __version__
from oddlens.backbone.layouts import embedded
from oddlens.backbone.tensors import aligned, tensor_faults
from oddlens.detection import Thresholds
from oddlens.detector import Detector
from oddlens.encoding import EncodedBatch
from oddlens.errors import ModelError, UsageError
from oddlens.io.atomic import replacing, write_bytes, write_text
from oddlens.io.paths import is_closed, is_file, matching, read_bytes, why_absent, why_not_opened
from oddlens.io.strict_json import form_fault, parse_json
from oddlens.loading import load
from oddlens.methods.recipe import held_fields, make_recipe
from oddlens.methods.registry import method_class

FORMAT = 2
"""Format 1, of version 0.1.0, had no checksums of weights and references."""

_FILE, _REFERENCES, _MODEL = "station.json", "references.safetensors", "model"
_FORM = {
    "method": str,
    "recipe": {},
    "model": {"name": str, "hash": str, "path": (str, None)},
    "weights": ({"file": str, "hash": (str, None)}, None),
    "thresholds": {"image": (float, None), "pixel": (float, None), "source": (str, None)},
    "references": (
        {"sources": [str], "sizes": [[int]], "notes": [(str, None)], "digests": [str], "seal": (str, None)},
        None,
    ),
}


def save_station(detector: Detector, folder: str | os.PathLike[str]) -> None:
    """Write a detector as a station. The model's files are linked where the file system can, else copied."""
    root = Path(folder)
    backbone = detector.method.backbone
    home = backbone.files[0].parent
    own = () if home == embedded.FOLDER else tuple(path for path in backbone.files if path.parent == home)
    weights = None if detector.weights is None else "weights" + Path(detector.weights).suffix
    references = detector.references
    _clear(root, {*(f"{_MODEL}/{path.name}" for path in own), weights, _REFERENCES if references else None})
    for path in own:
        _link_or_copy(path, root / _MODEL / path.name)
    if detector.weights is not None and weights is not None:
        _link_or_copy(Path(detector.weights), root / weights)
    state: dict[str, Any] = {
        "format": FORMAT,
        "oddlens": __version__,
        "method": detector.name,
        "recipe": asdict(detector.recipe),
        "model": {
            "name": backbone.card.name,
            "hash": backbone.model_hash,
            "path": _model_path(own) if own else None,
        },
        "weights": weights and {"file": weights, "hash": detector.weights_hash},
        "thresholds": asdict(detector.thresholds),
        "references": None,
    }
    if references is not None:
        data = save({name: value.contiguous().cpu() for name, value in references.features.items()})
        write_bytes(root / _REFERENCES, data)
        state["references"] = {
            "sources": references.sources,
            "sizes": references.sizes,
            "notes": references.notes,
            "digests": references.digests,
            "seal": _seal(detector, data),
        }
    write_text(root / _FILE, json.dumps(state, indent=2) + "\n")  # last: a station without it is not one


def open_station(folder: str | os.PathLike[str], device: str = "auto") -> Detector:
    """The detector that `Detector.save` wrote.

    Raises `UsageError` where there is none or station.json is damaged, `ModelError` where a file beside it is missing, damaged or
    another one.
    """
    root = Path(folder)
    state = _read(root / _FILE)
    model, weights, references = state["model"], state["weights"], state["references"]
    detector = load(
        state["method"],
        None if model["path"] is None else str(root / model["path"]),
        weights and root / weights["file"],
        device,
        **state["recipe"],
    )
    if detector.method.backbone.model_hash != model["hash"]:
        raise ModelError(
            f"{root} was made with another version of the model {model['name']} (its hash differs): "
            "its references mean nothing here; make the station again"
        )
    if weights and weights["hash"] and detector.weights_hash != weights["hash"]:
        raise ModelError(f"{root / weights['file']} is damaged or of another station: make the station again")
    given = state["thresholds"]
    detector.thresholds = Thresholds(given["image"], given["pixel"], given["source"])
    if references is None and is_file(root / _REFERENCES):
        raise ModelError(f"{root / _FILE} knows nothing of {_REFERENCES} beside it: make the station again")
    if references is not None:
        features = _read_references(root / _REFERENCES, detector, references)
        at = detector.method.backbone.device
        detector.references = EncodedBatch(
            {name: value.to(at) for name, value in features.items()},
            tuple((width, height) for width, height in references["sizes"]),
            tuple(references["sources"]),
            tuple(references["notes"]),
            digests=tuple(references["digests"]),
        )
    return detector


def _seal(detector: Detector, data: bytes) -> str:
    """A hash of the references' file and of all that their features depend on but the pictures themselves."""
    made_of = [detector.name, detector.method.backbone.model_hash, held_fields(detector.recipe)]
    return hashlib.sha256(json.dumps(made_of).encode() + data).hexdigest()


def _read_references(path: Path, detector: Detector, references: Mapping[str, Any]) -> dict[str, Tensor]:
    try:
        data = read_bytes(path)
    except OSError as error:
        raise ModelError(f"{path} is missing or damaged: make the station again") from error
    if references["seal"] is None:
        if fault := _judge_unsealed(data, detector, len(references["sources"])):
            raise ModelError(f"{path} is damaged ({fault}): make the station again")
    elif _seal(detector, data) != references["seal"]:
        raise ModelError(f"{path} is damaged, or was made by another recipe: make the station again")
    return {name: aligned(value) for name, value in load_tensors(data).items()}


def _judge_unsealed(data: bytes, detector: Detector, count: int) -> str:
    """What is wrong with references of format 1: they must be finite, and of the form that a picture has after the towers."""
    blank = detector.encode(np.zeros((64, 64, 3), np.uint8)).features
    try:
        features = load_tensors(data)
    except SafetensorError:
        return "it is no safetensors file"
    return tensor_faults(features, {name: (count, *value.shape[1:]) for name, value in blank.items()})


def _model_path(files: tuple[Path, ...]) -> str:
    """What `load` is given: the folder, or the one file of OpenAI's layout."""
    return f"{_MODEL}/{files[0].name}" if len(files) == 1 else _MODEL


def _read(path: Path) -> dict[str, Any]:
    if is_closed(path):
        raise UsageError(f"{path} {why_absent(path)}")
    try:
        state = parse_json(read_bytes(path).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(
            f"{path.parent} is not a station (no {path.name} in it): give a folder that was saved as one"
        ) from error
    except OSError as error:
        raise UsageError(f"{path} {why_not_opened(path, error)}") from error
    except ValueError as error:
        raise UsageError(f"{path} is damaged: make the station again") from error
    if isinstance(state, dict) and state.get("format") == 1:
        state = _from_format_1(state)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UsageError(f"{path} is of a format that this version of oddlens does not read: make the station again")
    if fault := form_fault(state, _FORM) or _fault_of(state):
        raise UsageError(f"{path} is damaged ({fault}): make the station again")
    return state


def _from_format_1(state: Mapping[str, Any]) -> dict[str, Any]:
    """What format 1 says, in the words of format 2; what it cannot say is None, and what is damaged stays as it is."""
    weights, references = state.get("weights"), state.get("references")
    if isinstance(weights, str):
        weights = {"file": weights, "hash": None}
    if isinstance(references, dict):
        references = {"digests": [], "seal": None, **references}  # a seal counts, whatever the format is called
    return {**state, "format": FORMAT, "weights": weights, "references": references}


def _fault_of(state: Mapping[str, Any]) -> str:
    """What is wrong with a state that has the right form; "" where nothing is."""
    for place in (state["model"]["path"], state["weights"] and state["weights"]["file"]):
        if place is not None and (Path(place).is_absolute() or ".." in Path(place).parts):
            return "it names a file that lies elsewhere"
    references = state["references"]
    if references is not None:
        counts = {len(references[name]) for name in ("sources", "sizes", "notes")}
        if len(counts) > 1 or len(references["digests"]) not in (0, *counts):
            return "its references have lists of several lengths"
        if not all(len(size) == 2 and min(size) > 0 for size in references["sizes"]):
            return "a size of its references is none"
    try:
        make_recipe(method_class(state["method"]).recipe_type, state["recipe"])
    except UsageError as error:
        return str(error)
    return ""


def _clear(root: Path, kept: set[str | None]) -> None:
    """Take away what an earlier station in this folder holds and the new one does not: its model would be mistaken for ours."""
    if is_file(root / _FILE):
        for path in [*matching(root, f"{_MODEL}/*"), *matching(root, "weights.*"), root / _REFERENCES]:
            if is_file(path) and path.relative_to(root).as_posix() not in kept:
                path.unlink()


def _link_or_copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        try:
            os.link(source.resolve(), temporary)
        except OSError:
            shutil.copyfile(source, temporary)
