"""Recipes as they are used: made from overrides, changed for a question, fitted to a tower of another shape. Never silently."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping
from dataclasses import Field, dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, TypeVar, get_args, get_origin, get_type_hints

from oddlens.errors import UsageError, choices, nearest, shortened
from oddlens.methods.recipe_fields import Recipe
from oddlens.methods.registry import method_of_recipe, methods_with

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound=Recipe)
Settings = TypeVar("Settings", bound="DataclassInstance")

Blocks = int | tuple[int, ...]
"""A number of blocks, or several."""


@dataclass(frozen=True)
class Depth:
    """The blocks of each tower of a model."""

    vision: int
    text: int


def held_fields(recipe: Recipe) -> dict[str, object]:
    """The fields, by name, that what is encoded may depend on: all that no question can change.

    A field that a released recipe did not have is left out where it has the value that was meant then: what is sealed with the
    others stays sealed.
    """
    return {
        each.name: getattr(recipe, each.name)
        for each in fields(recipe)
        if "query_field" not in each.metadata
        and not ("added" in each.metadata and getattr(recipe, each.name) == each.metadata["added"])
    }


def filed_fields(recipe_type: type[Recipe], filed: Mapping[str, object]) -> dict[str, object]:
    """All fields that a file means: those that it names, and those that a released recipe did not have, as they were meant then."""
    added = {each.name: each.metadata["added"] for each in fields(recipe_type) if "added" in each.metadata}
    return added | dict(filed)


def filed_recipe(recipe_type: type[R], filed: Mapping[str, object]) -> R:
    """The recipe that a file means. Raises as `make_recipe`."""
    return make_recipe(recipe_type, filed_fields(recipe_type, filed))


_RANGE: Mapping[type, tuple[float, float]] = {int: (1, 10**6), float: (1e-9, 1e9)}
"""What numbers of a recipe may be where their field does not say it: beyond all that makes sense, and all of it can be computed."""


def make_recipe(recipe_type: type[Settings], overrides: Mapping[str, object]) -> Settings:
    """The paper's recipe with the given fields changed; of a training's settings likewise, or of any other frozen dataclass.

    Raises `UsageError` for an unknown field or a value of the wrong kind.

    "recipe" among the overrides names one of the type's `NAMED` recipes, which the other fields then change.
    """
    overrides = {**named_fields(recipe_type, overrides.get("recipe")), **overrides}
    overrides.pop("recipe", None)
    hints = get_type_hints(recipe_type)
    known = {each.name: each for each in fields(recipe_type)}
    overrides = {
        name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in overrides.items()
    }
    for name, value in overrides.items():
        if name not in known:
            others = methods_with(name, beside=recipe_type)
            owner = f", which {', '.join(others)} {'has' if len(others) == 1 else 'have'}" if others else ""
            method = method_of_recipe(recipe_type)
            explained = "" if method is None else f" ('oddlens methods {method}' explains them)"
            fields_known = choices(name, known, "its fields are")
            raise UsageError(f"{recipe_type.__name__} has no field {shortened(name)}{owner}{fields_known}{explained}")
        if not _fits(value, hints[name]):
            raise UsageError(
                f"the recipe field {name} cannot be {shortened(value)}{_near_word(value, hints[name])}{described(hints[name])}"
            )
        for number in _numbers(value):
            least, most = _range(known[name], number)
            if not least <= number <= most:
                bound = f"at least {least:g}" if number < least else f"at most {most:g}"
                raise UsageError(f"the recipe field {name} cannot be {shortened(value)}: give {bound}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in overrides.items()}
    return recipe_type(**values)


def named_fields(recipe_type: type, name: object) -> Mapping[str, object]:
    """The fields of one of the type's `NAMED` recipes; none for None. `UsageError` for an unknown name."""
    if name is None:
        return {}
    named: Mapping[str, Mapping[str, object]] = getattr(recipe_type, "NAMED", {})
    if not isinstance(name, str) or name not in named:
        known = choices(name, named or ["no named recipes"], f"there {_is_or_are(named)}")
        raise UsageError(f"{recipe_type.__name__} has no recipe named {shortened(name)}{known}")
    return named[name]


def change_recipe(recipe: R, changes: Mapping[str, object]) -> R:
    """The recipe with other values in fields that only the question depends on. `UsageError` for any other field."""
    changed = make_recipe(type(recipe), changes)
    free = [each.name for each in fields(recipe) if "query_field" in each.metadata]
    if held := [name for name in changes if name not in free]:
        able = ", ".join(free) or "nothing"
        raise UsageError(
            f"{held[0]} cannot change between questions: load the detector with it; what may change is {able}"
        )
    return replace(recipe, **{name: getattr(changed, name) for name in changes})


def fit_recipe(recipe: R, given: Collection[str], image_size: int, depth: Depth) -> tuple[R, list[str]]:
    """The recipe at the model's own image size and depth, but for the `given` fields; and what was changed, in words."""
    fitted: dict[str, object] = {}
    notes: list[str] = []
    for each in fields(recipe):
        value = getattr(recipe, each.name)
        if each.name in given:
            continue
        if each.metadata.get("name", each.name) == "image_size" and image_size not in (
            value,
            each.metadata.get("native"),
        ):
            fitted[each.name] = image_size
            notes.append(f"{each.name} {image_size}, this model's own, instead of the paper's {value}")
        if "of" in each.metadata:
            tower, paper = each.metadata["tower"], each.metadata["of"]
            blocks = getattr(depth, tower)
            ours = each.metadata["others"].get(blocks) or _proportional(value, blocks, paper)
            if ours != value:
                fitted[each.name] = ours
                notes.append(
                    f"{each.name} {ours} for the {blocks} {tower} blocks of this model, instead of {value} of the paper's {paper}"
                )
    return replace(recipe, **fitted), notes


def _numbers(value: object) -> list[int | float]:
    """The numbers in a value of a field."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [value]
    return [number for each in value for number in _numbers(each)] if isinstance(value, tuple | list) else []


def _range(field: Field[object], number: float) -> tuple[float, float]:
    least, most = _RANGE[int if isinstance(number, int) else float]
    own_least, own_most = field.metadata.get("least"), field.metadata.get("most")
    return least if own_least is None else own_least, most if own_most is None else own_most


def _is_or_are(named: Mapping[str, object]) -> str:
    return "is" if len(named) == 1 else "are"


def _proportional(value: Blocks, blocks: int, paper: int) -> Blocks:
    if isinstance(value, int):
        return -(-value * blocks // paper)
    return tuple(dict.fromkeys(-(-each * blocks // paper) for each in value))


def _fits(value: object, hint: object) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        kinds = (str, int) if value else (str, int, float)  # True and 22.0 count nothing; a share is 0 or 0.0
        return type(value) in kinds and value in inner
    if origin is tuple and not inner:
        return value in ((), [])
    if origin is tuple:
        fixed = None if inner[-1] is Ellipsis else len(inner)
        if not isinstance(value, tuple | list) or not value or fixed not in (None, len(value)):
            return False
        return all(_fits(item, inner[0]) for item in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(_fits(k, inner[0]) and _fits(v, inner[1]) for k, v in value.items())
    if inner:
        return any(_fits(value, option) for option in inner)
    if hint is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (isinstance(value, int) or math.isfinite(value)) and value > 0
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and value > 0
    assert isinstance(hint, type)
    return isinstance(value, hint)


def described(hint: object) -> str:
    """What a field of this type may be, in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return ("one of " if len(inner) > 1 else "") + ", ".join(repr(choice) for choice in inner)
    if origin is tuple:
        if not inner:
            return "an empty list"
        return f"a list of {'one or more' if inner[-1] is Ellipsis else len(inner)}, each {described(inner[0])}"
    if origin is Mapping:
        return f"a dictionary of {described(inner[0])} to {described(inner[1])}"
    if inner:
        return " or ".join(described(option) for option in inner)
    words: dict[object, str] = {
        int: "a whole number above 0", float: "a number above 0", bool: "True or False", str: "text", type(None): "None"
    }  # fmt: skip
    return words.get(hint, str(hint))


def _near_word(value: object, hint: object) -> str:
    """The words before `described`, with the nearest of the texts that the field may be."""
    words = [each for part in (hint, *get_args(hint)) for each in get_args(part) if isinstance(each, str)]
    near = nearest(value, words)
    return f"{near} Give " if near else ": give "
