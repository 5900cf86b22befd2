"""The command line: one file a verb. Nothing heavy is imported until a verb runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from oddlens import __version__
from oddlens.cli import data, demo, detect, doctor, models, train
from oddlens.errors import OddlensError, UsageError

app = typer.Typer(
    name="oddlens",
    help="Find what is wrong in a picture with vision-language models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("detect")(detect.detect)
app.command("demo")(demo.demo)
app.add_typer(models.app, name="models")
app.add_typer(train.app, name="train")
app.add_typer(data.app, name="data")
app.command("doctor")(doctor.doctor)


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    """Find what is wrong in a picture with vision-language models."""
    if version:
        print(f"oddlens {__version__}")
        raise typer.Exit


def main() -> None:
    """The `oddlens` program: a fault in what was given is one sentence on stderr, exit code 2 for usage and 1 for the rest."""
    try:
        app()
    except OddlensError as error:
        print(f"oddlens: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: there is nobody to tell
        sys.exit(1)
