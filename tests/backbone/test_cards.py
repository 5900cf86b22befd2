"""The cards: names are found, and what they tell fits together."""

import pytest

from oddlens.backbone.cards import CARDS, MINI, Card, find_card
from oddlens.backbone.hub import is_hub_id
from oddlens.methods.registry import method_cards


def test_a_card_is_found_by_name_or_hub_id() -> None:
    (card,) = (card for card in CARDS if card.name == "openai-vit-l-14-336")
    for name in (
        "openai-vit-l-14-336",
        "openai/clip-vit-large-patch14-336",
        "hf-hub:openai/clip-vit-large-patch14-336",
    ):
        assert find_card(name) == card
    assert find_card("mini") is MINI


@pytest.mark.parametrize("name", ["", "hf-hub:", "clip", "openai/clip"])
def test_an_unknown_one_is_none(name: str) -> None:
    assert find_card(name) is None


def test_no_two_have_the_same_name_or_hub_id() -> None:
    assert len({card.name for card in CARDS}) == len(CARDS)
    assert len({card.hub_id for card in CARDS}) == len(CARDS)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_its_numbers_fit_together(card: Card) -> None:
    assert card.image_size % card.patch_size == (6 if card.name == "siglip-so400m-patch14-384" else 0)
    assert card.width % 64 == 0
    assert card.layers in {4, 12, 24, 27, 32, 36, 40}
    assert 0 < card.embed_dim <= card.width if card.has_text else card.embed_dim == 0
    assert card.size_mb > 0
    assert card.paper != "unknown"
    assert all(0 < value < 1 for value in (*card.mean, *card.std))
    assert card.licence in {"MIT", "Apache-2.0"}
    assert all(len(digest) == 64 for _, digest in card.sha256)


def test_digests_are_sha256() -> None:
    digests = [digest for card in CARDS for _, digest in card.sha256]
    assert len(digests) >= 5
    assert all(len(digest) == 64 and int(digest, 16) for digest in digests)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_it_can_be_fetched_and_is_of_one_kind(card: Card) -> None:
    assert card is MINI or is_hub_id(card.hub_id)
    assert card.has_text == (card.kind != "DINOv2")
    assert card.layout in {"CLIP": {"embedded", "open_clip", "transformers"}, "ConvNeXt CLIP": {"open_clip"}}.get(
        card.kind, {card.kind.lower()}
    )
    assert card.registers == (4 if "registers" in card.name else 0)
    assert {name: len(digest) for name, digest in card.sha256} == {name: 64 for name, _ in card.sha256}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_it_names_no_method(card: Card) -> None:
    said = repr(card).casefold()
    assert [name for name, method in method_cards().items() if name in said or method.title.casefold() in said] == []
