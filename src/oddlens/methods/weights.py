"""Learned weights: the trained part of a method as a file that says how it was made, and the authors' own files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from oddlens.backbone.tensors import FLOATS, aligned, is_finite, read_safetensors, tensor_fault
from oddlens.backbone.weights_file import read_state
from oddlens.errors import ModelError, UsageError, printable
from oddlens.io.atomic import write_bytes
from oddlens.io.paths import why_not_opened
from oddlens.io.strict_json import parse_json
from oddlens.methods.card import check_weights_file
from oddlens.methods.weights_provenance import FORMAT, KEY, WeightsProvenance, provenance_of

_DTYPES = (*FLOATS, torch.int32, torch.int64)  # whole numbers are numbers of words and classes
_DEEPEST = 8


@dataclass(frozen=True, eq=False)
class MethodWeights:
    """The trained part of a method.

    source: the file it comes from. tensors: by name; of a nested file of the authors the names are joined with dots.
    provenance: how it was made, and what its training says besides; None for a file of the authors, which says nothing of itself.
    """

    source: str
    tensors: dict[str, Tensor]
    provenance: WeightsProvenance | None = None

    @property
    def recipe(self) -> dict[str, object]:
        """The recipe fields it was trained with; empty for a file of the authors."""
        return {} if self.provenance is None else dict(self.provenance["recipe"])

    def check_method(self, method: str) -> None:
        """Raises `ModelError` where it is known to be another method's."""
        if self.provenance is not None and self.provenance["method"] != method:
            raise ModelError(
                f"{self.source} holds weights of {self.provenance['method']}, not of {method}: give the method they belong to"
            )

    def check_model(self, fingerprint: str, model: str) -> None:
        """Raises `ModelError` where it is known to be trained on another model. fingerprint: `Backbone`'s."""
        if self.provenance is None:
            return
        if self.provenance["model_fingerprint"] != fingerprint:
            raise ModelError(
                f"{self.source} was trained on the model {self.provenance['model']}, whose features are not those of {model}: "
                "give that model, or train on this one"
            )


def read_weights(path: Path) -> MethodWeights:
    """Read our .safetensors, or an authors' .pth. Nothing is unpickled.

    Raises `UsageError` where there is no such file, `ModelError` for one that is damaged or something else, or that holds a number
    which is not finite.
    """
    check_weights_file(path)
    if path.suffix != ".safetensors":
        return MethodWeights(str(path), _checked(_flat(read_state(path), path), path))
    try:
        tensors, metadata = read_safetensors(path)
        document = parse_json(metadata.get(KEY, "null"))
    except OSError as error:
        raise UsageError(f"the weights file {printable(str(path))} {why_not_opened(path, error)}") from error
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"{path} is damaged or no safetensors file: make or fetch the weights again") from error
    provenance = provenance_of(document)
    if provenance is None:
        raise ModelError(
            f"{path} does not say how it was made: give weights that oddlens trained, or the authors' .pth"
        )
    return MethodWeights(str(path), _checked(tensors, path), provenance)


def in_short(provenance: Mapping[str, object]) -> dict[str, object]:
    """How weights were made, for people: the hashes of images are only counted. provenance: that of a file."""
    sets = provenance.get("data")
    if not isinstance(sets, list):
        return dict(provenance)
    return {**provenance, "data": [_counted_hashes(each) for each in sets]}


def _counted_hashes(training_set: Mapping[str, object]) -> dict[str, object]:
    hashes = training_set.get("images_sha256")
    return {**training_set, **({"images_sha256": f"{len(hashes.split())} hashes"} if isinstance(hashes, str) else {})}


def write_weights(path: Path, tensors: Mapping[str, Tensor], provenance: Mapping[str, object]) -> None:
    """Write weights with how they were made, whole or not at all. provenance: JSON values; "format" is added.

    Raises `ModelError` for numbers that are not finite: nothing could be found with them.
    """
    document = json.dumps({"format": FORMAT, **provenance})
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    if bad := next((name for name, value in plain.items() if value.is_floating_point() and not is_finite(value)), None):
        raise ModelError(
            f"{printable(str(path))} is not written: what was learned has numbers that are not finite ({bad}); train again with a "
            "smaller learning rate"
        )
    write_bytes(path, save(plain, metadata={KEY: document}))


def _flat(state: object, path: Path, prefix: str = "", depth: int = 0) -> dict[str, Tensor]:
    if isinstance(state, Tensor):
        return {prefix: state}
    if not isinstance(state, Mapping) or not state or depth > _DEEPEST:  # a file may hold itself
        raise ModelError(
            f"{path} is not a file of tensors: give a method's learned weights (.safetensors, or the authors' .pth)"
        )
    return {
        name: value
        for key, part in state.items()
        for name, value in _flat(part, path, f"{prefix}.{key}" if prefix else str(key), depth + 1).items()
    }


def _checked(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    for name, value in tensors.items():
        if fault := tensor_fault(value, dtypes=_DTYPES):
            raise ModelError(f"{path} cannot be used ({name} {fault}): make or fetch the weights again")
    return {name: aligned(value) for name, value in tensors.items()}
