"""Recipes as they are declared: a frozen dataclass of a paper's settings, whose fields say what may be changed, and how far."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar, Literal, TypeVar

T = TypeVar("T")

Tower = Literal["vision", "text"]

LARGEST_SIDE = 4096
"""Pixels a side that a tower may be given: what it costs grows with the fourth power, and 4096 is 80 times what any paper takes."""

LARGEST_FRAME = 8192
"""Pixels of the shorter side of a frame that is encoded in windows."""


@dataclass(frozen=True)
class Recipe:
    """What all recipes are: the settings of a method as frozen fields whose defaults are the paper's.

    NAMED: fields of variants by the variant's name; `load(recipe="name")` starts from them.
    """

    NAMED: ClassVar[Mapping[str, Mapping[str, object]]] = {}

    @property
    def alone(self) -> Mapping[str, object]:
        """The query fields, with values, under which every image has a score of its own; {} where it has one already.

        Scores of a whole test set at once exist in evaluations only, see `evaluation.set_scores`.
        """
        return {}

    @property
    def is_independent(self) -> bool:
        """Whether what an image gives never depends on the images before it: else there is nothing to calibrate."""
        return True

    def caution(self, model: str) -> str:
        """Why what it gives on a model, by the name of its card, means nothing, in a sentence; "" where it does mean something."""
        return ""


# As `dataclasses.field`, these say that they return the value, so that a field's declared type is checked against its default.


def layer_field(value: T, *, of: int, tower: Tower = "vision", others: Mapping[int, T] | None = None) -> T:
    """A recipe field that counts blocks, from 1, of the paper's tower of `of` blocks: a number or several.

    On a tower of another depth it becomes what the paper takes there (`others`, by the number of blocks), else proportional,
    rounded up: see `fit_recipe`.
    """
    return field(default=value, metadata={"tower": tower, "of": of, "others": others or {}})


def size_field(value: int, *, native: int) -> int:
    """The recipe field `image_size` of a paper that gives its model, whose own size is `native`, images of `value` pixels a side.

    Models of that own size get `value`; others their own size: see `fit_recipe`.
    """
    return field(default=value, metadata={"native": native, "most": LARGEST_SIDE})


def fixed_field(default: T, *, least: float | None = None, most: float | None = None) -> T:
    """A recipe field that is fixed when a detector is loaded. least, most: of its numbers; None: see `_RANGE`."""
    return field(default=default, metadata={"least": least, "most": most})


def added_field(default: T, *, before: T | None = None, query: bool = False) -> T:
    """As `fixed_field`, for a field that earlier recipes did not have: where it has the value meant then, no file names it.

    So results, stations and weights that are older than the field stay what they are: see `methods.recipe.filed_fields`.

    before: The value that was meant; None: the default. query: As `query_field`.
    """
    known = {"added": default if before is None else before}
    return field(default=default, metadata=known | {"query_field": True} if query else known)


def query_field(default: T, *, least: float | None = None, most: float | None = None) -> T:
    """A recipe field that only the question depends on: it may change after the images were encoded (`Detector.predict`).

    least, most: of its numbers; None: see `_RANGE`.
    """
    return field(default=default, metadata={"query_field": True, "least": least, "most": most})


def field_meanings(recipe_type: type) -> dict[str, str]:
    """Field -> what the docstring says of it: what stands between "name: " (or "name, other: ") and the next such words."""
    names = "|".join(each.name for each in fields(recipe_type))
    starts = re.compile(rf"\b((?:{names})(?:,\s+(?:{names}))*):\s")
    text = recipe_type.__doc__ or ""
    found = list(starts.finditer(text))
    meanings: dict[str, str] = {}
    for start, following in zip(found, [*found[1:], None], strict=True):
        meaning = text[start.end() : following.start() if following else len(text)].split("\n\n")[0]
        for name in re.split(r",\s+", start[1]):
            meanings[name] = " ".join(meaning.split()).rstrip(".;")
    return meanings
