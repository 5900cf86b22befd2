"""The methods by name. This is the one place that knows which there are; each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, cast

from oddlens.errors import known_name

if TYPE_CHECKING:
    from oddlens.methods.base import MethodClass

METHODS: dict[str, str] = {
    "winclip": "oddlens.methods.winclip.method:WinCLIP",
    "april-gan": "oddlens.methods.april_gan.method:AprilGAN",
    "anomalyclip": "oddlens.methods.anomaly_clip.method:AnomalyCLIP",
    "anovl": "oddlens.methods.anovl.method:AnoVL",
    "vl4ad": "oddlens.methods.vl4ad.method:VL4AD",
}
"""Method name -> where its class lives."""

MARKS: dict[str, str] = {
    "april-gan": "fc.0.weight",
    "anomalyclip": "ctx_pos",
}
"""Method name -> a tensor that its learned weights hold: by it a file is known that says nothing of itself."""


def method_class(name: str) -> MethodClass:
    """The class of a method, whose name may be given in any case of letters; `UsageError` for an unknown name."""
    module, attribute = METHODS[known_name("method", name, METHODS)].split(":")
    return cast("MethodClass", getattr(import_module(module), attribute))


def methods_with(field: str, beside: type) -> list[str]:
    """The methods whose recipe has a field of this name; none where `beside` is the recipe of no method. It imports all methods."""
    recipes = {name: method_class(name).recipe_type for name in METHODS}
    if beside not in recipes.values():
        return []
    return [name for name, recipe in recipes.items() if field in {each.name for each in fields(recipe)}]


def method_of_weights(tensors: Iterable[str]) -> str | None:
    """The method whose learned weights have tensors of these names, whatever stands before them; None where it is not known."""
    known = tuple(tensors)
    found = (method for method, mark in MARKS.items() if any(f".{name}".endswith(f".{mark}") for name in known))
    return next(found, None)
