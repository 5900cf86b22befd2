"""What all verbs have in common: how a call is read, and that a wrong one is one sentence."""

from __future__ import annotations

import gc
import inspect
import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, TypeAlias, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from oddlens.cli.earlier_spellings import replace_earlier
from oddlens.errors import OddlensError, OddlensWarning, UsageError, known_name, nearest

Context: TypeAlias = Any
"""A call as typer's commands see it: the class behind `typer.Context`, which typer keeps to itself; so are its parameters."""

_NUMBERS = {
    r"Input should be a valid integer.*|'[^']*' is not a valid int(eger)?( range)?": "a whole number",
    r"Input should be a valid number.*|'[^']*' is not a valid float( range)?": "a number",
}
"""How the sentences of typer, with pydantic and without, say what a value is not -> what to give."""

_CallError: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises for a call that is wrong: the base of its public errors."""


class Command(TyperCommand):
    """A verb. An option whose metavar ends in "..." takes all the words up to the next option: --data A B C."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the words of a call. Raises `UsageError` where they are wrong."""
        if not args and self.no_args_is_help:
            return super().parse_args(ctx, args)
        own = {name for each in self.get_params(ctx) for name in (*each.opts, *each.secondary_opts)}
        args, warned = replace_earlier(args, own)
        ctx.meta["oddlens warnings"] = warned
        self._refuse_contradictions(ctx, args)
        self._refuse_values(ctx, args)
        with _in_one_sentence(ctx, own):
            rest = super().parse_args(ctx, self._repeated(ctx, args))
        for each in self.get_params(ctx):
            value = ctx.params.get(each.name)
            if isinstance(value, float) and not math.isfinite(value):  # no range keeps NaN out
                raise UsageError(f"{each.opts[0]} cannot be {value}: give a finite number")
        return rest

    def invoke(self, ctx: Context) -> object:
        """Run the verb; what is to be said of the call itself comes last."""
        result: object = super().invoke(ctx)
        for warning in ctx.meta["oddlens warnings"]:
            warnings.warn(warning, OddlensWarning, stacklevel=1)
        return result

    def _refuse_contradictions(self, ctx: Context, args: Sequence[str]) -> None:
        for each in self.get_params(ctx):
            yes, no = ([name for name in names if name in args] for names in (each.opts, each.secondary_opts))
            if yes and no:
                raise UsageError(f"{yes[0]} and {no[0]} contradict each other: give one of them")

    def _refuse_values(self, ctx: Context, args: Sequence[str]) -> None:
        """Raise `UsageError` for an empty value, and for an option of one value that has two.

        An empty value would be the working directory for a path, and of two values the last would win.
        """
        own = {name: each for each in self.get_params(ctx) if not getattr(each, "is_flag", True) for name in each.opts}
        takes_many = any(each.nargs == -1 for each in self.get_params(ctx))  # such a verb judges each of its names
        seen: set[str] = set()
        words = iter(args)
        for word in words:
            if word == "--":
                return
            name, equals, value = word.partition("=")
            if not word and not takes_many:
                raise UsageError("an empty name is in the call: give it a value, or leave it out")
            if name not in own:
                continue
            value = value if equals else next(words, name)  # typer says where a value is missing
            if not value:
                raise UsageError(f"{name} is empty: give it a value, or leave it out")
            if str(own[name].name) in seen and not own[name].multiple:
                raise UsageError(f"{name} is given more than once: give it one value")
            seen.add(str(own[name].name))

    def _repeated(self, ctx: Context, args: Sequence[str]) -> list[str]:
        """The options that take many words, each before each of its words: the form that typer knows."""
        many = {name for each in self.get_params(ctx) if (each.metavar or "").endswith("...") for name in each.opts}
        repeated: list[str] = []
        option, first = None, False
        for word in args:
            if word.startswith("-"):
                option, first = (word, True) if word in many else (None, False)
            elif option is not None and not first:
                repeated.append(option)
            repeated.append(word)
            first = first and word == option
        return repeated


class Group(TyperGroup):
    """A verb of verbs, which are named in any case of letters. kind: what they are, for the sentence on an unknown one."""

    kind = "verb"

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the words of a call. Raises `UsageError` where they are wrong."""
        if not args and self.no_args_is_help:
            return super().parse_args(ctx, args)
        with _in_one_sentence(ctx, {name for each in self.get_params(ctx) for name in each.opts}):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Context, args: list[str]) -> Context:
        """The verb that is named. Raises `UsageError` where there is none of that name."""
        shown = [name for name, command in self.commands.items() if not command.hidden]
        if args[0] not in self.commands and not args[0].startswith("-"):
            args = [known_name(self.kind, args[0], shown), *args[1:]]
        return super().resolve_command(ctx, args)


@contextmanager
def _in_one_sentence(ctx: Context, options: set[str]) -> Iterator[None]:
    """What typer finds wrong with a call becomes a `UsageError`."""
    try:
        yield
    except _CallError as error:
        path = f"'{ctx.command_path} --help'"
        if (option := getattr(error, "option_name", None)) and option not in options:
            if "--set" in options and (field := _field(option)) is not None:
                raise UsageError(f"{ctx.command_path!r} has no option {option!r}: give --set {field}=VALUE") from error
            near = nearest(option, options)
            raise UsageError(
                f"{ctx.command_path!r} has no option {option!r}{near}{'' if near else ':'} {path} lists them"
            ) from error
        said = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        for sentence, give in _NUMBERS.items():
            said = re.sub(sentence, f"it must be {give}", said)
        said = said.replace("Input should be", "it must be")
        raise UsageError(f"{said[:1].lower()}{said[1:]}: {path} shows how it is called") from error


def _field(flag: str) -> str | None:
    """The field of a method's recipe that an option of `oddlens detect` sets; None where it is none of these."""
    from oddlens.methods.registry import method_cards  # for a call that failed alone

    options = (option for card in method_cards().values() for option in card.options)
    return next((option.field for option in options if flag in option.flag.split("/")), None)


@contextmanager
def before_the_first_image() -> Iterator[None]:
    """What fails in here makes the call wrong, exit code 2: a model, weights, a station or references that cannot be used.

    Exit code 1 says that images failed and the others were scored; here none was.
    """
    try:
        yield
    except UsageError:
        raise
    except OddlensError as error:
        raise UsageError(str(error)) from error


@contextmanager
def loading() -> Iterator[None]:
    """While libraries and a model are loaded, and no longer: Python looks for no garbage, and never again among what they made.

    It would go through their hundreds of thousands of objects again and again: a fifth of the time that importing torch takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def grouped(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb as typer wants it: the fields of its parameters that are dataclasses are options of their own."""
    hints = get_type_hints(verb, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    parameters: list[inspect.Parameter] = []
    for each in inspect.signature(verb).parameters.values():
        if each.name in groups:
            parameters += _fields_as_parameters(groups[each.name])
        else:
            parameters.append(each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[each.name]))

    @wraps(verb)
    def call(**given: object) -> None:
        made = {
            name: kind(**{each.name: given.pop(each.name) for each in fields(kind)}) for name, kind in groups.items()
        }
        verb(**given, **made)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    return call


def _fields_as_parameters(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in fields(group)
    ]
