"""docs/methods: each method has a page, in one form; its settings, published figures and drawing are those of the program."""

import re
from dataclasses import fields

import pytest

from lab.drawings import DRAWINGS
from lab.drawings import FOLDER as IMAGES
from lab.method_pages import FOLDER, PAGES, rewritten, settings, sources
from oddlens.methods.registry import method_card, method_cards

HEADINGS = ["Idea", "When", "Use", "Settings", "Figures", "Traps", "Cite"]

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the documents of a checkout")


def text(page: str) -> str:
    return (FOLDER / f"{page}.md").read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """What stands under a heading, its own smaller headings included."""
    return re.split(r"^## .*\n", text(page), flags=re.MULTILINE)[1 + HEADINGS.index(heading)]


def test_every_method_has_a_page_and_every_page_a_method() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*method_cards(), "fusion"}


@pytest.mark.parametrize("page", PAGES)
def test_the_headings_are_the_same_in_the_same_order(page: str) -> None:
    assert re.findall(r"^## (.*)$", text(page), re.MULTILINE) == HEADINGS
    assert re.findall(r"^### (Published|Our own)$", section(page, "Figures"), re.MULTILINE) == ["Published", "Our own"]
    assert f"../images/methods/{page}.svg" in section(page, "Idea")
    assert "Do not take it" in section(page, "When")
    use = section(page, "Use")
    assert "```console\n" in use
    assert "```python\n" in use


@pytest.mark.parametrize("page", PAGES)
def test_settings_and_published_figures_are_those_of_the_program(page: str) -> None:
    """Where this fails, `python -m lab.method_pages` writes them anew."""
    assert text(page) == rewritten(text(page), page)


@pytest.mark.parametrize("page", method_cards())
def test_every_setting_stands_on_the_page_with_its_source(page: str) -> None:
    known = sources(text(page))
    assert list(known) == [each.name for each in fields(method_card(page).recipe)]
    assert all(known.values())


def test_two_methods_as_one_have_the_settings_of_both_beside_those_on_the_page() -> None:
    own = sources(text("fusion"))
    parts = ("winclip", "patch_knn")
    others = {
        f"{part}_{each.name}"
        for part in parts
        for each in fields(method_card(part.replace("_", "-")).recipe)
        if each.name != "activation"
    }
    assert {each.name for each in fields(method_card("winclip+patch-knn").recipe)} == set(own) | others
    assert all(own.values())


def test_a_changed_default_shows() -> None:
    """The comparison can fail: the table is made of the recipe, whatever stands on the page."""
    page = text("winclip")
    assert "| `image_size` | `240` |" in page
    assert rewritten(page.replace("| `image_size` | `240` |", "| `image_size` | `224` |"), "winclip") == page
    assert "| `temperature`* | `0.07` |" in settings("winclip", {})


@pytest.mark.parametrize("page", method_cards())
def test_the_page_cites_the_paper_as_the_card_does(page: str) -> None:
    card = method_card(page)
    words = " ".join(section(page, "Cite").split())
    assert "<!-- cite -->" in words
    assert card.citation in words
    for number in re.findall(r"arXiv (\d{4}\.\d{5})", card.paper):
        assert f"(https://arxiv.org/abs/{number})" in words


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_are_those_of_the_lab(name: str) -> None:
    """Where this fails, `python -m lab.drawings` writes them anew."""
    assert (IMAGES / name).read_text(encoding="utf-8") == DRAWINGS[name].svg()
