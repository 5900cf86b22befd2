"""Recipe fields on the command line: pairs, and the options that methods add to `detect`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from oddlens.cli.settings import overrides_by_method, recipe_overrides
from oddlens.errors import UsageError
from oddlens.methods.registry import method_cards
from tests.cli.program import Done, run
from tests.tiny_clip import Weights, write_openai_state

Detect = Callable[..., Done]


def test_values_are_json_where_they_read_as_it_else_text() -> None:
    found = recipe_overrides(["views=1", "adapt=false", " layers = [1, 2]", "domain=texture"])
    assert found == {"views": 1, "adapt": False, "layers": [1, 2], "domain": "texture"}


def test_options_that_were_not_given_set_nothing() -> None:
    assert recipe_overrides(["seed=3"], {"adapt": None, "views": 22}) == {"views": 22, "seed": 3}


@pytest.mark.parametrize("settings", [["views=22"], ["seed=1", "seed=2"]])
def test_a_field_takes_one_value(settings: list[str]) -> None:
    with pytest.raises(UsageError, match="is given more than once"):
        recipe_overrides(settings, {"views": 1})


def test_of_several_methods_a_field_is_of_all_or_of_the_one_that_is_named() -> None:
    settings = ["image_size=64", "vl4ad.classes=my.toml", "vl4ad.image_size=80", "label=a.b"]
    assert overrides_by_method(settings, ["winclip", "vl4ad"]) == {
        "winclip": {"image_size": 64, "label": "a.b"},
        "vl4ad": {"image_size": 80, "label": "a.b", "classes": "my.toml"},
    }


def test_a_field_of_a_method_that_does_not_run_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'anovl\.views=1' is of a method that does not run: here run winclip, vl4ad"):
        overrides_by_method(["anovl.views=1"], ["winclip", "vl4ad"])


def test_a_field_of_all_methods_gives_way_to_one_of_a_method_in_any_case_of_letters() -> None:
    assert overrides_by_method(["activation=quick_gelu", "VL4AD.activation=gelu"], ["winclip", "vl4ad"]) == {
        "winclip": {"activation": "quick_gelu"},
        "vl4ad": {"activation": "gelu"},
    }


def test_an_activation_reaches_a_weights_file_that_does_not_say_it(
    parts: Path, tmp_path: Path, weights: Weights
) -> None:
    path = write_openai_state(tmp_path / "ViT.pt", weights)
    done = run("detect", parts, "--model", path)
    assert done.code == 2
    assert "(on the command line --set activation=) quick_gelu for OpenAI's" in done.sentence
    scores = {
        activation: [
            record["score"]
            for record in run("detect", parts, "--model", path, "--set", f"activation={activation}", "--json").records
        ]
        for activation in ("gelu", "quick_gelu")
    }
    assert all(scores.values())
    assert scores["gelu"] != scores["quick_gelu"]


def test_a_field_of_one_method_takes_one_value() -> None:
    with pytest.raises(UsageError, match="alpha is given more than once"):
        overrides_by_method(["vl4ad.alpha=0.1", "vl4ad.alpha=0.2"], ["vl4ad"])


def test_an_option_of_all_methods_gives_way_to_no_field() -> None:
    for setting in ("fit=pad", "winclip.fit=pad"):
        with pytest.raises(UsageError, match="fit is given more than once: give it one value"):
            overrides_by_method([setting], ["winclip", "vl4ad"], {"fit": "crop"})
    assert overrides_by_method([], ["winclip"], {"fit": "crop"}) == {"winclip": {"fit": "crop"}}


@pytest.mark.parametrize("verb", ["detect", "benchmark"])
def test_help_names_every_method(verb: str) -> None:
    words = run(verb, "--help").out.split()
    assert set(method_cards()) <= {word.rstrip(",.;") for word in words}


class TestOptionsOfDetect:
    def recipe(self, out: Path) -> dict[str, object]:
        told: dict[str, object] = json.loads((out / "run.json").read_text())["run"]["recipe"]
        return told

    @pytest.mark.parametrize(("option", "adapt"), [("--adapt", True), ("--no-adapt", False)])
    def test_they_are_fields_of_the_recipe(
        self, detect: Detect, parts: Path, tmp_path: Path, option: str, adapt: bool
    ) -> None:
        done = detect(parts, "--method", "anovl", option, "--views", 1, "--out", tmp_path / "out", "--write", "maps")
        assert done.code == 0
        assert (self.recipe(tmp_path / "out")["adapt"], self.recipe(tmp_path / "out")["views"]) == (adapt, 1)

    def test_without_them_the_methods_own_values_hold(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        assert detect(parts, "--method", "anovl", "--out", tmp_path / "out", "--write", "maps").code == 0
        assert (self.recipe(tmp_path / "out")["adapt"], self.recipe(tmp_path / "out")["views"]) == (True, 22)

    @pytest.mark.parametrize(("option", "flag"), [(["--no-adapt"], "--no-adapt"), (["--views", 1], "--views")])
    def test_one_of_another_method_is_refused_with_the_method_that_has_it(
        self, detect: Detect, parts: Path, option: list[object], flag: str
    ) -> None:
        done = detect(parts, *option)
        assert done.code == 2
        assert done.sentence.startswith("--")
        assert done.sentence.endswith("is an option of anovl, not of winclip: leave it out, or add --method anovl")
        assert flag in done.sentence

    @pytest.mark.parametrize("name", ["anovl", "AnoVL"])
    def test_the_help_of_a_method_shows_them(self, name: str) -> None:
        text = run("detect", "--method", name, "--help").out
        assert "--adapt / --no-adapt" in text
        assert "--views N" in text
        assert "--classes" not in text

    def test_the_help_without_a_method_shows_none(self) -> None:
        text = run("detect", "--help").out
        assert not [
            option.flag for card in method_cards().values() for option in card.options if f"  {option.flag}" in text
        ]

    def test_a_station_brings_them(self, detect: Detect, parts: Path) -> None:
        done = run("detect", parts, "--station", "anywhere", "--views", 1)
        assert done.code == 2
        assert done.sentence.startswith("--station brings method, model, weights, references and settings")

    def test_another_number_of_views_is_refused(self, detect: Detect, parts: Path) -> None:
        done = detect(parts, "--method", "anovl", "--views", 7)
        assert done.code == 2
        assert done.sentence == "the recipe field views cannot be 7: give one of 22, 1"

    def test_references_are_refused(self, detect: Detect, parts: Path) -> None:
        done = detect(parts, "--method", "anovl", "--views", 1, "--reference", parts)
        assert done.code == 2
        assert "anovl takes no good examples: leave the references out" in done.sentence


def test_a_value_that_is_nested_too_deeply_counts_as_text() -> None:
    assert recipe_overrides(["window_sizes=" + "[" * 100_000])["window_sizes"] == "[" * 100_000
