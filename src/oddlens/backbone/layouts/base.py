"""What a model layout is, and what the layouts of transformers' folders share: a configuration whose values are checked by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from torch import Tensor

from oddlens.backbone.checkpoint import read_json
from oddlens.backbone.files import PREPROCESSOR, TRANSFORMERS, LayoutFiles
from oddlens.backbone.layers import Nonlinearity
from oddlens.backbone.model import as_rgb
from oddlens.backbone.normalisation import Rgb
from oddlens.backbone.tower import LoadedTowers
from oddlens.errors import ModelError

_ACTIVATIONS: dict[object, Nonlinearity] = {
    "gelu": "gelu",
    "quick_gelu": "quick_gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
}
_TOO_LARGE = 1 << 24
"""No measure of a tower comes near; products of larger ones would not fit torch's sizes."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One way a model lies on disk.

    name: what cards call it. looks_for: what has to be there, in a few words, for the error that lists the layouts.
    files: the names of the configuration and of the weights. recognise: whether a path holds it; cheap, opens no weights.
    read: load it; raises `ModelError`.
    """

    name: str
    looks_for: str
    files: LayoutFiles
    recognise: Callable[[Path], bool]
    read: Callable[[Path], LoadedTowers[Any]]


class Settings:
    """A part of a configuration. Every value is asked for by name, and what is not usable is one `ModelError` that names it.

    values: as read from JSON. where: the file, and the part of it, for messages. defaults: what the program that wrote the file
    leaves out where it equals them.
    """

    def __init__(self, values: object, where: str, defaults: Mapping[str, object]) -> None:
        if values is not None and not isinstance(values, dict):
            raise ModelError(f"{where} is no JSON object: fetch the model again")
        self._values = {**defaults, **(values or {})}
        self._where = where

    def whole(self, name: str, default: int | None = None) -> int:
        """A positive whole number; the default where the configuration has no such name."""
        value = self._values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < _TOO_LARGE:
            raise self._unusable(name, "a positive whole number")
        return value

    def number(self, name: str) -> float:
        """A positive number."""
        value = self._values.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value) or value <= 0:
            raise self._unusable(name, "a positive number")
        return float(value)

    def side(self, name: str) -> int:
        """A side in pixels; a pair of equal ones counts as one."""
        value = self._values.get(name)
        if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
            return Settings({name: value[0]}, self._where, {}).whole(name)
        if isinstance(value, list):
            raise self._unusable(name, "one side of a square")
        return self.whole(name)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._values.get(name)
        if not isinstance(value, bool):
            raise self._unusable(name, "true or false")
        return value

    def activation(self, name: str) -> Nonlinearity:
        """A GELU that oddlens computes."""
        value = self._values.get(name)
        if not isinstance(value, str) or value not in _ACTIVATIONS:
            raise self._unusable(name, f"one of {', '.join(map(repr, _ACTIVATIONS))}")
        return _ACTIVATIONS[value]

    def heads(self, name: str, width: int) -> int:
        """A number of heads that divides the width."""
        heads = self.whole(name)
        if width % heads:
            raise self._unusable(name, f"a divisor of the width {width}")
        return heads

    def insist(self, name: str, value: object) -> None:
        """Refuse a setting that changes what a tower computes into something that oddlens does not."""
        if self._values.get(name) != value:
            raise self._unusable(name, f"{value!r}")

    def _unusable(self, name: str, wanted: str) -> ModelError:
        return ModelError(f"{self._where} sets {name} to {self._values.get(name)!r}, where oddlens reads {wanted}")


def model_type(folder: Path) -> object:
    """The kind of model that a folder in transformers' layout says it holds; None where it is no such folder."""
    if not TRANSFORMERS.are_in(folder):
        return None
    try:
        return read_json(folder / TRANSFORMERS.config).get("model_type")
    except ModelError:  # who reads the folder says so
        return None


def read_config(folder: Path, kinds: Sequence[str], what: str) -> dict[str, object]:
    """`config.json`, where it describes a model of one of the kinds; what: these models in a word, for the message."""
    path = folder / TRANSFORMERS.config
    config = read_json(path)
    if config.get("model_type") not in kinds:
        raise ModelError(
            f"{path} describes a model of type {config.get('model_type')!r}: {what} is of type {' or '.join(map(repr, kinds))}"
        )
    return config


def find_weights(folder: Path) -> Path:
    """The weights file of a folder in transformers' layout."""
    names = TRANSFORMERS.weights
    weights = next((folder / name for name in names if (folder / name).is_file()), None)
    if weights is None:
        raise ModelError(f"{folder} holds no weights: one of {', '.join(names)} must lie beside {TRANSFORMERS.config}")
    return weights


def read_normalisation(folder: Path, mean: Rgb, std: Rgb) -> tuple[Rgb, Rgb, tuple[Path, ...]]:
    """Mean and standard deviation of `preprocessor_config.json`, else those given; and the files they are from."""
    path = folder / PREPROCESSOR
    if not path.is_file():
        return mean, std, ()
    values = read_json(path)
    return as_rgb(values.get("image_mean"), mean), as_rgb(values.get("image_std"), std), (path,)


def without_leading_ones(tensors: Mapping[str, Tensor], dimensions: Mapping[str, int]) -> dict[str, Tensor]:
    """A copy of the dict in which the named tensors have as many dimensions as said, where the others, in front, are of size 1."""
    squeezed = dict(tensors)
    for name, wanted in dimensions.items():
        value = squeezed.get(name)
        if value is not None and value.ndim > wanted and all(size == 1 for size in value.shape[: value.ndim - wanted]):
            squeezed[name] = value.reshape(value.shape[value.ndim - wanted :])
    return squeezed
