"""Which method runs where none is named."""

import pytest

from oddlens.backbone.cards import CARDS, Card
from oddlens.methods.defaults import default_method
from oddlens.methods.registry import method_cards


@pytest.mark.parametrize("with_references", [False, True])
@pytest.mark.parametrize("model", CARDS, ids=lambda card: card.name)
def test_it_can_run_on_the_model_and_takes_what_is_given(model: Card, with_references: bool) -> None:
    needs = method_cards()[default_method(model, with_references=with_references)].needs
    assert needs.weights == "no"
    assert model.has_text or not needs.text
    assert not with_references or needs.references != "no"
    assert with_references or needs.references != "required" or not model.has_text


def test_a_folder_of_a_model_without_words_counts_as_one() -> None:
    assert default_method(Card(name="folder", layout="dinov2"), with_references=True) == "anomalydino"
    assert default_method(Card(name="folder", layout="open_clip"), with_references=True) == "winclip"
