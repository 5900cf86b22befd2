"""How learned weights were made, as their file says it. No torch is needed to read that."""

from __future__ import annotations

from pathlib import Path
from typing import NotRequired, TypedDict

from safetensors import SafetensorError, safe_open

from oddlens.io.strict_json import checked, parse_json
from oddlens.provenance import respelled

FORMAT = 2
"""Format 1 nested the model: see `provenance.respelled`, which reads it."""

KEY = "oddlens"
"""Of the metadata of a .safetensors file."""


class TrainingSet(TypedDict, total=False):
    """A data set that weights were trained on, as `SampleSet` and `Scenes` describe it.

    images_sha256: short hashes of its training images, as `TrainingImages` has them.
    """

    name: str
    data_sha256: str
    split: str
    splits: list[str]
    images_sha256: str


class WeightsProvenance(TypedDict):
    """How weights were made, as JSON values. A training says more than these: see `TrainingRun.provenance`.

    recipe: the recipe's fields. decoder: `vl4ad.decoder_shape.DecoderShape`'s. data: of the weights that it began with, too.
    """

    method: str
    recipe: dict[str, object]
    model: str
    model_fingerprint: str
    decoder: NotRequired[object]
    data: NotRequired[list[TrainingSet]]


def provenance_of(document: object) -> WeightsProvenance | None:
    """What a file of any format says of its making, in the names of today; None where it says nothing that counts."""
    if not isinstance(document, dict) or document.get("format") not in (1, FORMAT):
        return None
    provenance = respelled(document) if document["format"] == 1 else document
    try:
        return checked(provenance, WeightsProvenance)
    except ValueError:
        return None


def training_sets(weights: Path) -> list[TrainingSet]:
    """The data sets that weights were trained on; none of a file that does not say it, as those of the authors, or is not there."""
    try:
        with safe_open(weights, framework="numpy") as file:
            document = parse_json((file.metadata() or {}).get(KEY, "null"))
    except (OSError, SafetensorError, ValueError):
        return []
    provenance = provenance_of(document)
    return [] if provenance is None else provenance.get("data", [])


def training_images(weights: Path) -> frozenset[str]:
    """Short hashes of the images that weights were trained on, as `TrainingImages` has them."""
    return frozenset(digits for each in training_sets(weights) for digits in each.get("images_sha256", "").split())
