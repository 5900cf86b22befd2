"""The methods by name: their cards, found without torch."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from oddlens.backbone.cards import CARDS
from oddlens.errors import OddlensWarning, UsageError
from oddlens.methods import registry
from oddlens.methods.base import method_class
from oddlens.methods.card import MethodCard
from oddlens.methods.registry import (
    GROUP,
    authors_names,
    installed_cards,
    method_card,
    method_cards,
    method_of_weights,
    methods_with,
    register,
)
from oddlens.methods.winclip.card import CARD as WINCLIP
from oddlens.methods.winclip.recipe import WinCLIPRecipe
from oddlens.training.vl4ad import DecoderTraining

EVERY = pytest.mark.parametrize("card", method_cards().values(), ids=list(method_cards()))

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # importing it raises ImportError
from oddlens.methods.recipe import make_recipe
from oddlens.methods.registry import method_cards, method_of_weights, methods_with
for card in method_cards().values():
    make_recipe(card.recipe, {})
assert method_of_weights(["prompt_learner.ctx_pos"]) == "anomalyclip"
assert methods_with("alpha", beside=method_cards()["winclip"].recipe) == ["vl4ad"]
"""


@EVERY
class TestEveryCard:
    def test_it_leads_to_the_class_of_the_method(self, card: MethodCard) -> None:
        made = method_class(card)
        assert made.card is card
        assert card.home.startswith("oddlens.methods.")

    def test_it_says_in_one_line_each_what_a_table_shows(self, card: MethodCard) -> None:
        for line in (card.title, card.paper, card.citation, card.purpose, card.backbone):
            assert 0 < len(line) < 120
            assert line == " ".join(line.split())

    def test_its_papers_models_are_among_the_model_cards(self, card: MethodCard) -> None:
        assert set(card.models) <= {model.name for model in CARDS}

    def test_its_options_set_fields_of_its_recipe(self, card: MethodCard) -> None:
        names = {each.name for each in fields(card.recipe)}
        for option in card.options:
            assert option.field in names
            assert option.help.endswith(".")
            assert bool(option.metavar) == (option.type is not bool)

    def test_what_is_trained_by_us_needs_weights(self, card: MethodCard) -> None:
        assert card.trainable is None or card.needs.weights != "no"


def test_the_cards_need_no_torch() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr


def test_no_two_methods_share_an_option_with_other_meanings() -> None:
    flags = [option.flag for card in method_cards().values() for option in card.options]
    assert len(set(flags)) == len(flags)


def test_the_papers_models() -> None:
    assert {name: card.models for name, card in method_cards().items() if card.models} == {
        "winclip": ("laion400m-vit-b-16-plus-240-e31",),
        "april-gan": ("openai-vit-l-14-336",),
        "anomalyclip": ("openai-vit-l-14-336",),
        "anovl": ("laion400m-vit-b-16-plus-240-e32",),
        "subspacead": ("dinov2-with-registers-giant",),
        "anomalydino": ("dinov2-small",),
        "musc": ("openai-vit-l-14-336", "dinov2-base", "dinov2-large"),
    }


def test_only_anovl_calls_both_macaronis_by_one_name() -> None:
    renamed = {name: dict(card.object_names) for name, card in method_cards().items() if card.object_names}
    assert renamed == {"anovl": {"macaroni1": "macaroni", "macaroni2": "macaroni"}}
    assert authors_names("anovl") == renamed["anovl"]
    assert authors_names("winclip") == authors_names("of nobody") == {}


@pytest.mark.parametrize("name", ["winclip", "WinCLIP", "WINCLIP"])
def test_a_name_may_have_any_case_of_letters(name: str) -> None:
    assert method_card(name).name == "winclip"


@pytest.mark.parametrize("name", ["", "patchcore", 3, None])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=f"there is no method {name!r}: choose one of winclip, .*vl4ad"):
        method_card(name)


def test_for_a_name_that_is_nearly_right_the_right_one_is_suggested() -> None:
    with pytest.raises(UsageError, match=r"there is no method 'anomaly-clip', did you mean 'anomalyclip'\?"):
        method_card("anomaly-clip")


def test_whose_field_it_is_can_be_asked_beside_a_methods_recipe_only() -> None:
    assert methods_with("alpha", beside=WinCLIPRecipe) == ["vl4ad"]
    assert methods_with("image_size", beside=WinCLIPRecipe) == list(method_cards())
    assert methods_with("wings", beside=WinCLIPRecipe) == []
    assert methods_with("alpha", beside=DecoderTraining) == []


def test_weights_are_known_by_a_tensor_of_theirs_whatever_stands_before_its_name() -> None:
    assert method_of_weights(["state_dict.trainable_linearlayer.fc.0.weight"]) == "april-gan"
    assert method_of_weights(["prompt_learner.ctx_pos", "other"]) == "anomalyclip"
    assert method_of_weights(["xfc.0.weight"]) is None


OURS = replace(WINCLIP, name="our-clip", title="OurCLIP")
"""What a package in these tests names as its method."""
NO_CARD = "no card"


class TestMethodsOfOthers:
    @pytest.fixture(autouse=True)
    def for_this_test_alone(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(registry, "_CARDS", dict(method_cards()))
        registry._register_packages.cache_clear()
        yield
        registry._register_packages.cache_clear()

    def installed(self, monkeypatch: pytest.MonkeyPatch, **named: str) -> None:
        """Packages that are installed as far as Python says, each with a method."""
        found = EntryPoints(EntryPoint(name, value, GROUP) for name, value in named.items())
        monkeypatch.setattr("importlib.metadata.entry_points", lambda *, group: found.select(group=group))

    def test_a_program_registers_its_own(self) -> None:
        register(OURS)
        register(OURS)  # a cell of a notebook runs twice
        assert method_card("our-clip") is method_card("Our-CLIP") is method_cards()["our-clip"] is OURS

    @pytest.mark.parametrize("name", ["", "Ours", "our clip", "winclip+ours", "../ours", "-ours", 7, ["ours"]])
    def test_a_name_that_cannot_be_written_everywhere_is_refused(self, name: str) -> None:
        with pytest.raises(UsageError, match=r"cannot be called .*: give small letters and digits, with hyphens"):
            register(replace(OURS, name=name))

    def test_no_method_takes_the_name_of_another(self) -> None:
        with pytest.raises(UsageError, match="there is a method 'winclip' already: give yours another name"):
            register(replace(OURS, name="winclip"))
        assert method_card("winclip") is WINCLIP

    def test_what_is_no_card_is_refused(self) -> None:
        with pytest.raises(UsageError, match="'ours' is no MethodCard: give the card of the method"):
            register("ours")  # type: ignore[arg-type]

    def test_that_of_a_package_is_found_by_its_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installed(monkeypatch, ours=f"{__name__}:OURS")
        assert "our-clip" not in method_cards()
        assert method_card("our-clip") is OURS
        assert method_card("our-clip+patch-knn").name == "our-clip+patch-knn"

    def test_all_are_listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installed(monkeypatch, ours=f"{__name__}:OURS")
        assert list(installed_cards())[-1] == "our-clip"

    @pytest.mark.parametrize(
        ("home", "reason"),
        [
            ("nobodys.package:CARD", "ModuleNotFoundError: No module named 'nobodys'"),
            (f"{__name__}:NOTHING", "AttributeError: .*NOTHING"),
            (f"{__name__}:NO_CARD", "'no card' is no MethodCard"),
        ],
    )
    def test_a_package_that_cannot_be_used_is_named_and_the_others_can(
        self, monkeypatch: pytest.MonkeyPatch, home: str, reason: str
    ) -> None:
        self.installed(monkeypatch, broken=home, ours=f"{__name__}:OURS")
        with pytest.warns(OddlensWarning, match=rf"the method broken of the package .* cannot be used: {reason}"):
            assert method_card("our-clip") is OURS


def test_what_people_may_give_a_station_of_a_method_comes_from_its_card() -> None:
    takes = {
        name: method_card(name).takes for name in ("winclip", "anomalyclip", "vl4ad", "patch-knn", "winclip+patch-knn")
    }
    assert takes == {
        "winclip": ("references", "object_name", "defect_memory"),
        "anomalyclip": (),
        "vl4ad": (),
        "patch-knn": ("references", "defect_memory"),
        "winclip+patch-knn": ("references", "object_name", "defect_memory"),
    }
