"""What the fields of a recipe are, for people."""

import re
from dataclasses import dataclass, fields
from typing import Literal

import pytest

from oddlens.methods.recipe_fields import Recipe, fixed_field, query_field
from oddlens.methods.recipe_help import FieldHelp, recipe_help
from oddlens.methods.registry import method_cards


@dataclass(frozen=True)
class Toasting(Recipe):
    """The settings of a toaster.

    slices: how many at once; more do
    not fit. heat, glow: of the wire.

    mode: "soft" or "crisp". See `Toaster`.
    """

    slices: int = fixed_field(2, most=4)
    heat: float = query_field(1.5)
    glow: float | None = None
    mode: Literal["soft", "crisp"] = query_field("soft")
    tray: bool = False


def test_each_field_has_its_value_kind_and_what_the_docstring_says_of_it() -> None:
    assert recipe_help(Toasting) == (
        FieldHelp("slices", 2, "a whole number above 0, at most 4", False, "how many at once; more do not fit"),
        FieldHelp("heat", 1.5, "a number above 0", True, "of the wire"),
        FieldHelp("glow", None, "a number above 0 or None", False, "of the wire"),
        FieldHelp("mode", "soft", "one of 'soft', 'crisp'", True, '"soft" or "crisp". See `Toaster`'),
        FieldHelp("tray", False, "True or False", False, ""),
    )


@pytest.mark.parametrize("name", method_cards())
def test_every_field_of_every_method_is_explained(name: str) -> None:
    recipe = method_cards()[name].recipe
    explained = recipe_help(recipe)
    assert [each.name for each in explained] == [each.name for each in fields(recipe)]
    assert not [each.name for each in explained if not each.meaning or not each.kind]


@pytest.mark.parametrize("name", method_cards())
def test_no_meaning_is_cut_by_a_sentence_that_looks_like_the_next_field(name: str) -> None:
    """The words "at each place: the map" once ended what was said of one field, and became what was said of the field `place`."""
    recipe = method_cards()[name].recipe
    names = "|".join(each.name for each in fields(recipe))
    found = re.findall(rf"\b((?:{names})(?:,\s+(?:{names}))*):\s", recipe.__doc__ or "")
    explained = [each for group in found for each in re.split(r",\s+", group)]
    assert explained == list(dict.fromkeys(explained))
