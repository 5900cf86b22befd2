"""`oddlens methods`: which methods there are, what they need, and what of them can be set."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from oddlens.cli.options import AsJson

if TYPE_CHECKING:
    from oddlens.methods.card import MethodCard

EXAMPLES = """\b
Examples:
  oddlens methods
  oddlens methods winclip
  oddlens detect parts/ --set temperature=0.05
"""


def methods(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A method, to read all about it.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the methods, or explain one and its settings.

    A setting is a field of the method's recipe: --set FIELD=VALUE of other verbs changes it. Its value is the paper's unless you
    set it.
    """
    from oddlens.cli.table import print_table
    from oddlens.methods.registry import installed_cards, method_card

    if name is not None:
        card = method_card(name)
        print(json.dumps(_document(card), indent=2) if as_json else "\n".join(_page(card)))
    elif as_json:
        print(json.dumps([_document(card) for card in installed_cards().values()], indent=2))
    else:
        print_table(
            ("method", "for", "needs", "can use", "trained here", "paper", "model"),
            [
                (
                    card.name,
                    card.purpose,
                    ", ".join(_needed(card, "required")) or "nothing",
                    ", ".join(_needed(card, "optional")) or "-",
                    "yes" if _is_trainable(card) else "no",
                    card.paper,
                    card.backbone,
                )
                for card in installed_cards().values()
            ],
        )


def _needed(card: MethodCard, how: str) -> Iterator[str]:
    """What the method needs ("required") or can use ("optional") beside an image."""
    needs = card.needs
    instead_of_references = needs.references == "required" and needs.set == "optional"
    if needs.references == how:
        yield f"{needs.examples}, or many images at once" if instead_of_references else needs.examples
    if needs.weights == how:
        yield "learned weights"
    if needs.set == how and not instead_of_references:
        yield "many images at once"


def _is_trainable(card: MethodCard) -> bool:
    from oddlens.cli.train import TRAINED

    return card.name in TRAINED


def _page(card: MethodCard) -> Iterator[str]:
    """All about a method, for people."""
    from oddlens.methods.recipe_help import recipe_help, shown

    width = min(100, shutil.get_terminal_size((100, 24)).columns)

    def block(text: str, indent: int = 0) -> str:
        return textwrap.fill(text, width, initial_indent=" " * indent, subsequent_indent=" " * indent)

    yield block(f"{card.title}: {card.purpose}")
    facts = {
        "paper": f"{card.citation}. {card.paper}",
        "model": card.backbone + (f"; the paper's: {', '.join(card.models)}" if card.models else ""),
        "needs": ", ".join(_needed(card, "required")) or "nothing",
        "can use": ", ".join(_needed(card, "optional")) or "-",
        **({"weights": card.weights} if card.weights else {}),
        "compares with": "prompts" if card.needs.text else "images alone",
        "training": f"oddlens train {card.name}" if _is_trainable(card) else "-",
    }
    for name, fact in facts.items():
        yield textwrap.fill(fact, width, initial_indent=f"  {name:15}", subsequent_indent=" " * 17)
    if card.options:
        yield "\nOptions that 'oddlens detect' gets from it"
        for option in card.options:
            yield block(f"{option.flag} {option.metavar}".rstrip(), 2)
            yield block(option.help, 6)
    if card.recipe.NAMED:
        yield "\nNamed recipes, for --set recipe=NAME"
        for name, values in card.recipe.NAMED.items():
            yield block(
                f"{name}: {', '.join(f'{key}={shown(value)}' for key, value in values.items()) or 'as below'}", 2
            )
    yield "\nSettings, for --set FIELD=VALUE, where VALUE is text or JSON, and null is None"
    yield "(* may change after the images were encoded)"
    for field in recipe_help(card.recipe):
        yield block(f"{field.name}={shown(field.value)}{' *' if field.may_change else ''}", 2)
        yield block(f"{_sentence(field.meaning)} {_sentence(field.kind)}".strip(), 6)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _document(card: MethodCard) -> dict[str, object]:
    """All about a method as JSON values."""
    from oddlens.methods.recipe_help import recipe_help

    return {
        "name": card.name,
        "title": card.title,
        "purpose": card.purpose,
        "paper": card.paper,
        "citation": card.citation,
        "model": card.backbone,
        "models": list(card.models),
        "needs": list(_needed(card, "required")),
        "can_use": list(_needed(card, "optional")),
        "text": card.needs.text,
        "trainable": _is_trainable(card),
        "options": [{"flag": option.flag, "field": option.field, "help": option.help} for option in card.options],
        "named_recipes": {name: dict(values) for name, values in card.recipe.NAMED.items()},
        "fields": [
            {
                "name": field.name,
                "value": field.value,
                "kind": field.kind,
                "may_change_between_questions": field.may_change,
                "meaning": field.meaning,
            }
            for field in recipe_help(card.recipe)
        ],
    }
