"""Recipes: what may be changed, what is refused, and what is fitted to a model and told."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from oddlens.errors import UsageError
from oddlens.methods.recipe import fit_image_size, make_recipe


@dataclass(frozen=True)
class Settings:
    """One field of every kind."""

    image_size: int = 240
    temperature: float = 0.07
    blur: bool = False
    mode: Literal["sum", "mean"] = "sum"
    layers: tuple[int, ...] = (6, 12)
    taps: tuple[int | str, ...] | None = None
    name: str = "x"


class TestMaking:
    def test_without_changes_it_is_the_papers(self) -> None:
        assert make_recipe(Settings, {}) == Settings()

    def test_every_kind_of_field_can_be_changed(self) -> None:
        changes: dict[str, Any] = {
            "image_size": 70, "temperature": 1, "blur": True, "mode": "mean", "layers": [1, 2], "taps": ("stem", 3), "name": "y",
        }  # fmt: skip
        assert make_recipe(Settings, changes) == Settings(70, 1, True, "mean", (1, 2), ("stem", 3), "y")
        assert make_recipe(Settings, {"taps": None}).taps is None

    def test_an_unknown_field_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(
            UsageError, match="Settings has no field 'imagesize': its fields are image_size, temperature, blur"
        ):
            make_recipe(Settings, {"imagesize": 70})

    @pytest.mark.parametrize(
        ("field", "value", "wanted"),
        [
            ("image_size", "70", "a whole number above 0"),
            ("image_size", 70.0, "a whole number above 0"),
            ("image_size", True, "a whole number above 0"),
            ("image_size", 0, "a whole number above 0"),
            ("image_size", -5, "a whole number above 0"),
            ("image_size", None, "a whole number above 0"),
            ("temperature", 0, "a number above 0"),
            ("temperature", "0.1", "a number above 0"),
            ("temperature", float("nan"), "a number above 0"),
            ("temperature", float("inf"), "a number above 0"),
            ("blur", 1, "True or False"),
            ("mode", "max", "one of 'sum', 'mean'"),
            ("mode", None, "one of 'sum', 'mean'"),
            ("layers", 6, "a list of one or more, each a whole number above 0"),
            ("layers", [6, "12"], "a list of one or more, each a whole number above 0"),
            ("layers", [0], "a list of one or more, each a whole number above 0"),
            ("layers", [], "a list of one or more, each a whole number above 0"),
            ("taps", "stem", "a list of one or more, each a whole number above 0 or text or None"),
            ("taps", [], "a list of one or more, each a whole number above 0 or text or None"),
            ("taps", [1.5], "a list of one or more, each a whole number above 0 or text or None"),
        ],
    )
    def test_a_value_of_the_wrong_kind_is_refused_with_what_fits(self, field: str, value: object, wanted: str) -> None:
        with pytest.raises(UsageError) as error:
            make_recipe(Settings, {field: value})
        assert str(error.value) == f"the recipe field {field} cannot be {value!r}: give {wanted}"


class TestFitting:
    def test_the_papers_size_on_the_papers_model_is_not_worth_a_word(self) -> None:
        assert fit_image_size(Settings(), {}, 240) == (Settings(), [])

    def test_on_another_model_it_is_the_models_own_and_told(self) -> None:
        recipe, notes = fit_image_size(Settings(), {}, 224)
        assert recipe == Settings(image_size=224)
        assert notes == ["image_size 224, this model's own, instead of the paper's 240"]

    def test_a_size_given_by_hand_stays(self) -> None:
        assert fit_image_size(Settings(image_size=70), {"image_size": 70}, 224) == (Settings(image_size=70), [])
        assert fit_image_size(Settings(), {"image_size": 240}, 224) == (Settings(), [])
