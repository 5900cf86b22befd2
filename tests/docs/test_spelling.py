"""One spelling: British, in the documents, in help texts and in what oddlens says. Code and names of others stay as they are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import oddlens

ROOT = Path(__file__).parents[2]
SOURCE = Path(oddlens.__file__).parent
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *(path for folder in ("docs", "examples", "benchmarks", "lab") for path in sorted((ROOT / folder).rglob("*.md"))),
]

AMERICAN = re.compile(
    r"""(?<![\w.-])(
    (?!(?:re|over|down|under|up)?siz|priz|seiz|capsiz|(?:de)?tokeniz)[a-z]+iz(?:e|es|ed|er|ers|ing|ation|ations)
    | [a-z]+lyz(?:e|es|ed|ing) | (?:dis|un|multi)?color[a-z]* | (?:mis)?behavior[a-z]* | neighbor[a-z]* | favor[a-z]*
    | honor[a-z]* | (?:un)?label(?:ed|ing) | (?:re)?model(?:ed|ing) | cancel(?:ed|ing) | travel(?:ed|ing) | signal(?:ed|ing)
    | level(?:ed|ing) | center[a-z]* | fiber[a-z]* | gray[a-z]* | catalogs? | dialogs? | defense | licenses? | aluminum
    )(?![\w=(])""",
    re.VERBOSE | re.IGNORECASE,
)
"""American forms, without those that British shares, as "size", and without "tokenizer", for which the field has no other word."""

NAMES = {
    "Authorization": "a header of HTTP",
    "license": "a field of a card on the hub",
    "Localization": "in the title of a paper",
    "Modeling": "in the title of a paper",
    "unlabeled": "a class of Cityscapes",
}
"""Words that others chose: they are written as there."""


def american(text: str) -> list[str]:
    return [found[0] for found in AMERICAN.finditer(text) if found[0][1:].islower() and found[0] not in NAMES]


def prose(document: Path) -> str:
    """A document without code, addresses and HTML."""
    text = re.sub(r"^( *)```.*?^\1```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`]*`|\]\([^)]*\)|https?://\S+|<[^>]*>", "", text)


CSS = re.compile(r"[\w-]+ ?[:=] ?[^ ;]+[;\"]|[{}]")


def sentences(module: Path) -> Iterator[str]:
    """The strings of a module that are words for people: docstrings, help, errors; not names, which have no space, and not CSS."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value
            and not CSS.search(node.value)
        ):
            yield re.sub(r"`[^`]*`|'[^' ]*'|https?://\S+", "", node.value)


@pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="needs the documents of a checkout")
def test_documents_are_written_in_british_spelling() -> None:
    assert {str(path.relative_to(ROOT)): words for path in DOCUMENTS if (words := american(prose(path)))} == {}


def test_what_oddlens_says_is_written_in_british_spelling() -> None:
    assert {
        str(path.relative_to(SOURCE)): words
        for path in SOURCE.rglob("*.py")
        if (words := [word for text in sentences(path) for word in american(text)])
    } == {}


@pytest.mark.parametrize(
    "word", ["colour", "size", "resized", "normalised", "tokenizer", "centre", "labelled", "grey", "prize"]
)
def test_british_words_pass(word: str) -> None:
    assert american(word) == []


@pytest.mark.parametrize(
    "word", ["color", "normalized", "analyze", "center", "labeled", "gray", "behavior", "initialization"]
)
def test_american_words_do_not(word: str) -> None:
    assert american(word) == [word]
