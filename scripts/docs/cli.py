"""The page of the command line: every verb and its options, as `--help` says them."""

import inspect
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TypeAlias

from typer.main import get_command

from oddlens.cli.command import Context
from oddlens.cli.program import program
from scripts.docs.markdown import code, escaped, table

Verb: TypeAlias = Context
"""A verb, or a group of them: typer keeps its class to itself, as it does with that of a context."""


@cache
def verbs() -> str:
    """All verbs, those of groups under their group's name, in the order of `oddlens --help`."""
    app: Verb = get_command(program())
    context = app.context_class(app, info_name="oddlens")
    return "\n\n".join(block for command, own in _commands(app, context) for block in _section(command, own))


def _commands(group: Verb, context: Context) -> Iterator[tuple[Verb, Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command.hidden:
            continue
        own = command.context_class(command, info_name=name, parent=context)
        yield command, own
        if hasattr(command, "list_commands"):
            yield from _commands(command, own)


def _section(command: Verb, context: Context) -> Iterator[str]:
    is_group = hasattr(command, "list_commands")
    yield f"{'#' * (2 + (context.parent.parent is not None))} {context.command_path}"
    yield from (_prose(each) for each in inspect.cleandoc(command.help or "").split("\n\n"))
    if is_group and not command.invoke_without_command:
        return
    yield f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```"
    records = filter(None, (each.get_help_record(context) for each in command.get_params(context)))
    rows = [_row(name.strip(), " ".join(text.split())) for name, text in records if not name.endswith("--help")]
    if rows:
        yield table(("option", "meaning", "default"), rows)
    calls, *more = (
        inspect.cleandoc((command.epilog or "").replace("\b", "").replace("Examples:", "")).strip().split("\n\n")
    )
    if calls:
        lines = [re.sub(r"^ *oddlens ", "$ oddlens ", line) for line in calls.splitlines()]
        yield "\n".join(["```console", *lines, "```"])
    yield from map(_prose, more)


def _row(name: str, text: str) -> Sequence[str]:
    """Cells of an option, or of an argument: its name, what it means, and its default."""
    meaning, _, default = re.sub(r" *\[(required|default: .*)\]$", r"\n\1", text).partition("\n")
    default = re.sub(r"^\((.*)\)$", r"\1", default.removeprefix("default: "))
    return code(name), _prose(meaning), _prose(default)


def _prose(text: str) -> str:
    """Words of the help as Markdown: options, and what stands between quotes, are code."""
    words = " ".join(text.replace("\b", "").split())
    parts = re.split(r"(?<!\w)'([^']+)'(?!\w)|(?<![\w-])(--[a-z][a-z-]*)", words)
    return "".join(
        escaped(part) if number % 3 == 0 else code(part) for number, part in enumerate(parts) if part is not None
    )
