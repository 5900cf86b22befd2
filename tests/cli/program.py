"""The program, run in this process: what it prints, and the code it exits with."""

import io
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest.mock import patch

import typer.main

from oddlens.cli import main

_get_command = cache(typer.main.get_command)
"""The verbs with all their options are the same in every call, and take as long to make as many a call."""


@dataclass(frozen=True)
class Done:
    """A call that has ended. out, err: what it printed on stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """Every line of stdout as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def sentence(self) -> str:
        """The one sentence on stderr, where nothing else was printed."""
        assert self.out == ""
        start = "oddlens: "
        assert self.err.startswith(start), self.err
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        return self.err.removeprefix(start).rstrip("\n")


def run(*arguments: object) -> Done:
    """Call `oddlens` with these arguments."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = call(*arguments)
    return Done(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]


def call(*arguments: object) -> int:
    """As `run`, on the streams that are in place; gives the exit code."""
    argv = ["oddlens", *map(str, arguments)]
    with patch.object(sys, "argv", argv), patch.object(typer.main, "get_command", _get_command):
        try:
            main()
        except SystemExit as exit:
            return exit.code if isinstance(exit.code, int) else 0 if exit.code is None else 1
    return 0


@contextmanager
def terminal() -> Iterator[tuple[io.TextIOWrapper, io.BytesIO]]:
    """A pseudo terminal to print on, and what was printed; it is complete once the context is left."""
    import os
    import threading

    ours, theirs = os.openpty()
    seen = io.BytesIO()

    def drain() -> None:
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # nobody holds the other end any more
                return
            seen.write(part)

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        with open(theirs, "w", encoding="utf-8") as stream:  # noqa: PTH123 a descriptor, not a path
            yield stream, seen
    finally:
        reader.join()
        os.close(ours)


def replaced(words: Sequence[object], options: Sequence[object]) -> tuple[object, ...]:
    """The words of a call, pairs of an option and its value, with the given options in the place of theirs (but for --set)."""
    pairs = zip(words[::2], words[1::2], strict=True)
    kept = [word for pair in pairs if pair[0] == "--set" or pair[0] not in options for word in pair]
    return (*kept, *options)
