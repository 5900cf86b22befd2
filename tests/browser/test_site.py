"""The site of the documents as `make docs` built it, from the file system, in a browser that may ask no network for anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import OpenPage, Theme

if TYPE_CHECKING:
    from playwright.sync_api import Page

SITE = Path(__file__).parents[2] / "build" / "docs"
PAGES = ("index", "guides/thresholds", "guides/service", "reference/cli", "reference/python")

pytestmark = pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="needs the site: run make docs")


def test_no_page_takes_anything_from_a_network() -> None:
    taken = re.compile(r"<(?:script|img|iframe|source)[^>]*\bsrc=\"https?:[^>]*>|<link[^>]*\bhref=\"https?:[^>]*>")
    pages = sorted(SITE.rglob("*.html"))
    assert len(pages) > 30
    assert [(page.name, found) for page in pages for found in taken.findall(page.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 375)])
def test_pages_in_each_theme_and_width(open_page: OpenPage, theme: Theme, width: int) -> None:
    page = open_page((SITE / "index.html").as_uri(), theme, width)
    asked = asked_of_a_network(page)
    for name in PAGES:
        page.goto((SITE / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (
            f"{name} can be scrolled sideways"
        )
        assert page.locator("h1").count() == 1
        assert page.evaluate("document.body.dataset.mdColorScheme") == ("slate" if theme == "dark" else "default")
    assert asked == []


def test_the_search_finds_words_from_the_file_system(open_page: OpenPage) -> None:
    page = open_page((SITE / "index.html").as_uri())
    asked = asked_of_a_network(page)
    page.get_by_role("button", name="Search").first.click()
    page.keyboard.type("false-alarm rate")
    page.get_by_text(re.compile(r"^\d+ results$")).wait_for()
    assert page.locator("a[href*='guides/thresholds.html']:visible", has_text="promise").count() > 0
    assert asked == []


def test_the_switch_changes_the_colours_and_the_next_page_keeps_them(open_page: OpenPage) -> None:
    page = open_page((SITE / "index.html").as_uri())
    page.locator("label[title='Switch to light']").click()
    page.locator("label[title='Switch to dark']").click()
    assert page.evaluate("document.body.dataset.mdColorScheme") == "slate"
    page.goto((SITE / "guides" / "thresholds.html").as_uri())
    assert page.evaluate("document.body.dataset.mdColorScheme") == "slate"


def asked_of_a_network(page: Page) -> list[str]:
    """The addresses that pages ask for from here on and do not get."""
    asked: list[str] = []
    page.context.route(re.compile("^(?!file:)"), lambda route: (asked.append(route.request.url), route.abort()))
    return asked
