"""Stations: a detector as a folder, with everything needed to detect again, on another machine and without a network.

STATION/station.json              method, recipe, thresholds, model, what the references were
STATION/references.safetensors    features of the good examples, where there are some
STATION/model/                    the model's files, unless it is the packaged one
STATION/weights.*                 the learned part of the method, where there is one
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save

from oddlens import __version__
from oddlens.atomic import replacing, write_bytes, write_text
from oddlens.backbone.layouts import embedded
from oddlens.detection import Thresholds
from oddlens.detector import Detector
from oddlens.encoding import Encoded
from oddlens.errors import ModelError, UsageError
from oddlens.loading import load
from oddlens.paths import is_file
from oddlens.tensors import read_safetensors

FORMAT = 1
_FILE, _REFERENCES, _MODEL = "station.json", "references.safetensors", "model"
_TOLD = {"method", "recipe", "model", "weights", "thresholds", "references"}


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
    if references is not None:
        tensors = {name: value.contiguous().cpu() for name, value in references.features.items()}
        write_bytes(root / _REFERENCES, save(tensors))
    told: dict[str, Any] = {
        "format": FORMAT,
        "oddlens": __version__,
        "method": detector.name,
        "recipe": asdict(detector.recipe),
        "model": {
            "name": backbone.card.name,
            "hash": backbone.model_hash,
            "path": _model_path(own) if own else None,
        },
        "weights": weights,
        "thresholds": asdict(detector.thresholds),
        "references": None
        if references is None
        else {"sources": references.sources, "sizes": references.sizes, "notes": references.notes},
    }
    write_text(root / _FILE, json.dumps(told, indent=2) + "\n")  # last: a station without it is not one


def open_station(folder: str | os.PathLike[str], device: str = "auto") -> Detector:
    """The detector that `Detector.save` wrote. Raises `UsageError` where there is none, `ModelError` where its model differs."""
    root = Path(folder)
    told = _read(root / _FILE)
    model = told["model"]
    recipe: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in told["recipe"].items()
    }
    weights = None if told["weights"] is None else root / told["weights"]
    place = None if model["path"] is None else str(root / model["path"])
    detector = load(told["method"], place, weights, device, **recipe)
    if detector.method.backbone.model_hash != model["hash"]:
        raise ModelError(
            f"{root} was made with another version of the model {model['name']} (its hash differs): "
            "its references mean nothing here; make the station again"
        )
    detector.thresholds = Thresholds(**told["thresholds"])
    references = told["references"]
    if references is not None:
        try:
            features, _ = read_safetensors(root / _REFERENCES)
            if any(len(value) != len(references["sources"]) for value in features.values()):
                raise ValueError("it holds the features of other pictures")
        except (OSError, SafetensorError, ValueError) as error:
            raise ModelError(f"{root / _REFERENCES} is missing or damaged: make the station again") from error
        at = detector.method.backbone.device
        detector.references = Encoded(
            {name: value.to(at) for name, value in features.items()},
            tuple((int(width), int(height)) for width, height in references["sizes"]),
            tuple(references["sources"]),
            tuple(references["notes"]),
        )
    return detector


def _model_path(files: tuple[Path, ...]) -> str:
    """What `load` is given: the folder, or the one file of OpenAI's layout."""
    return f"{_MODEL}/{files[0].name}" if len(files) == 1 else _MODEL


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path.parent} is not a station (no {path.name} in it): give a folder that was saved as one"
        ) from error
    except ValueError as error:
        raise UsageError(f"{path} is damaged: make the station again") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise UsageError(f"{path} is of a format that this version of oddlens does not read: make the station again")
    if missing := _TOLD - told.keys():
        raise UsageError(f"{path} is damaged (it lacks {', '.join(sorted(missing))}): make the station again")
    return told


def _clear(root: Path, kept: set[str | None]) -> None:
    """Take away what an earlier station in this folder holds and the new one does not: its model would be mistaken for ours."""
    if is_file(root / _FILE):
        for path in [*root.glob(f"{_MODEL}/*"), *root.glob("weights.*"), root / _REFERENCES]:
            if is_file(path) and path.relative_to(root).as_posix() not in kept:
                path.unlink()


def _link_or_copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        try:
            os.link(source.resolve(), temporary)
        except OSError:
            shutil.copyfile(source, temporary)
