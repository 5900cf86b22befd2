"""Cells: the result of one method on one category with one draw of examples, as a file that is there whole or not at all.

    OUT/cells/<data set>/<category>/<method>-<shots>shot[-seed<k>].json

A cell carries the settings that its numbers depend on, and a digest of all that it says. It is used again only where both hold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oddlens.data import Record, manifest_hash
from oddlens.data.named import NamedDataset
from oddlens.data.object_names import path_name
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.evaluation.protocol import Protocol
from oddlens.evaluation.variant import Variant
from oddlens.io.atomic import write_text
from oddlens.io.paths import read_bytes
from oddlens.io.strict_json import parse_json

FORMAT = 3
"""Goes up whenever a cell of an earlier program would mean something else."""

_DIGEST = "sha256"

Settings = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """Which cell it is."""

    dataset: str
    category: str
    method: str
    variant: Variant

    def path(self, out: Path) -> Path:
        """Where its file lies below OUT."""
        folder = out / "cells" / path_name(self.dataset) / path_name(self.category)
        return folder / f"{self.method}-{self.variant.name}.json"


@dataclass(frozen=True)
class ImageScore:
    """One test picture: its path relative to the data set, label (1 = abnormal), kind of defect and score."""

    path: str
    label: int
    defect: str
    score: float


@dataclass(frozen=True)
class Curve:
    """Points of a curve, in order."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class ExampleImage:
    """A picture chosen to be looked at: why, which of the scores, and the drawing as a data URI."""

    kind: str
    number: int
    drawing: str


@dataclass(frozen=True)
class CellResult:
    """A finished cell.

    - counts: test pictures "normal", "abnormal", "drawn" (abnormal with a mask), "unlabelled" (left out).
    - evaluated_at: (height, width) of the maps, where pixels were compared at that; None: at each picture's own size.
    - figures: those of the category's protocol (`Protocol.figures`); None where undefined, and then `reasons` says why.
    - interval: of the image AUROC, 95 %, by bootstrap over the test pictures; None where undefined.
    - thresholds: "image" and "pixel" of the best F1 of these test pictures; "calibrated", which `detect` uses; None where there
      is none.
    - threshold_source: where "calibrated" comes from, in words; None where there is none.
    - curves: "image_roc", "image_pr", "pixel_roc", "pixel_pr", where defined.
    - value_range: the heat at the ends of the colours in `shown`.
    - seconds: a picture, "encode" (reading and towers, shared by all cells of a method) and "ask".
    - components: where they were looked at: the pixels from which "found_from" and "true_from" they count, and how many "found"
      and "true" ones do; else {}.
    - class_iou: intersection over union of every known class, None for one that is nowhere; {} where `figures` has no mIoU.
    - maps: folder of the raw maps relative to OUT, where they were asked for.
    """

    settings: Settings
    counts: dict[str, int]
    evaluated_at: tuple[int, int] | None
    figures: dict[str, float | None]
    reasons: dict[str, str]
    interval: tuple[float, float] | None
    thresholds: dict[str, float | None]
    threshold_source: str | None
    notes: tuple[str, ...]
    scores: tuple[ImageScore, ...]
    curves: dict[str, Curve]
    value_range: tuple[float, float]
    shown: tuple[ExampleImage, ...]
    seconds: dict[str, float]
    components: dict[str, int]
    class_iou: dict[str, float | None]
    maps: str | None = None


def cell_settings(
    source: NamedDataset,
    category: str,
    detector: Detector,
    object_name: str,
    examples: Sequence[Record],
    protocol: Protocol,
) -> Settings:
    """What the numbers of a cell depend on, as JSON values."""
    return {
        "cell_format": FORMAT,
        "method": detector.name,
        "recipe": json.loads(json.dumps(asdict(detector.recipe))),
        "model_sha256": detector.method.backbone.model_hash,
        "weights_sha256": detector.weights_hash,
        "data_sha256": manifest_hash(source.dataset.select(category=category)),
        "object_name": object_name,
        "references": [source.relative(record) for record in examples],
        "full_size": protocol.full_size,
        "component_sizes": protocol.components
        if isinstance(protocol.components, str | None)
        else [*protocol.components],
    }


def write_cell(path: Path, cell: CellResult) -> None:
    """Write a cell, whole or not at all."""
    told = asdict(cell)
    write_text(path, json.dumps(told | {_DIGEST: _digest(told)}, allow_nan=False) + "\n")


def read_cell(path: Path, settings: Settings) -> CellResult | None:
    """The cell in a file, or None where there is no file.

    Raises `UsageError` for one that was made with other settings, and for one that does not say what was written.
    """
    try:
        told = parse_json(read_bytes(path))
        found = told["settings"]
        differing = _differing(found, settings)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}): change its permissions, or give another --out"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(_damaged(path)) from error
    if "cell_format" in differing:
        raise UsageError(
            f"{path} is of another version of oddlens, which measured other figures: give another --out, or --no-resume to "
            "measure it again"
        )
    if differing:
        raise UsageError(
            f"{path} was made with other settings ({', '.join(differing)}): give the same ones, another --out, "
            "or --no-resume to measure it again"
        )
    if told.pop(_DIGEST, None) != _digest(told):
        raise UsageError(_damaged(path))
    told |= {
        "evaluated_at": told["evaluated_at"] and tuple(told["evaluated_at"]),
        "interval": told["interval"] and tuple(told["interval"]),
        "notes": tuple(told["notes"]),
        "scores": tuple(ImageScore(**score) for score in told["scores"]),
        "curves": {name: Curve(tuple(curve["x"]), tuple(curve["y"])) for name, curve in told["curves"].items()},
        "value_range": tuple(told["value_range"]),
        "shown": tuple(ExampleImage(**shown) for shown in told["shown"]),
    }
    return CellResult(**told)


def _damaged(path: Path) -> str:
    return f"{path} is damaged: delete it, and it is measured again"


def _digest(told: Mapping[str, Any]) -> str:
    """The SHA-256 of all that a cell says."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode("utf-8")).hexdigest()


def _differing(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The names of the settings that differ; of the recipe, its fields."""
    names: list[str] = []
    for key in _all_keys(found, wanted):
        mine, theirs = wanted.get(key), found.get(key)
        if mine == theirs:
            continue
        if key == "recipe" and isinstance(mine, dict) and isinstance(theirs, dict):
            names += [f"recipe {field}" for field in _all_keys(mine, theirs) if mine.get(field) != theirs.get(field)]
        else:
            names.append(key)
    return names


def _all_keys(*parts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(key for part in parts for key in part))
