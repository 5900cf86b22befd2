"""The values of a model's configuration, read by name: each of its type, within bounds, and such that they fit together."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from oddlens.backbone.layers import Nonlinearity
from oddlens.backbone.normalisation import LARGEST, Rgb
from oddlens.backbone.options import Activation
from oddlens.errors import ModelError, shortened

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_GELUS: dict[str, Activation] = {"gelu": "gelu", "quick_gelu": "quick_gelu"}
_NONLINEARITIES: dict[str, Nonlinearity] = {**_GELUS, "gelu_pytorch_tanh": "gelu_tanh"}
_TOO_LARGE = 1 << 24
"""No measure of a tower comes near. Products of larger ones would not fit torch's sizes."""
_MOST = {
    "image_size": 4096, "patch_size": 512, "width": 16384, "layers": 256, "heads": 256, "mlp_width": 65536, "embed_dim": 16384,
    "context": 8192, "vocabulary": 4_000_000,
}  # fmt: skip
"""Far above every model there is: a damaged number must not take all memory."""


class Settings:
    """A part of a configuration. Each method raises a `ModelError` that names a value which cannot be used."""

    def __init__(self, values: object, where: str, defaults: Mapping[str, object] | None = None) -> None:
        """Take the values in.

        Args:
            values: As read from JSON; None is a part that is left out.
            where: The file, and the part of it, for messages.
            defaults: What the program that wrote the file leaves out where it equals them.
        """
        if values is not None and not isinstance(values, dict):
            raise ModelError(f"{where} is no JSON object: fetch the model again")
        self._values = {**(defaults or {}), **(values or {})}
        self._where = where

    def get(self, name: str) -> object:
        """A value as it is; None where there is none."""
        return self._values.get(name)

    def whole(self, name: str, default: int | None = None) -> int:
        """A positive whole number; the default where the configuration has no such name."""
        value = self._values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < _TOO_LARGE:
            raise self._unusable(name, value, "a positive whole number")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A positive number; the default where the configuration has no such name."""
        value = self._values.get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < sys.float_info.max:
            raise self._unusable(name, value, "a positive number")
        return float(value)

    def side(self, name: str) -> int:
        """A side in pixels; a pair of equal ones counts as one."""
        value = self.get(name)
        if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
            return Settings({name: value[0]}, self._where).whole(name)
        if isinstance(value, list):
            raise self._unusable(name, value, "one side of a square")
        return self.whole(name)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.get(name)
        if not isinstance(value, bool):
            raise self._unusable(name, value, "true or false")
        return value

    def gelu(self, name: str) -> Activation:
        """One of CLIP's two GELUs."""
        value = self.get(name)
        if not isinstance(value, str) or value not in _GELUS:
            raise self._unusable(name, value, _one_of(_GELUS))
        return _GELUS[value]

    def nonlinearity(self, name: str) -> Nonlinearity:
        """A GELU that oddlens computes."""
        value = self.get(name)
        if not isinstance(value, str) or value not in _NONLINEARITIES:
            raise self._unusable(name, value, _one_of(_NONLINEARITIES))
        return _NONLINEARITIES[value]

    def heads(self, name: str, width: int) -> int:
        """A number of heads that divides the width."""
        heads = self.whole(name)
        if width % heads:
            raise self._unusable(name, heads, f"a divisor of the width {width}")
        return heads

    def rgb(self, name: str, default: Rgb, least: float = -LARGEST) -> Rgb:
        """Three numbers from `least` to `LARGEST`; the default where there are none."""
        values = self.get(name)
        if values is None:
            return default
        if (
            not isinstance(values, list)
            or len(values) != 3
            or any(isinstance(value, bool) or not isinstance(value, int | float) for value in values)
            or not all(least <= value <= LARGEST for value in values)
        ):
            raise self._unusable(name, values, f"three numbers, of red, green and blue, from {least:g} to {LARGEST:g}")
        return (float(values[0]), float(values[1]), float(values[2]))

    def require(self, name: str, *values: object) -> None:
        """Refuse a setting that changes what a tower computes into something that oddlens does not compute."""
        if self.get(name) not in values:
            raise self._unusable(name, self.get(name), _one_of(values))

    def refuse_others(self, shape: DataclassInstance) -> None:
        """Refuse names that are no fields of the shape that was made of these settings."""
        if others := sorted(self._values.keys() - asdict(shape).keys()):
            raise ModelError(
                f"{self._where} sets {shortened(others[0])}, which oddlens does not know: fetch the model again"
            )

    def check(self, shape: DataclassInstance) -> None:
        """Refuse a shape that was made of these settings where it is out of bounds or does not fit together."""
        try:
            check_shape(shape)
        except ValueError as error:
            raise self.unfit(str(error)) from error

    def unfit(self, why: str) -> ModelError:
        """The error for settings of which no model can be made."""
        return ModelError(f"{self._where} describes no model that can be ({why}): fetch the model again")

    def _unusable(self, name: str, value: object, wanted: str) -> ModelError:
        if value is None:
            return ModelError(f"{self._where} lacks {name} (oddlens reads {wanted}): fetch the model again")
        return ModelError(
            f"{self._where} sets {name} to {shortened(value)}, where oddlens reads {wanted}: fetch the model again, or give another"
        )


def check_shape(shape: DataclassInstance) -> None:
    """Raise `ValueError` for the shape of a tower that is out of bounds or does not fit together."""
    values = asdict(shape)
    for name, most in _MOST.items():
        if name in values and not 0 < values[name] <= most:
            raise ValueError(f"{name} is {values[name]}, where 1 to {most} is possible")
    if "heads" in values and values["width"] % values["heads"]:
        raise ValueError(f"a width of {values['width']} cannot be shared among {values['heads']} heads")
    if "patch_size" in values and values["image_size"] < values["patch_size"]:
        raise ValueError(f"image_size {values['image_size']} is less than patch_size {values['patch_size']}")
    if not values["eps"] < 1:
        raise ValueError(f"eps is {values['eps']}, which is no small number above 0")


def _one_of(values: Iterable[object]) -> str:
    return " or ".join(map(repr, values))
