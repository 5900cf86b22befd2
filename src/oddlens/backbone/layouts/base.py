"""What a model layout is, and what the layouts of transformers' folders share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from oddlens.backbone.files import PREPROCESSOR, TRANSFORMERS, LayoutFiles, read_json
from oddlens.backbone.layouts.settings import Settings
from oddlens.backbone.model import LoadedModel
from oddlens.backbone.normalisation import SMALLEST_STD, Rgb
from oddlens.errors import ModelError, shortened
from oddlens.io.paths import is_file

MODEL_TYPES: dict[str, tuple[str, ...]] = {
    "dinov2": ("dinov2", "dinov2_with_registers"),
    "siglip": ("siglip",),
    "transformers": ("clip",),
}
"""Layout name -> what `model_type` says in a config.json of transformers; "siglip2" is NaFlex, of which there is no layout."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One way a model lies on disk.

    Attributes:
        name: As cards name it.
        files: The names of its files; None for a lone weights file.
        recognise: Whether a path holds a model of this layout. It opens no weights.
        read_config: Judges the configuration alone, of a model whose weights were not fetched yet; raises `ModelError` for one that
            `read` cannot read. None for a lone weights file.
        read: Loads a model; raises `ModelError`.
    """

    name: str
    files: LayoutFiles | None
    recognise: Callable[[Path], bool]
    read_config: Callable[[Path], object] | None
    read: Callable[[Path], LoadedModel]


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
            f"{path} describes a model of type {shortened(kind)}, where oddlens reads {', '.join(map(repr, known[:-1]))} and "
            f"{known[-1]!r} in this layout: give another"
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
    settings = Settings(read_json(path), str(path))
    mean, std = settings.rgb("image_mean", mean), settings.rgb("image_std", std, least=SMALLEST_STD)
    return mean, std, (path,)


def without_leading_ones(tensors: Mapping[str, Tensor], dimensions: Mapping[str, int]) -> dict[str, Tensor]:
    """A copy of the dict in which the named tensors have as many dimensions as said, where the others, in front, are of size 1."""
    squeezed = dict(tensors)
    for name, wanted in dimensions.items():
        value = squeezed.get(name)
        if value is not None and value.ndim > wanted and all(size == 1 for size in value.shape[: value.ndim - wanted]):
            squeezed[name] = value.reshape(value.shape[value.ndim - wanted :])
    return squeezed
