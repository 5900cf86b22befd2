"""The lab's commands, run in this process: what they print, and the code they exit with."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

from lab import commands
from tests.cli.program import Done


def run(name: str, *arguments: object) -> Done:
    """Call `python -m lab.NAME` with these arguments."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", [name, *map(str, arguments)]):
        try:
            commands.run(getattr(commands, name), f"lab.{name}")
            code = 0
        except SystemExit as exit:
            code = exit.code if isinstance(exit.code, int) else 0
    return Done(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]
