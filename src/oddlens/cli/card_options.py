"""The options that `oddlens detect` gets from the methods' cards."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Optional

import typer
from typer.main import get_command

from oddlens.cli.command import Command, Context
from oddlens.errors import UsageError
from oddlens.methods.card import CardOption
from oddlens.methods.defaults import ZERO_SHOT
from oddlens.methods.registry import method_card, method_cards

_KEY = "oddlens card options"


class CardOptionsCommand(Command):
    """A verb that runs one method: its help shows the options of that method's card, and those of others are refused."""

    def get_params(self, ctx: Context) -> list[Context]:
        """The verb's own options, then the cards'. Those of methods that do not run are hidden."""
        *own, show_help = super().get_params(ctx)
        return [*own, *_params(self._method(ctx)), show_help]

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the words of a call. Raises `UsageError` for an option of another method than the one that runs."""
        ctx.meta["oddlens method"] = _named_method(args)
        rest = super().parse_args(ctx, args)
        method = self._method(ctx)
        fields: dict[str, object] = {}
        for name, owners in _owners().items():
            value = ctx.params.pop(name, None)
            if value is None or value == ():
                continue
            if method not in owners and ctx.params.get("station") is None:
                raise UsageError(
                    f"{_flag(owners)} is an option of {' and '.join(owners)}, not of {method}: leave it out, "
                    f"or add --method {next(iter(owners))}"
                )
            fields[owners.get(method, next(iter(owners.values()))).field] = value
        ctx.meta[_KEY] = fields
        return rest

    def _method(self, ctx: Context) -> str:
        named: str | None = ctx.meta.get("oddlens method")
        return named or ZERO_SHOT


def card_fields(context: typer.Context) -> Mapping[str, object]:
    """The recipe fields that were given by options of the method's card."""
    fields: Mapping[str, object] = context.meta[_KEY]
    return fields


def _named_method(args: Sequence[str]) -> str | None:
    """The method that a call names, as its card spells it; None where it names none."""
    for number, word in enumerate(args):
        if word == "--method" and number + 1 < len(args):
            return method_card(args[number + 1]).name
        if word.startswith("--method="):
            return method_card(word.partition("=")[2]).name
    return None


@cache
def _owners() -> Mapping[str, Mapping[str, CardOption]]:
    """The parameters by name, each with the methods whose card has it. Methods may share an option."""
    owners: dict[str, dict[str, CardOption]] = {}
    for card in method_cards().values():
        for option in card.options:
            owners.setdefault(f"card_{option.flag.split('/')[0].strip('-').replace('-', '_')}", {})[card.name] = option
    return owners


def _flag(owners: Mapping[str, CardOption]) -> str:
    return next(iter(owners.values())).flag


@cache
def _params(method: str) -> Sequence[Context]:
    """All cards' options as typer's parameters, those of other methods hidden."""

    def no_verb(**_: object) -> None:
        """Stand for a verb whose parameters are wanted."""

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(owners, method))
        for name, owners in _owners().items()
    ]
    no_verb.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    no_verb.__annotations__ = {each.name: each.annotation for each in parameters}
    app = typer.Typer(add_completion=False)
    app.command()(no_verb)
    return get_command(app).params


def _annotation(owners: Mapping[str, CardOption], method: str) -> object:
    option = owners.get(method, next(iter(owners.values())))
    kind: object = list[option.type] if option.repeatable else option.type  # type: ignore[name-defined]
    shown = typer.Option(
        option.flag,
        metavar=option.metavar or None,
        help=f"{option.help.rstrip('.')}{'; may be repeated' if option.repeatable else ''} (of {' and '.join(owners)}).",
        show_default=option.default,
        hidden=method not in owners,
    )
    return Annotated[Optional[kind], shown]  # noqa: UP045 what typer is given is made here
