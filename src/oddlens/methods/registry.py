"""The methods by name. This is the one place that knows which there are. No torch is needed to know them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from types import MappingProxyType

from oddlens.errors import UsageError, known_name
from oddlens.methods.anomaly_clip.card import CARD as ANOMALY_CLIP
from oddlens.methods.anomalydino.card import CARD as ANOMALYDINO
from oddlens.methods.anovl.card import CARD as ANOVL
from oddlens.methods.april_gan.card import CARD as APRIL_GAN
from oddlens.methods.card import MethodCard
from oddlens.methods.fusion.card import SIGN, fusion_card
from oddlens.methods.musc.card import CARD as MUSC
from oddlens.methods.patch_knn.card import CARD as PATCH_KNN
from oddlens.methods.subspacead.card import CARD as SUBSPACEAD
from oddlens.methods.vl4ad.card import CARD as VL4AD
from oddlens.methods.winclip.card import CARD as WINCLIP

_CARDS = MappingProxyType(
    {
        card.name: card
        for card in (WINCLIP, APRIL_GAN, ANOMALY_CLIP, ANOVL, VL4AD, PATCH_KNN, SUBSPACEAD, ANOMALYDINO, MUSC)
    }
)


def method_cards() -> Mapping[str, MethodCard]:
    """The cards of all methods by name."""
    return _CARDS


def method_card(name: str) -> MethodCard:
    """The card of a method, its name in any case of letters, or of two that run as one: "winclip+patch-knn".

    Raises `UsageError` for an unknown name, and for two methods that cannot run as one.
    """
    if not isinstance(name, str) or SIGN not in name:
        return _CARDS[known_name("method", name, _CARDS)]
    cards = [_CARDS[known_name("method", part.strip(), _CARDS)] for part in name.split(SIGN)]
    if len(cards) != 2:
        raise UsageError(f"{name} names {len(cards)} methods: two can run as one, as winclip{SIGN}patch-knn")
    return fusion_card(cards[0], cards[1])


def authors_names(method: str) -> Mapping[str, str]:
    """What the authors of a method call objects instead of the data set's own words; {} also for a name that is no method's."""
    card = _CARDS.get(method.partition(SIGN)[0])
    return {} if card is None else card.object_names


def takes_no_references(card: MethodCard) -> str | None:
    """Why a method takes no good examples, in a sentence; None where it takes them."""
    if card.needs.references != "no":
        return None
    able = " or ".join(name for name, other in _CARDS.items() if other.needs.references != "no")
    return f"{card.name} takes no good examples: leave the references out, or take {able}, which use them"


def scores_no_sets(card: MethodCard) -> UsageError:
    """The error for a set of images and a method that scores every image alone."""
    able = " or ".join(name for name, other in _CARDS.items() if other.needs.set != "no")
    return UsageError(f"{card.name} scores every image alone: detect images one by one, or take {able}")


def method_of_recipe(recipe_type: type) -> str | None:
    """The method whose recipe this is; None where it is the recipe of none."""
    return next((name for name, card in _CARDS.items() if card.recipe is recipe_type), None)


def methods_with(field: str, beside: type) -> list[str]:
    """The methods whose recipe has a field of this name; none where `beside` is the recipe of no method."""
    if beside not in (card.recipe for card in _CARDS.values()):
        return []
    return [name for name, card in _CARDS.items() if field in {each.name for each in fields(card.recipe)}]


def method_of_weights(tensors: Iterable[str]) -> str | None:
    """The method whose learned weights have tensors of these names, whatever stands before them; None where it is not known."""
    known = tuple(tensors)
    for name, card in _CARDS.items():
        if card.weights_mark and any(f".{tensor}".endswith(f".{card.weights_mark}") for tensor in known):
            return name
    return None
