"""The command line: one file a verb. Nothing heavy is imported until a verb runs."""

from __future__ import annotations

import io
import sys
import warnings
from typing import Annotated, TextIO

import typer

from oddlens import __version__
from oddlens.cli import (
    benchmark,
    calibrate,
    data,
    demo,
    detect,
    doctor,
    export,
    feedback,
    judge,
    methods,
    models,
    results,
    serve,
    station,
    train,
    validate,
    watch,
    weights,
)
from oddlens.cli.card_options import CardOptionsCommand
from oddlens.cli.command import Command, Group, grouped
from oddlens.cli.streams import lasting_streams, why_stdout_is_gone
from oddlens.errors import OddlensError, OddlensWarning, UsageError, needs_torch

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
app.command("detect", cls=CardOptionsCommand, no_args_is_help=True, epilog=detect.EXAMPLES)(grouped(detect.detect))
app.command("watch", cls=Command, no_args_is_help=True, epilog=watch.EXAMPLES)(grouped(watch.watch))
app.command("judge", cls=Command, no_args_is_help=True, epilog=judge.EXAMPLES)(grouped(judge.judge))
app.command("calibrate", cls=Command, no_args_is_help=True, epilog=calibrate.EXAMPLES)(calibrate.calibrate)
app.command("benchmark", cls=Command, no_args_is_help=True, epilog=benchmark.EXAMPLES)(grouped(benchmark.benchmark))
app.command("feedback", cls=Command, no_args_is_help=True, epilog=feedback.EXAMPLES)(feedback.feedback)
app.add_typer(results.app, name="results", cls=results.ToolsGroup)
app.command("export", cls=Command, no_args_is_help=True, epilog=export.EXAMPLES)(export.export)
app.command("validate", cls=Command, no_args_is_help=True, epilog=validate.EXAMPLES)(validate.validate)
app.command("serve", cls=Command, epilog=serve.EXAMPLES)(grouped(serve.serve))
app.command("demo", cls=Command)(demo.demo)
app.command("methods", cls=Command, epilog=methods.EXAMPLES)(methods.methods)
app.add_typer(models.app, name="models", cls=models.ModelsGroup)
app.add_typer(station.app, name="station", cls=Group)
app.add_typer(data.app, name="data", cls=Group)
app.add_typer(train.app, name="train", cls=Group)
app.add_typer(weights.app, name="weights", cls=Group)
app.command("doctor", cls=Command)(doctor.doctor)


@app.callback(invoke_without_command=True)
def options(
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


def main() -> None:
    """The `oddlens` program: a fault in what was given is one sentence on stderr, exit code 2 for usage and 1 for the rest.

    Warnings of ours are a line each on stderr. A stream that cannot be written stops nothing; of stdout it is said at the end.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold what the terminal cannot show
    with warnings.catch_warnings(), lasting_streams():
        warnings.simplefilter("always", OddlensWarning)
        warnings.showwarning = _show
        code = _exit_code()
        if (gone := why_stdout_is_gone()) is not None:
            print(f"oddlens: {gone}", file=sys.stderr)
            code = code or 1
    sys.exit(code)


def _exit_code() -> str | int | None:
    """Run the verb that was called."""
    try:
        with needs_torch(f"'oddlens {sys.argv[1]}'" if len(sys.argv) > 1 else "oddlens"):
            app(prog_name="oddlens")
    except SystemExit as end:
        return end.code
    except OddlensError as error:
        print(f"oddlens: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Our warnings as one line each; others as Python shows them."""
    if issubclass(category, OddlensWarning):
        print(f"oddlens: {message}", file=sys.stderr)
    else:
        print(warnings.formatwarning(message, category, filename, lineno, line), end="", file=sys.stderr)
