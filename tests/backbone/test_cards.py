"""The cards: names are found, and what they tell fits together."""

import pytest

from oddlens.backbone.cards import CARDS, MINI, Card, find_card


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
