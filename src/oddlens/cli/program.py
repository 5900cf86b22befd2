"""The program and its verbs. A verb is imported when it is called, or where all are listed."""

from __future__ import annotations

from collections.abc import Iterable
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
    """Import a verb and add it. Each of these takes tens of milliseconds: together, as long as to score an image."""
    match verb:
        case "detect":
            from oddlens.cli import detect
            from oddlens.cli.card_options import CardOptionsCommand

            app.command(verb, cls=CardOptionsCommand, no_args_is_help=True, epilog=detect.EXAMPLES)(
                grouped(detect.detect)
            )
        case "watch":
            from oddlens.cli import watch

            app.command(verb, cls=Command, no_args_is_help=True, epilog=watch.EXAMPLES)(grouped(watch.watch))
        case "judge":
            from oddlens.cli import judge

            app.command(verb, cls=Command, no_args_is_help=True, epilog=judge.EXAMPLES)(grouped(judge.judge))
        case "calibrate":
            from oddlens.cli import calibrate

            app.command(verb, cls=Command, no_args_is_help=True, epilog=calibrate.EXAMPLES)(calibrate.calibrate)
        case "benchmark":
            from oddlens.cli import benchmark

            app.command(verb, cls=Command, no_args_is_help=True, epilog=benchmark.EXAMPLES)(
                grouped(benchmark.benchmark)
            )
        case "feedback":
            from oddlens.cli import feedback

            app.command(verb, cls=Command, no_args_is_help=True, epilog=feedback.EXAMPLES)(feedback.feedback)
        case "results":
            from oddlens.cli import results

            app.add_typer(results.app, name=verb, cls=results.ToolsGroup)
        case "export":
            from oddlens.cli import export

            app.command(verb, cls=Command, no_args_is_help=True, epilog=export.EXAMPLES)(export.export)
        case "validate":
            from oddlens.cli import validate

            app.command(verb, cls=Command, no_args_is_help=True, epilog=validate.EXAMPLES)(validate.validate)
        case "serve":
            from oddlens.cli import serve

            app.command(verb, cls=Command, epilog=serve.EXAMPLES)(grouped(serve.serve))
        case "demo":
            from oddlens.cli import demo

            app.command(verb, cls=Command)(demo.demo)
        case "methods":
            from oddlens.cli import methods

            app.command(verb, cls=Command, epilog=methods.EXAMPLES)(methods.methods)
        case "models":
            from oddlens.cli import models

            app.add_typer(models.app, name=verb, cls=models.ModelsGroup)
        case "station":
            from oddlens.cli import station

            app.add_typer(station.app, name=verb, cls=Group)
        case "data":
            from oddlens.cli import data

            app.add_typer(data.app, name=verb, cls=Group)
        case "train":
            from oddlens.cli import train

            app.add_typer(train.app, name=verb, cls=Group)
        case "weights":
            from oddlens.cli import weights

            app.add_typer(weights.app, name=verb, cls=Group)
        case "doctor":
            from oddlens.cli import doctor

            app.command(verb, cls=Command)(doctor.doctor)
        case _:
            raise ValueError(f"there is no verb {verb}")
