"""Recipes: a paper's settings as a frozen dataclass, changed by hand or fitted to another tower, never silently."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from oddlens.errors import UsageError

Recipe = TypeVar("Recipe")


def make_recipe(recipe_type: type[Recipe], overrides: Mapping[str, Any]) -> Recipe:
    """The paper's recipe with the given fields changed. `UsageError` for an unknown field or a value of the wrong kind."""
    hints = get_type_hints(recipe_type)
    known = [field.name for field in fields(recipe_type)]  # type: ignore[arg-type]
    for name, value in overrides.items():
        if name not in known:
            raise UsageError(f"{recipe_type.__name__} has no field {name!r}: its fields are {', '.join(known)}")
        if not _fits(value, hints[name]):
            raise UsageError(f"the recipe field {name} cannot be {value!r}: give {_described(hints[name])}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in overrides.items()}
    return recipe_type(**values)


def fit_image_size(recipe: Any, given: Mapping[str, Any], native: int) -> tuple[Any, list[str]]:
    """The recipe at the model's native image size, unless a size was given by hand; and what was changed, in words."""
    paper = next(field.default for field in fields(recipe) if field.name == "image_size")
    if "image_size" in given or native == paper:
        return recipe, []
    return replace(recipe, image_size=native), [
        f"image_size {native}, this model's own, instead of the paper's {paper}"
    ]


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in inner
    if origin is tuple:
        return isinstance(value, tuple | list) and bool(value) and all(_fits(item, inner[0]) for item in value)
    if inner:
        return any(_fits(value, option) for option in inner)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and value > 0
    return isinstance(value, hint)


def _described(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(repr(choice) for choice in inner)
    if origin is tuple:
        return f"a list of one or more, each {_described(inner[0])}"
    if inner:
        return " or ".join(_described(option) for option in inner)
    words = {
        int: "a whole number above 0", float: "a number above 0", bool: "True or False", str: "text", type(None): "None"
    }  # fmt: skip
    return words.get(hint, str(hint))
