"""The card of two methods that run as one, without their code."""

from __future__ import annotations

from oddlens.errors import UsageError
from oddlens.methods.card import MethodCard, Needs
from oddlens.methods.fusion.recipe import SHARED, fusion_recipe

SIGN = "+"
"""Between the names of two methods that run as one."""


def fusion_card(one: MethodCard, other: MethodCard) -> MethodCard:
    """The card of two methods as one: of one that compares images with words, and one that compares them with good examples.

    They may be given in either order. Raises `UsageError` for two methods that cannot be joined.
    """
    by_words = [card for card in (one, other) if card.needs.references != "required"]
    by_examples = [card for card in (other, one) if card.needs.references != "no"]
    first = next((card for card in by_words if card.needs.references == "no"), by_words[0] if by_words else None)
    second = next((card for card in by_examples if card is not first), None)
    name = f"{one.name}{SIGN}{other.name}"
    if first is None or second is None:
        raise UsageError(
            f"{name} cannot be joined: name a method that scores without good examples and one that uses them, as "
            "winclip+patch-knn"
        )
    for card in (first, second):
        if card.needs.weights == "required":
            raise UsageError(f"{name} cannot be joined: {card.name} needs learned weights; take winclip instead")
        if card.needs.examples != Needs(text=False, references="no").examples:
            raise UsageError(
                f"{name} cannot be joined: {card.name} takes {card.needs.examples}, and both methods are calibrated on "
                "good examples"
            )
        if lacking := [field for field in SHARED if field not in card.recipe.__dataclass_fields__]:
            raise UsageError(
                f"{name} cannot be joined: the recipe of {card.name} has no field {lacking[0]}, and both methods run on one model"
            )
    return MethodCard(
        name=f"{first.name}{SIGN}{second.name}",
        title=f"{first.title} + {second.title}",
        paper=f"{first.paper}; {second.paper}",
        citation=f"oddlens; {first.citation}; {second.citation}",
        citations=(*first.citations, *second.citations),
        purpose=f"{first.title} without good examples and {second.title} with them, joined by their calibrated p-values",
        backbone=f"{first.backbone}; {second.backbone}",
        home="oddlens.methods.fusion.method:Fusion",
        recipe=fusion_recipe((first.name, first.recipe), (second.name, second.recipe)),
        needs=Needs(
            text=first.needs.text or second.needs.text,
            references="required",
            object_name=first.needs.object_name or second.needs.object_name,
            least=2,
            model=first.needs.model | second.needs.model,
        ),
        unguaranteed=f"{first.name}{SIGN}{second.name} measures its two scores by the references themselves",
        falling_maps=False,
        unseen_remedy=second.unseen_remedy,
        defect_memory=second.defect_memory,
        object_names=first.object_names or second.object_names,
    )
