"""OUT/run.json: what a run was made with, and what was said of it."""

from __future__ import annotations

from pathlib import Path
from typing import NotRequired, TypedDict, TypeVar

from oddlens.errors import UsageError, printable
from oddlens.io.paths import read_bytes
from oddlens.io.strict_json import checked, parse_json

_T = TypeVar("_T")


class RunDocument(TypedDict):
    """run.json. What is an `object` here is checked by who needs it: a damaged part stops nobody else.

    run: all that results depend on: see `RunInfo.settings`. basis: a `judgement.BasisDocument`. judged: by what the results were
    given new verdicts, see `oddlens.inference.judge`. said: sentences by kind, see `oddlens.inference.report`.
    """

    run: dict[str, object]
    machine: NotRequired[object]
    passed_over: NotRequired[object]
    basis: NotRequired[object]
    judged: NotRequired[object]
    said: NotRequired[object]


def read_document(path: Path) -> RunDocument:
    """What run.json of an earlier run says. Raises `UsageError` where it is missing or damaged."""
    try:
        return checked(parse_json(read_bytes(path)), RunDocument)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{printable(str(path))}, which says how the results beside it were made, is missing or damaged: "
            "run 'oddlens detect' again, with --overwrite or another --out"
        ) from error


def part(found: object, form: type[_T]) -> _T:
    """A part of run.json that has a form. Raises `UsageError` where it has another one."""
    try:
        return checked(found, form)
    except ValueError as fault:
        raise UsageError(f"run.json is damaged ({fault}): run detect again, with --overwrite") from None
