"""The page of the methods' settings, from their recipes."""

import json
from collections.abc import Iterator
from functools import cache

from oddlens.methods.card import MethodCard
from oddlens.methods.recipe_help import recipe_help
from oddlens.methods.registry import method_cards
from scripts.docs.markdown import code, escaped, table


@cache
def settings() -> str:
    """Every method with its named recipes, its settings, and the options that `oddlens detect` gets from it."""
    return "\n\n".join(block for card in method_cards().values() for block in _section(card))


def _section(card: MethodCard) -> Iterator[str]:
    yield f"## {card.name}"
    yield (
        f"{escaped(card.title)}: {escaped(card.purpose)}. {escaped(card.citation)}. {escaped(card.paper)}. "
        f"[Its page](../methods/{card.name}.md) says where each value is from."
    )
    yield table(
        ("setting", "value", "what it is"),
        [
            (
                code(each.name) + (" \\*" if each.may_change else ""),
                code(_shown(each.value)),
                escaped(f"{_sentence(each.meaning)} {_sentence(each.kind)}"),
            )
            for each in recipe_help(card.recipe)
        ],
    )
    if card.recipe.NAMED:
        yield "Named recipes, for `--set recipe=NAME`:"
        yield table(
            ("name", "settings"),
            [
                (code(name), ", ".join(code(f"{key}={_shown(value)}") for key, value in values.items()) or "as above")
                for name, values in card.recipe.NAMED.items()
            ],
        )
    if card.options:
        yield f"Options of `oddlens detect --method {card.name}`:"
        yield table(
            ("option", "setting", "meaning"),
            [
                (code(f"{each.flag} {each.metavar}".strip()), code(each.field), escaped(each.help))
                for each in card.options
            ],
        )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _shown(value: object) -> str:
    """A value as `--set` takes it."""
    return value if isinstance(value, str) else json.dumps(value)
