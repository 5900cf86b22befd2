"""What the site says of options, settings, routes and names is what the program has."""

import ast
import pydoc
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import oddlens
from oddlens.methods.registry import method_cards

site = pytest.importorskip("scripts.docs.pages", reason="needs the documents of a checkout")

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_public_name_has_its_place_on_the_page_of_python() -> None:
    names = re.findall(r"^::: oddlens\.(\w+)$", (REFERENCE / "python.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(names) == sorted(oddlens.__all__)


@pytest.mark.parametrize(
    ("page", "package"), [("python", "oddlens"), ("metrics", "oddlens.metrics"), ("data", "oddlens.data")]
)
def test_what_a_page_takes_from_the_program_is_also_printed_at_a_terminal(page: str, package: str) -> None:
    told = re.findall(r"`python -m pydoc (\S+)`", (REFERENCE / f"{page}.md").read_text(encoding="utf-8"))
    assert told[0] == package
    printed = {name: pydoc.plain(pydoc.render_doc(name)) for name in told}
    module, _ = pydoc.resolve(package)
    assert [name for name in module.__all__ if not re.search(rf"\b{name}\b", printed[package])] == []
    assert all(name in printed[name] for name in told)


def test_what_the_program_says_itself_stands_on_one_page_each() -> None:
    marks = [
        mark for page in site.pages() for mark in re.findall(r"<!-- generated: (\S+) -->", page.read_text("utf-8"))
    ]
    assert sorted(set(marks) - {"NAME"}) == sorted(site.GENERATORS)


def test_the_page_of_the_command_line_has_every_verb_with_its_options() -> None:
    text = site.completed(REFERENCE / "cli.md")
    assert "\n## oddlens detect\n" in text
    assert "\n### oddlens station create\n" in text
    assert "| `--threshold SCORE[,PIXEL]` | An image is NG above SCORE." in text
    assert "| `--object NAME` | What is on the images, in a word or two. | part |" in text


def test_the_page_of_settings_has_every_method_with_its_values() -> None:
    text = site.completed(REFERENCE / "settings.md")
    assert re.findall(r"^## (\S+)$", text, re.MULTILINE) == list(method_cards())
    assert re.search(r"^\| `temperature` \\\* \| `0.07` \| Divides the cosines", text, re.MULTILINE)


def test_the_page_of_http_has_every_route() -> None:
    pytest.importorskip("fastapi")
    text = site.completed(REFERENCE / "http.md")
    assert "POST /api/stations/{name}/inspect\n" in text
    assert "| `judged` | `right`, `wrong`, `unsure` or null |" in text


def test_every_sentence_on_the_page_of_errors_is_one_that_the_program_says() -> None:
    text = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    parts = re.findall(r"^### `([^`]+)`$", text, re.MULTILINE)
    assert len(parts) > 20
    said = "\n".join(_said(parts))
    assert [part for part in parts if part not in said] == []


def _said(parts: list[str]) -> Iterator[str]:
    """The texts of the modules that have the beginning of a part, what is filled in left out."""
    for path in sorted(Path(oddlens.__file__).parent.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source) if any(part[:12] in source for part in parts) else ast.Module([], [])
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\n" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
