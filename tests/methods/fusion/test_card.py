"""Two methods under one name: which can run as one, and what the card says of them."""

from dataclasses import dataclass, fields, replace

import pytest

from oddlens.errors import UsageError
from oddlens.methods.fusion.card import fusion_card
from oddlens.methods.recipe import make_recipe
from oddlens.methods.recipe_fields import Recipe, fixed_field
from oddlens.methods.registry import authors_names, method_card


def test_the_method_that_scores_by_words_stands_first() -> None:
    assert method_card("winclip+patch-knn").name == "winclip+patch-knn"
    assert method_card("Patch-KNN + WinCLIP").name == "winclip+patch-knn"
    assert method_card("winclip+anovl").name == "anovl+winclip"


def test_it_needs_what_both_need() -> None:
    needs = method_card("winclip+patch-knn").needs
    winclip, knn = method_card("winclip").needs, method_card("patch-knn").needs
    assert (needs.references, needs.least, needs.set, needs.weights) == ("required", 2, "no", "no")
    assert needs.capabilities == winclip.capabilities | knn.capabilities


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("winclip+nope", r"there is no method 'nope'"),
        ("winclip+winclip", r"^winclip\+winclip cannot be joined: name a method that scores without good examples and one"),
        ("winclip+anomalyclip", r"^winclip\+anomalyclip cannot be joined: anomalyclip needs learned weights"),
        ("patch-knn+subspacead", r"^patch-knn\+subspacead cannot be joined: name a method that scores without"),
        ("winclip+musc", r"^winclip\+musc cannot be joined: musc takes a pool of unlabelled images, and both"),
        ("winclip+patch-knn+anovl", r"^winclip\+patch-knn\+anovl names 3 methods: two can run as one"),
    ],
)  # fmt: skip
def test_what_cannot_run_as_one(name: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        method_card(name)


def test_objects_are_called_as_by_the_method_that_reads_words() -> None:
    assert authors_names("winclip+patch-knn") == authors_names("winclip")
    assert authors_names("nope+patch-knn") == {}


class TestTheRecipe:
    def test_has_the_fields_of_both_under_their_methods_names(self) -> None:
        recipe = make_recipe(
            method_card("winclip+patch-knn").recipe, {"winclip_temperature": 0.05, "patch_knn_top": 0.02}
        )
        words, examples = recipe.parts  # type: ignore[attr-defined]
        assert words == make_recipe(method_card("winclip").recipe, {"temperature": 0.05})
        assert examples == make_recipe(method_card("patch-knn").recipe, {"top": 0.02})

    def test_both_share_the_activation(self) -> None:
        recipe = make_recipe(method_card("winclip+patch-knn").recipe, {"activation": "quick_gelu"})
        assert [each.activation for each in recipe.parts] == ["quick_gelu", "quick_gelu"]  # type: ignore[attr-defined]
        assert not any(each.name.endswith("_activation") for each in fields(recipe))

    def test_refuses_what_a_method_refuses(self) -> None:
        with pytest.raises(UsageError, match="the recipe field patch_knn_top cannot be 2: give at most 1"):
            make_recipe(method_card("winclip+patch-knn").recipe, {"patch_knn_top": 2})
        with pytest.raises(UsageError, match="has no field 'temperature'"):
            make_recipe(method_card("winclip+patch-knn").recipe, {"temperature": 2})

    def test_depends_on_images_before_where_one_method_does(self) -> None:
        recipe = method_card("anovl+patch-knn").recipe
        assert make_recipe(recipe, {}).is_independent
        assert not make_recipe(recipe, {"anovl_optimiser": "kept"}).is_independent


def test_a_recipe_of_others_without_the_field_that_both_share_is_refused() -> None:
    @dataclass(frozen=True)
    class OursRecipe(Recipe):
        image_size: int = fixed_field(224)

    ours = replace(method_card("patch-knn"), name="ours", recipe=OursRecipe)
    with pytest.raises(
        UsageError, match=r"^winclip\+ours cannot be joined: the recipe of ours has no field activation"
    ):
        fusion_card(method_card("winclip"), ours)
