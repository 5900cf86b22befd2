"""Links in the documents lead somewhere: on a forge, which shows the files as they are, and on the site."""

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

site = pytest.importorskip("scripts.docs.pages", reason="needs the documents of a checkout")

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *(path for folder in ("docs", "examples", "lab", "benchmarks") for path in sorted((ROOT / folder).rglob("*.md"))),
]


@cache
def prose(document: Path) -> str:
    return site.outside_fences(site.completed(document), lambda text: re.sub(r"`[^`\n]*`", "", text), lambda _: "")


@cache
def anchors(document: Path) -> set[str]:
    """The anchors that a forge gives to headings, and those that are written as HTML."""
    text, found = site.outside_fences(site.completed(document), lambda text: text, lambda _: ""), set[str]()
    for heading in re.findall(r"^#+ +(.+?)(?: +\{[^}]*\})?$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        found.add(next(each for each in (slug, *(f"{slug}-{n}" for n in range(1, 99))) if each not in found))
    return found | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_every_anchor_to_a_heading(document: Path) -> None:
    addresses = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", prose(document))
    for address in (one or other for one, other in addresses):
        path, _, anchor = address.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), address
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{address}; there are {sorted(anchors(target))}"


def test_every_page_stands_in_the_navigation_once() -> None:
    def named(entries: object) -> list[str]:
        if isinstance(entries, str):
            return [entries]
        values = entries.values() if isinstance(entries, dict) else entries if isinstance(entries, list) else []
        return [page for value in values for page in named(value)]

    navigation = named(tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"])
    assert sorted(navigation) == sorted(site.pages().values())


def test_on_the_site_a_link_to_what_is_no_page_only_names_it() -> None:
    document = ROOT / "docs" / "guides" / "deploy.md"
    text = "[notes](../../CHANGELOG.md#next), [image](../images/demo.jpg), [there](https://a.b), [the types](../../pyproject.toml)"
    there = "[notes](../about/changelog.md#next), [image](../images/demo.jpg), [there](https://a.b), the types (`pyproject.toml`)"
    assert site.for_site(document, text) == there


def test_blocks_of_code_stay_as_they_are() -> None:
    block = "```markdown\n[the notes](../../CHANGELOG.md)\n```\n"
    assert site.for_site(ROOT / "docs" / "guides" / "deploy.md", block) == block
