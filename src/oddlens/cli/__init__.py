"""The command line: one file a verb. Nothing heavy is imported until a verb runs."""

from __future__ import annotations

import io
import sys
import warnings
from typing import TextIO

from oddlens.cli.program import program, verbs_of
from oddlens.cli.several import started_together
from oddlens.cli.streams import lasting_streams, why_stdout_is_gone
from oddlens.errors import OddlensError, OddlensWarning, UsageError, needs_torch


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
        words = sys.argv[1:]
        with needs_torch(f"'oddlens {words[0]}'" if words else "oddlens"), started_together(words) as processes:
            program(verbs_of(words))(prog_name="oddlens", obj=processes)
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
