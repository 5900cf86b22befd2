"""Recipes: what may be changed, what is refused, and what is fitted to a model and told."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import pytest

from oddlens.errors import UsageError
from oddlens.methods.recipe import Depth, change_recipe, fit_recipe, make_recipe
from oddlens.methods.recipe_fields import fixed_field, layer_field, query_field, size_field
from oddlens.methods.registry import method_card, method_cards, methods_with
from oddlens.methods.winclip.recipe import WinCLIPRecipe


@dataclass(frozen=True)
class Settings:
    """One field of every kind."""

    image_size: int = 240
    temperature: float = 0.07
    blur: bool = False
    mode: Literal["sum", "mean"] = query_field("sum")
    layers: tuple[int, ...] = layer_field((6, 12), of=12)
    taps: tuple[int | str, ...] | None = None
    name: str = "x"
    deep: int = layer_field(8, of=12, tower="text")
    words: str | Mapping[str, tuple[str, ...]] = "none"
    others: tuple[()] | tuple[str, ...] = ()
    pair: tuple[float, float] = (0.5, 0.9)
    count: Literal[22, 1] = 22
    share: Literal[0] | float = fixed_field(0.5, least=0)
    NAMED: ClassVar = {"rough": {"blur": True, "layers": (12,)}}


class TestMaking:
    def test_without_changes_it_is_the_papers(self) -> None:
        assert make_recipe(Settings, {}) == Settings()

    def test_every_kind_of_field_can_be_changed(self) -> None:
        changes: dict[str, Any] = {
            "image_size": 70, "temperature": 1, "blur": True, "mode": "mean", "layers": [1, 2], "taps": ("stem", 3), "name": "y",
        }  # fmt: skip
        assert make_recipe(Settings, changes) == Settings(70, 1, True, "mean", (1, 2), ("stem", 3), "y")
        assert make_recipe(Settings, {"taps": None}).taps is None
        assert make_recipe(Settings, {"share": 0.0}) == make_recipe(Settings, {"share": 0}) == Settings(share=0)

    def test_a_field_may_be_a_dictionary_of_lists_or_an_empty_list(self) -> None:
        words = {"road": ["road", "lane"]}
        assert make_recipe(Settings, {"words": words, "others": ["a"]}).words == words
        assert make_recipe(Settings, {"others": []}).others == ()

    def test_an_unknown_field_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(
            UsageError,
            match=r"no field 'imagesize', did you mean 'image_size'\? Its fields are image_size, temperature, blur",
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
            ("count", 22.0, "one of 22, 1"),
            ("count", True, "one of 22, 1"),
            ("share", False, "0 or a number above 0"),
            ("layers", 6, "a list of one or more, each a whole number above 0"),
            ("layers", [6, "12"], "a list of one or more, each a whole number above 0"),
            ("layers", [0], "a list of one or more, each a whole number above 0"),
            ("layers", [], "a list of one or more, each a whole number above 0"),
            ("taps", "stem", "a list of one or more, each a whole number above 0 or text or None"),
            ("taps", [], "a list of one or more, each a whole number above 0 or text or None"),
            ("pair", [0.5], "a list of 2, each a number above 0"),
            ("pair", [0.5, 0.9, 0.9], "a list of 2, each a number above 0"),
            ("words", 3, "text or a dictionary of text to a list of one or more, each text"),
            ("words", {"road": "lane"}, "text or a dictionary of text to a list of one or more, each text"),
            ("words", {3: ["lane"]}, "text or a dictionary of text to a list of one or more, each text"),
            ("others", "lane", "an empty list or a list of one or more, each text"),
            ("taps", [1.5], "a list of one or more, each a whole number above 0 or text or None"),
        ],
    )
    def test_a_value_of_the_wrong_kind_is_refused_with_what_fits(self, field: str, value: object, wanted: str) -> None:
        with pytest.raises(UsageError) as error:
            make_recipe(Settings, {field: value})
        assert str(error.value) == f"the recipe field {field} cannot be {value!r}: give {wanted}"


class TestBounds:
    """Numbers that no machine can compute with are refused before anything is computed."""

    @pytest.mark.parametrize(
        ("field", "value", "bound"),
        [
            ("temperature", 1e-300, "at least 1e-09"),
            ("temperature", 1e300, r"at most 1e\+09"),
            ("image_size", 10**20, r"at most 1e\+06"),
            ("layers", [1, 10**20], r"at most 1e\+06"),
            ("taps", ["stem", 10**7], r"at most 1e\+06"),
            ("small", 11, "at most 10"),
            ("small", 0.4, "at least 0.5"),
            ("small", 11.0, "at most 10"),
        ],
    )
    def test_a_number_beyond_its_bounds_is_refused_with_the_bound(self, field: str, value: object, bound: str) -> None:
        @dataclass(frozen=True)
        class Bounded(Settings):
            small: float = fixed_field(1.0, least=0.5, most=10)

        with pytest.raises(UsageError, match=f"^the recipe field {field} cannot be .*: give {bound}$"):
            make_recipe(Bounded, {field: value})

    @pytest.mark.parametrize("method", method_cards())
    def test_every_methods_own_numbers_are_within_theirs(self, method: str) -> None:
        recipe_type = method_card(method).recipe
        assert make_recipe(recipe_type, asdict(make_recipe(recipe_type, {}))) == make_recipe(recipe_type, {})
        for named in getattr(recipe_type, "NAMED", {}):
            make_recipe(recipe_type, {"recipe": named})

    @pytest.mark.parametrize(
        ("method", "field", "value"),
        [
            *((method, "image_size", 30_000) for method in method_cards()),
            ("vl4ad", "short_side", 10**6),
            ("vl4ad", "window", 10**6),
            ("anovl", "steps", 10**6),
            ("anovl", "seed", 10**20),
            ("anovl", "learning_rate", 1e300),
            ("anovl", "noise", 1e300),
            ("anovl", "hard_weight", 1e300),
            ("anomalyclip", "sigma", 1e6),
            ("patch-knn", "top", 1.5),
            ("patch-knn", "smoothing", 1e6),
            ("patch-knn", "turns", 10**6),
            *(
                (method, "temperature", value)
                for method in methods_with("temperature", WinCLIPRecipe)
                for value in (1e-300, 1e300)
            ),
        ],
    )
    def test_what_would_take_all_time_or_memory_or_give_no_number_is_refused(
        self, method: str, field: str, value: object
    ) -> None:
        with pytest.raises(UsageError, match=f"the recipe field {field} cannot be"):
            make_recipe(method_card(method).recipe, {field: value})

    def test_a_value_of_any_size_is_reported_in_one_short_sentence(self) -> None:
        deep: list[object] = []
        for _ in range(3000):
            deep = [deep]
        for field in ("temperature", "image_size", "mode"):
            for value in (deep, "x" * 10**6, 10**5000, list(range(10**5)), float("nan")):
                with pytest.raises(UsageError) as error:
                    make_recipe(Settings, {field: value})
                assert len(str(error.value)) < 400
                assert str(error.value).isprintable()
        with pytest.raises(UsageError, match="has no recipe named"):
            make_recipe(Settings, {"recipe": ["rough"]})


class TestNamedRecipes:
    def test_a_named_recipe_is_a_start_that_other_fields_change(self) -> None:
        assert make_recipe(Settings, {"recipe": "rough"}) == Settings(blur=True, layers=(12,))
        assert make_recipe(Settings, {"recipe": "rough", "layers": [3]}) == Settings(blur=True, layers=(3,))

    def test_an_unknown_name_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(UsageError, match="Settings has no recipe named 'fine': there is rough"):
            make_recipe(Settings, {"recipe": "fine"})


class TestChanging:
    def test_a_field_of_the_question_may_change(self) -> None:
        assert change_recipe(Settings(temperature=1.0), {"mode": "mean"}) == Settings(temperature=1.0, mode="mean")

    def test_any_other_is_refused_with_those_that_may(self) -> None:
        with pytest.raises(UsageError, match=r"blur cannot change between questions: .*; what may change is mode"):
            change_recipe(Settings(), {"mode": "mean", "blur": True})

    def test_what_is_refused_in_making_is_refused_here(self) -> None:
        with pytest.raises(UsageError, match="the recipe field mode cannot be 'max'"):
            change_recipe(Settings(), {"mode": "max"})


class TestFitting:
    PAPERS = Depth(vision=12, text=12)

    def test_the_papers_recipe_on_the_papers_model_is_not_worth_a_word(self) -> None:
        assert fit_recipe(Settings(), (), 240, self.PAPERS) == (Settings(), [])

    def test_the_image_size_becomes_the_models_own_and_that_is_reported(self) -> None:
        recipe, notes = fit_recipe(Settings(), (), 224, self.PAPERS)
        assert recipe == Settings(image_size=224)
        assert notes == ["image_size 224, this model's own, instead of the paper's 240"]

    def test_a_paper_that_enlarges_its_pictures_does_so_on_models_of_its_own_size_only(self) -> None:
        @dataclass(frozen=True)
        class Enlarged:
            image_size: int = size_field(518, native=336)

        for native in (336, 518):
            assert fit_recipe(Enlarged(), (), native, self.PAPERS) == (Enlarged(518), [])
        recipe, notes = fit_recipe(Enlarged(), (), 224, self.PAPERS)
        assert recipe == Enlarged(224)
        assert notes == ["image_size 224, this model's own, instead of the paper's 518"]

    def test_layers_become_proportional_rounded_up_and_that_is_reported(self) -> None:
        recipe, notes = fit_recipe(Settings(), (), 240, Depth(vision=5, text=3))
        assert recipe == Settings(layers=(3, 5), deep=2)
        assert notes == [
            "layers (3, 5) for the 5 vision blocks of this model, instead of (6, 12) of the paper's 12",
            "deep 2 for the 3 text blocks of this model, instead of 8 of the paper's 12",
        ]

    def test_layers_that_fall_together_are_one(self) -> None:
        assert fit_recipe(Settings(), ("deep",), 240, Depth(vision=1, text=1))[0] == Settings(layers=(1,))

    def test_what_was_given_stays(self) -> None:
        given = Settings(image_size=70, layers=(2,))
        assert fit_recipe(given, ("image_size", "layers", "deep"), 224, Depth(4, 3)) == (given, [])
