"""What a model layout is, and what the layouts of transformers' folders share: a configuration whose values are checked by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from oddlens.backbone.files import PREPROCESSOR, TRANSFORMERS, LayoutFiles, read_json
from oddlens.backbone.layers import Nonlinearity
from oddlens.backbone.layouts.shapes import as_rgb, check_shape
from oddlens.backbone.model import LoadedModel
from oddlens.backbone.normalisation import Rgb
from oddlens.errors import ModelError, shortened
from oddlens.io.paths import is_file

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_ACTIVATIONS: dict[object, Nonlinearity] = {
    "gelu": "gelu",
    "quick_gelu": "quick_gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
}
_TOO_LARGE = 1 << 24
"""No measure of a tower comes near; products of larger ones would not fit torch's sizes."""

MODEL_TYPES: dict[str, tuple[str, ...]] = {
    "dinov2": ("dinov2", "dinov2_with_registers"),
    "siglip": ("siglip",),
    "transformers": ("clip",),
}
"""Layout name -> what `model_type` says in a config.json of transformers; "siglip2" is NaFlex, of which there is no layout."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One way a model lies on disk.

    name: what cards call it. files: the names of the configuration and of the weights; None for a lone weights file.
    recognise: whether a path holds it; cheap, opens no weights.
    read_config: judge the configuration alone, of a model whose weights are not there yet; raises `ModelError` for one that `read`
    cannot read; None for a lone weights file.
    read: load it; raises `ModelError`.
    """

    name: str
    files: LayoutFiles | None
    recognise: Callable[[Path], bool]
    read_config: Callable[[Path], object] | None
    read: Callable[[Path], LoadedModel]


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

    def require(self, name: str, value: object) -> None:
        """Refuse a setting that changes what a tower computes into something that oddlens does not compute."""
        if self._values.get(name) != value:
            raise self._unusable(name, f"{value!r}")

    def check(self, shape: DataclassInstance) -> None:
        """Refuse a shape, made of these settings, that is out of bounds or does not fit together."""
        try:
            check_shape(asdict(shape))
        except ValueError as error:
            raise ModelError(f"{self._where} does not describe a model ({error}): fetch the model again") from error

    def _unusable(self, name: str, wanted: str) -> ModelError:
        return ModelError(
            f"{self._where} sets {name} to {shortened(self._values.get(name))}, where oddlens reads {wanted}"
        )


def is_of_type(folder: Path, layout: str) -> bool:
    """Whether a folder in transformers' layout says that it holds a model of the types of that layout."""
    if not TRANSFORMERS.are_in(folder):
        return False
    try:
        return read_json(folder / TRANSFORMERS.config).get("model_type") in MODEL_TYPES[layout]
    except (ModelError, TypeError):  # `read` reports it
        return False


def read_typed(path: Path, layout: str) -> dict[str, object]:
    """A `config.json` of a model of a layout's types. Raises `ModelError` for any other, naming the types that oddlens reads."""
    config = read_json(path)
    kind = config.get("model_type")
    if kind not in MODEL_TYPES[layout]:
        known = [name for names in MODEL_TYPES.values() for name in names]
        raise ModelError(
            f"{path} describes a model of type {shortened(kind)}: oddlens reads models of type "
            f"{', '.join(map(repr, known[:-1]))} and {known[-1]!r} in this layout"
        )
    return config


def find_weights(folder: Path, files: LayoutFiles = TRANSFORMERS) -> Path:
    """The weights file, or the index of shards, of a model folder. Raises `ModelError` where there is none."""
    weights = files.weights_in(folder)
    if weights is None:
        raise ModelError(f"{folder} holds no weights: one of {', '.join(files.weights)} must lie beside {files.config}")
    return weights


def read_normalisation(folder: Path, mean: Rgb, std: Rgb) -> tuple[Rgb, Rgb, tuple[Path, ...]]:
    """Mean and standard deviation of `preprocessor_config.json`, else those given; and the files they are from.

    Raises `ModelError` for a file that does not say them.
    """
    path = folder / PREPROCESSOR
    if not is_file(path):
        return mean, std, ()
    values = read_json(path)
    try:
        mean = as_rgb(values.get("image_mean"), "image_mean", mean)
        std = as_rgb(values.get("image_std"), "image_std", std, least=0)
    except ValueError as error:
        raise ModelError(f"{path} does not say how pictures are prepared ({error}): fetch the model again") from error
    return mean, std, (path,)


def without_leading_ones(tensors: Mapping[str, Tensor], dimensions: Mapping[str, int]) -> dict[str, Tensor]:
    """A copy of the dict in which the named tensors have as many dimensions as said, where the others, in front, are of size 1."""
    squeezed = dict(tensors)
    for name, wanted in dimensions.items():
        value = squeezed.get(name)
        if value is not None and value.ndim > wanted and all(size == 1 for size in value.shape[: value.ndim - wanted]):
            squeezed[name] = value.reshape(value.shape[value.ndim - wanted :])
    return squeezed
