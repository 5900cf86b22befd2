"""The methods by name. This is the one place that knows which there are. No torch is needed to know them.

Beside those of oddlens there are methods of others: a program adds a card by `register`, an installed package by an entry point
of the group `oddlens.methods`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from types import MappingProxyType

from oddlens.errors import OddlensWarning, UsageError, known_name, shortened
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

GROUP = "oddlens.methods"
"""The entry points of packages that bring methods: each names a `MethodCard`."""
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CARDS = {
    card.name: card
    for card in (WINCLIP, APRIL_GAN, ANOMALY_CLIP, ANOVL, VL4AD, PATCH_KNN, SUBSPACEAD, ANOMALYDINO, MUSC)
}


def method_cards() -> Mapping[str, MethodCard]:
    """The cards by name: of the methods of oddlens, and of others that were registered or asked for in this program."""
    return MappingProxyType(_CARDS)


def installed_cards() -> Mapping[str, MethodCard]:
    """As `method_cards`, with those of all packages that are installed. Looking for them takes a moment."""
    _register_packages()
    return method_cards()


def register(card: MethodCard) -> None:
    """Add a method to this program, so that `oddlens.load`, benchmarks and stations know its name.

    The same card may come again. For the command line and for workers (`--engine ray`) a package names its card in an entry point.

    Raises:
        UsageError: It is no card, or its name cannot be used or belongs to another method.
    """
    if not isinstance(card, MethodCard):
        raise UsageError(f"{shortened(card)} is no MethodCard: give the card of the method")
    if not isinstance(card.name, str) or not _NAME.fullmatch(card.name):
        raise UsageError(
            f"a method cannot be called {shortened(card.name)}: give small letters and digits, with hyphens between them"
        )
    if _CARDS.get(card.name, card) != card:
        raise UsageError(f"there is a method {card.name!r} already: give yours another name")
    _CARDS[card.name] = card


def method_card(name: str) -> MethodCard:
    """The card of a method, its name in any case of letters, or of two that run as one: "winclip+patch-knn".

    Raises `UsageError` for an unknown name, and for two methods that cannot run as one.
    """
    if not isinstance(name, str) or SIGN not in name:
        return _named(name)
    cards = [_named(part.strip()) for part in name.split(SIGN)]
    if len(cards) != 2:
        raise UsageError(f"{name} names {len(cards)} methods: two can run as one, as winclip{SIGN}patch-knn")
    return fusion_card(cards[0], cards[1])


def unknown_method(name: str) -> str | None:
    """The part of a method's name that neither oddlens nor an installed package brings; None where all is known."""
    parts = [part.strip() for part in name.split(SIGN)]
    if any(part.casefold() not in _CARDS for part in parts):
        _register_packages()
    return next((part for part in parts if part.casefold() not in _CARDS), None)


def _named(name: str) -> MethodCard:
    if not isinstance(name, str) or name.casefold() not in _CARDS:
        _register_packages()
    return _CARDS[known_name("method", name, _CARDS)]


@cache
def _register_packages() -> None:
    """Register the methods of installed packages. One that cannot be used is a warning: the others can."""
    from importlib.metadata import entry_points  # takes longer than all of `oddlens --help`

    for entry in entry_points(group=GROUP):
        try:
            register(entry.load())
        except Exception as error:  # whatever the package raises
            package = entry.dist.name if entry.dist is not None else entry.value
            reason = str(error) if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"
            warnings.warn(
                f"the method {entry.name} of the package {package} cannot be used: {reason}",
                OddlensWarning,
                stacklevel=2,
            )


def authors_names(method: str) -> Mapping[str, str]:
    """What the authors of a method call objects instead of the data set's own words; {} also for a name that is no method's."""
    card = _CARDS.get(method.partition(SIGN)[0])
    return {} if card is None else card.object_names


def uses_object_name(method: str) -> bool:
    """Whether what a method gives depends on what the object is called; also True for a name that is no method's."""
    cards = [_CARDS.get(name) for name in method.split(SIGN)]
    return any(card is None or card.needs.object_name for card in cards)


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
