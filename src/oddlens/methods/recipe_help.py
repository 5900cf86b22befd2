"""What the fields of a recipe are, for people: value, kind, range and meaning, out of the recipe's own declaration."""

from __future__ import annotations

import json
from dataclasses import MISSING, Field, dataclass, fields
from typing import get_type_hints

from oddlens.methods.recipe import described
from oddlens.methods.recipe_fields import Recipe, field_meanings


@dataclass(frozen=True)
class FieldHelp:
    """One field of a recipe.

    Attributes:
        name: As `--set` and `oddlens.load` take it.
        value: What it is unless it is set: the paper's value.
        kind: What it may be, in words.
        may_change: Whether it may change after the images were encoded (`Detector.predict`).
        meaning: From the recipe's docstring.
    """

    name: str
    value: object
    kind: str
    may_change: bool
    meaning: str


def recipe_help(recipe_type: type[Recipe]) -> tuple[FieldHelp, ...]:
    """The fields of a recipe, in their order."""
    hints = get_type_hints(recipe_type)
    meanings = field_meanings(recipe_type)
    return tuple(
        FieldHelp(
            each.name,
            _value(each),
            described(hints[each.name]) + _bound(each),
            "query_field" in each.metadata,
            meanings.get(each.name, ""),
        )
        for each in fields(recipe_type)
    )


def shown(value: object) -> str:
    """A value as `--set` takes it: text as it is, all else as JSON.

    Example:
        >>> shown("bicubic"), shown((2, 3)), shown(None), shown(True)
        ('bicubic', '[2, 3]', 'null', 'true')
    """
    return value if isinstance(value, str) else json.dumps(value)


def _value(field: Field[object]) -> object:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _bound(field: Field[object]) -> str:
    """The most that numbers of the field may be, where the field says it."""
    most = field.metadata.get("most")
    return "" if most is None else f", at most {most:g}"
