"""What is wrong on a page is found."""

from pathlib import Path

import pytest

from tests.docs.page import blocks
from tests.docs.session import MissingError, Session


def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> list[str]:
    """What is found on a page."""
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with Session(tmp_path / "store") as session:
        return [each for block in blocks(page) for each in session.run(block)]


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ oddlens demo --images star\nstar/good: 4 good parts\nstar/parts: 5 to check\n$ ls star\ngood\nparts\n```",
        "```console\n$ oddlens demo --images star    # a comment\n...\n```",
        "```console\n$ A=one\n$ echo $A two\none two\n```",
        "```python\na = 1.25\n```\n\nWords.\n\n```python\nprint(a)\n```\n\n```text\n1.25\n```",
        "<!-- not run: network -->\n```console\n$ oddlens models fetch mini\n```",
        '<!-- file: a.json -->\n```json\n{"a": 1}\n```\n\n<!-- line: a.json, 1 -->\n```json\n{"a": 1}\n```',
    ],
)
def test_what_is_right_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert wrong(tmp_path, monkeypatch, text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```console\n$ oddlens demo --images star\nstar/good: 5 good parts\n...\n```", "the page shows"),
        ("```console\n$ oddlens detect nothing/\n```", "ended with 2"),
        ("```console\n$ oddlens demo --image star\n```", "no option '--image'"),
        ("```console\n$ pip install oddlens\n```", "pip is not called in tests"),
        ("```console\n$ oddlens serve line-3\n```", "show what it prints first"),
        ("```python\nprint(1)\n```\n\n```text\n2\n```", "the page shows"),
        ("```python\nprint(a)\n```", "NameError"),
        ("<!-- not run: no time -->\n```console\n$ ls\n```", "'no time' is none of"),
        (
            '<!-- file: a.json -->\n```json\n{"a": 1}\n```\n\n<!-- line: a.json, 1 -->\n```json\n{"a": 2}\n```',
            "the page shows",
        ),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, found: str) -> None:
    (only,) = wrong(tmp_path, monkeypatch, text)
    assert found in only


def test_a_page_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError, match="no_such_package"):
        wrong(tmp_path, monkeypatch, "<!-- needs: no_such_package -->\n```python\nimport no_such_package\n```")
