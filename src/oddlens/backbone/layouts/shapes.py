"""Numbers out of a configuration: whole ones where a shape needs them, in bounds, and such that they fit together."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from oddlens.backbone.normalisation import Rgb
from oddlens.backbone.text import TextConfig
from oddlens.backbone.vision import VisionConfig
from oddlens.errors import shortened

_MOST = {
    "image_size": 4096, "patch_size": 512, "width": 16384, "layers": 256, "heads": 256, "mlp_width": 65536, "embed_dim": 16384,
    "context": 8192, "vocabulary": 4_000_000,
}  # fmt: skip
"""Far above every model there is: a damaged number must not ask for all memory."""
_ACTIVATIONS = ("gelu", "quick_gelu")


def whole(section: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """A whole number of a configuration. Raises `ValueError` where it is missing or of another kind."""
    value = section.get(name, default)
    if value is None:
        raise ValueError(f"{name} is missing")
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} is {shortened(value)}, which is no whole number")
    return value


def check_towers(vision: VisionConfig, text: TextConfig) -> None:
    """Raise `ValueError` for shapes of which no towers can be made."""
    check_shape(asdict(vision))
    check_shape(asdict(text))
    for shape in (vision, text):
        if shape.activation not in _ACTIVATIONS:
            raise ValueError(
                f"the activation is {shortened(shape.activation)}, where oddlens knows 'gelu' and 'quick_gelu'"
            )
    if vision.embed_dim != text.embed_dim:
        raise ValueError(f"the towers have other embed_dims, {vision.embed_dim} and {text.embed_dim}")


def check_shape(values: Mapping[str, Any]) -> None:
    """Raise `ValueError` for the shape of a tower, as its config names it, that is out of bounds or does not fit together."""
    for name, most in _MOST.items():
        if name in values and not 0 < whole(values, name) <= most:
            raise ValueError(f"{name} is {values[name]}, where 1 to {most} is possible")
    if "heads" in values and values["width"] % values["heads"]:
        raise ValueError(f"a width of {values['width']} cannot be shared among {values['heads']} heads")
    if "patch_size" in values and values["image_size"] < values["patch_size"]:
        raise ValueError(f"image_size {values['image_size']} is less than patch_size {values['patch_size']}")
    eps = values["eps"]
    if isinstance(eps, bool) or not isinstance(eps, int | float) or not 0 < eps < 1:
        raise ValueError(f"eps is {shortened(eps)}, which is no small number above 0")


def as_rgb(values: Any, name: str, default: Rgb, least: float = -math.inf) -> Rgb:
    """Three numbers above `least` that floats can hold, or the default for None. Raises `ValueError` for anything else."""
    if values is None:
        return default
    if (
        not isinstance(values, list | tuple)
        or len(values) != 3
        or any(isinstance(value, bool) or not isinstance(value, int | float) for value in values)
        or not all(least < value < sys.float_info.max for value in values)
    ):
        raise ValueError(f"{name} is {shortened(values)}, which are no three numbers of a picture's colours")
    return (float(values[0]), float(values[1]), float(values[2]))
