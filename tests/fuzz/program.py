"""The command line as an input meets it: run in this process, and what it says judged."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from tests.cli.program import Done
from tests.cli.program import run as call
from tests.fuzz.case import Wrong, check_sentence, strict_json
from tests.fuzz.world import inside

_SAID_ONCE = "embedded model"


def program(folder: Path, *words: object) -> Done:
    """Call `oddlens` in a folder. Raises `Wrong` for what must not be printed, or an exit code that means nothing."""
    with inside(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = call(*words)
    if done.code not in (0, 1, 2):
        raise Wrong(f"exit code {done.code}: {done.err[-300:]}")
    if "Traceback" in done.err:
        raise Wrong(f"a traceback: {done.err[-300:]}")
    sentences = [line.removeprefix("oddlens: ") for line in done.err.splitlines() if line.startswith("oddlens: ")]
    for sentence in sentences if done.code else ():
        if _SAID_ONCE not in sentence:
            check_sentence(sentence)
    if words[:1] == ("detect",):
        if done.code == 2 and not sentences and not done.err.startswith("Usage:"):
            raise Wrong(f"exit code 2 without a sentence: {done.err[-300:]!r}")
        if "--help" not in words:  # a name on the command line can be an option
            _check_lines(done.out, as_json="--json" in words)
    elif "--json" in words and "--help" not in words and done.out:
        strict_json(done.out)
    return done


def records(path: Path) -> list[dict[str, Any]]:
    """The lines of a run, each read as JSON is by others."""
    return [strict_json(line) for line in path.read_text(encoding="utf-8").splitlines()]


def check_error(record: dict[str, Any]) -> None:
    """Raises `Wrong` where the reason of a failed picture is no sentence."""
    if "error" in record:
        check_sentence(record["error"])


def _check_lines(out: str, as_json: bool) -> None:
    for line in out.splitlines():
        if as_json:
            check_error(strict_json(line))
        elif line.split(maxsplit=1)[0] in ("nan", "inf", "-inf"):
            raise Wrong(f"a verdict on a score that is not finite: {line}")
