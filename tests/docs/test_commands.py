"""What the documents say of the command is so: verbs and options exist. That they print what is shown: see test_pages."""

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from oddlens.cli.program import program
from tests.cli.program import run
from tests.docs.page import blocks

PROGRAM = program()
ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="needs the documents of a checkout")


def commands(document: Path) -> list[list[str]]:
    """Every call of oddlens in a document: lines of blocks, and words between backticks."""
    text = re.sub(r"\\\n\s*", "", document.read_text(encoding="utf-8"))
    lines = re.findall(r"^(?:\$ +| {4,}|.*?; do +)(oddlens .*?)(?:;|$)", text, re.MULTILINE)
    words = [" ".join(each.split()) for each in re.findall(r"`(oddlens [a-z][^`]*)`", text)]
    return [shlex.split(call.split("    #")[0].replace("[", " ").replace("]", " ")) for call in lines + words]


CALLS = [(document.name, call) for document in DOCUMENTS for call in commands(document)]


@pytest.mark.parametrize(("document", "call"), CALLS, ids=[f"{name}: {' '.join(call)}" for name, call in CALLS])
def test_every_verb_and_option_that_a_document_names_exists(document: str, call: list[str]) -> None:
    command, words = get_command(PROGRAM), call[1:]
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    assert not hasattr(command, "commands") or not words or words[0].startswith("-") or words[0].isupper(), words
    method = words[words.index("--method") + 1 :] if "--method" in words else []
    method = [name for name in method[:1] if name.islower()]
    options = options_of(*call[1 : len(call) - len(words)], *[x for name in method for x in ("--method", name)])
    assert {word.split("=")[0] for word in words if re.match("--?[a-z]", word)} <= options


@cache
def options_of(*words: str) -> set[str]:
    """The options that the help of a verb names."""
    return {*re.findall(r"(?<!\S)--?[a-z][a-z-]*", run(*words, "--help").out.split("Examples:")[0]), "-v"}


PROGRAMS = [
    (document, words)
    for document in DOCUMENTS
    for block in blocks(document)
    for call in block.calls
    if "not run" in block.notes
    and (words := re.findall(r"python ((?:benchmarks|scripts)/\S+\.py)([^|&;#]*)", call.command))
]


@pytest.mark.parametrize(
    ("document", "words"), PROGRAMS, ids=[f"{document.name}: {words}" for document, words in PROGRAMS]
)
def test_programs_that_a_document_names_have_these_options(document: Path, words: list[tuple[str, str]]) -> None:
    for file, options in words:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert [each for each in re.findall(r"(?<!\S)--[a-z][a-z-]*", options) if not named(each, text)] == []


def named(option: str, text: str) -> bool:
    """Whether a program declares an option, by its name or as a parameter."""
    return f'"{option}"' in text or re.search(rf"\b{option[2:].replace('-', '_')}:", text) is not None
