"""The program and its verbs. A verb is imported when it is called, or where all are listed."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from inspect import Parameter, signature
from typing import Annotated

import typer

from oddlens import __version__
from oddlens.cli.command import Command, Group, grouped

VERBS = (
    "detect",
    "watch",
    "judge",
    "calibrate",
    "benchmark",
    "feedback",
    "results",
    "export",
    "validate",
    "serve",
    "demo",
    "methods",
    "models",
    "station",
    "data",
    "train",
    "weights",
    "doctor",
)
"""In the order in which help lists them."""


def program(verbs: Iterable[str] = VERBS) -> typer.Typer:
    """The program with these verbs."""
    app = typer.Typer(
        name="oddlens",
        cls=Group,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # rich would double the time to the first word of help
        add_help_option=False,  # ours is below: typer's own, where it is not given, makes every call import pydantic
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_options)
    for verb in verbs:
        _add(app, verb)
    return app


def verbs_of(words: list[str]) -> tuple[str, ...]:
    """The verbs that a call needs: the one that it names, or all, of which help or a sentence lists the names."""
    return (words[0],) if words and words[0] in VERBS else VERBS


def _options(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    show_help: Annotated[bool, typer.Option("--help", "-h", help="Show this message and leave.")] = False,
) -> None:
    """Find what is wrong in an image with vision-language models."""
    if show_version:
        print(f"oddlens {__version__}")
    if show_help:
        print(context.get_help())
    if show_version or show_help:
        raise typer.Exit


def _add(app: typer.Typer, verb: str) -> None:
    """Import a verb and add it. Each of these takes tens of milliseconds: together, as long as to score an image.

    A module of the verb's name has a group of verbs, `app`; or a function of that name and, where there are any, EXAMPLES for
    its help, and COMMAND, the class that reads its call.
    """
    module = import_module(f"oddlens.cli.{verb}")
    if hasattr(module, "app"):
        app.add_typer(module.app, name=verb)
        return
    call = grouped(getattr(module, verb))
    app.command(
        verb,
        cls=getattr(module, "COMMAND", Command),
        no_args_is_help=any(each.default is Parameter.empty for each in signature(call).parameters.values()),
        epilog=getattr(module, "EXAMPLES", None),
    )(call)
