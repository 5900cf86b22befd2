"""The methods by name."""

import pytest

from oddlens.errors import UsageError
from oddlens.methods.registry import METHODS, method_class, methods_with
from oddlens.methods.winclip.method import WinCLIP
from oddlens.training.vl4ad import DecoderTraining


@pytest.mark.parametrize("name", METHODS)
def test_every_name_leads_to_a_class_with_a_recipe(name: str) -> None:
    made = method_class(name)
    assert made.recipe_type().image_size > 0


def test_winclip_is_one_of_them() -> None:
    assert method_class("winclip") is WinCLIP


def test_the_letters_of_a_name_may_be_of_any_case() -> None:
    assert method_class("WinCLIP") is WinCLIP


@pytest.mark.parametrize("name", ["", "patchcore"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=f"there is no method '{name}': choose one of .*winclip"):
        method_class(name)


def test_whose_field_it_is_can_be_asked_beside_a_methods_recipe_only() -> None:
    assert methods_with("alpha", beside=WinCLIP.recipe_type) == ["vl4ad"]
    assert methods_with("image_size", beside=WinCLIP.recipe_type) == list(METHODS)
    assert methods_with("wings", beside=WinCLIP.recipe_type) == []
    assert methods_with("alpha", beside=DecoderTraining) == []
