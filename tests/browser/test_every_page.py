"""Each page in both themes, on a telephone and on a screen: nothing sticks out, all is readable, the browser has no complaint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from oddlens.service.settings import ServeSettings
from tests.browser.conftest import HOSTILE, OpenPage, Theme
from tests.browser.running import Running, files, parts, running

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

PATHS = {"stations": "/", "new": "/new", "line": "/s/star"} | {
    name: f"/s/star/{name}" for name in ("review", "thresholds", "teach", "history", "try")
}
READY = {
    "stations": "[data-station] .tag",
    "new": "#drop",
    "line": "#stage img",
    "review": "#stage img",
    "thresholds": "#promise:not(:empty)",
    "teach": "#references button",
    "history": "#trend-legend span",
    "try": "#drop",
}
"""What is there when a page has read what it shows."""

FIRST_PAINT_S = 5.0
"""A loose bound: machines may be busy. The figures are printed; docs/guides/service.md says what was measured."""


def first_paint(page: Page) -> float:
    """Seconds from the request to the first content."""
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
    return float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")) / 1000


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 375)])
def test_each_page_in_each_theme_and_width(
    served: Running, open_page: OpenPage, name: str, theme: Theme, width: int
) -> None:
    page = open_page(served.url + PATHS[name], theme, width)
    page.wait_for_selector(READY[name])
    painted = first_paint(page)
    print(f"first paint of {name} at {width} pixels: {1000 * painted:.0f} ms")
    assert painted < FIRST_PAINT_S
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, "it can be scrolled sideways"
    assert page.locator("h1").count() == 1
    assert page.title().endswith("oddlens")
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, a, input, select, textarea')].filter((each) => each.checkVisibility()
            && !each.textContent.trim() && !each.getAttribute('aria-label') && !each.labels?.length && each.type !== 'hidden')
            .map((each) => each.outerHTML)"""
    )
    assert not unnamed, "a control that a screen reader cannot name"


def test_a_long_name_of_a_file_makes_no_page_wider(served: Running, open_page: OpenPage) -> None:
    name = "a_rather_long_name_of_a_file_as_cameras_give_them_2026-11-27_0001.png"
    page = open_page(f"{served.url}/s/star/teach", width=375)
    for selector, room in (("#calibrated", "teach"), ("#promise", "thresholds")):
        page.goto(f"{served.url}/s/star/{room}")
        page.wait_for_selector(READY[room])
        page.locator(selector).evaluate("(node, name) => { node.textContent = `Accepted: ${name}.`; }", name)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, "it can be scrolled sideways"


@pytest.mark.parametrize("width", [320, 375, 700, 1280])
def test_all_pages_of_a_station_and_the_way_to_the_others_are_in_sight(
    served: Running, open_page: OpenPage, width: int
) -> None:
    page = open_page(f"{served.url}/s/star/try", width=width)
    links = page.locator(".head a:not(.brand)")
    assert links.all_inner_texts() == ["Stations", "Line", "Review", "Thresholds", "Teach", "History", "Try"]
    for link in links.all():
        box = link.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert page.locator(".head [aria-current=page]").inner_text() == "Try"


@pytest.mark.parametrize("room", ["", "review", "thresholds", "teach", "history", "try"])
def test_a_name_like_markup_is_a_name(served: Running, open_page: OpenPage, room: str) -> None:
    """A module that failed on it would report an error."""
    page = open_page(f"{served.url}/s/{quote(HOSTILE, safe='')}" + (f"/{room}" if room else ""))
    page.wait_for_selector("#link[data-state=live]")
    assert page.inner_text(".here").strip("/ \n") == HOSTILE
    assert page.locator('main b:has-text("R&D")').count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_verdicts_are_readable_in_both_themes(served: Running, open_page: OpenPage, theme: Theme) -> None:
    """WCAG's contrast: 4.5 for text, 3 for shapes."""
    page = open_page(served.url + "/new", theme)
    pairs = [
        ("text", "ground", 4.5),
        ("text", "surface", 4.5),
        ("accent", "surface", 4.5),
        ("on-accent", "accent", 4.5),
    ]
    pairs += [("quiet", ground, 4.5) for ground in ("surface", "ground", "raised")] + [("review-text", "surface", 4.5)]
    pairs += [(f"on-{verdict}", verdict, 4.5) for verdict in ("ok", "review", "ng", "failed")]
    pairs += [(verdict, "surface", 3) for verdict in ("ok", "ng", "failed")]
    found = page.evaluate(
        r"""async (pairs) => {
            const { colour } = await import('/static/canvas.js');
            const light = (name) => {
                const parts = colour(name).match(/[\d.]+/g).slice(0, 3).map((each) => each / 255);
                const [r, g, b] = parts.map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            return pairs.map(([upper, lower]) => {
                const [a, b] = [light(upper), light(lower)].sort((x, y) => y - x);
                return (a + 0.05) / (b + 0.05);
            });
        }""",
        pairs,
    )
    for (upper, lower, least), contrast in zip(pairs, found, strict=True):
        assert contrast >= least, f"{upper} on {lower} in the {theme} theme"


def test_the_theme_that_is_chosen_stays(served: Running, open_page: OpenPage) -> None:
    page = open_page(served.url + "/new", "light")
    page.click("#theme-switch")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page.goto(served.url + PATHS["try"])
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page.click("#theme-switch")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"


def test_a_verdict_is_a_word_and_a_shape_beside_its_colour(served: Running, open_page: OpenPage) -> None:
    page = open_page(served.url + PATHS["line"])
    page.wait_for_selector("#strip .tile")
    shapes = page.evaluate(
        "['ok', 'review', 'ng', 'failed', 'none'].map((each) => document.querySelector(`#shape-${each} path`).getAttribute('d'))"
    )
    assert len(set(shapes)) == 5
    words = {"ok": "OK", "review": "REVIEW", "ng": "NG", "failed": "FAILED"}
    verdicts = set()
    for tile in page.locator("#strip .tile").all():
        verdict = tile.get_attribute("data-verdict") or ""
        verdicts.add(verdict)
        assert tile.locator("use").get_attribute("href") == f"#shape-{verdict}"
        assert (tile.get_attribute("aria-label") or "").startswith(words[verdict] + ",")
    assert {"ok", "ng"} <= verdicts
    newest = page.locator("#strip .tile").first.get_attribute("data-verdict") or ""
    assert page.inner_text("#word") == words[newest]
    assert page.locator("#light use").get_attribute("href") == f"#shape-{newest}"
    assert page.inner_text("#spoken").startswith(words[newest])


def test_a_damaged_station_says_what_is_wrong_and_the_others_go_on(served: Running, open_page: OpenPage) -> None:
    page = open_page(served.url)
    assert "station.json" in page.inner_text("[data-station=broken] .banner")
    assert page.locator("[data-station=star] .banner").count() == 0
    for room in ("", "/review", "/try"):
        page.goto(f"{served.url}/s/broken{room}")
        page.wait_for_selector("#link[data-state=live]")
        assert "station.json" in page.inner_text("#banners")


def test_the_token_is_asked_for_once(open_page: OpenPage, tmp_path: Path) -> None:
    with running(ServeSettings(home=tmp_path / "home", token="one token for this test")) as service:
        page = open_page(service.url + "/new", allowed=("401",))
        assert page.url == service.url + "/login?next=/new"
        page.fill("[name=token]", "another token")
        page.click("button[type=submit]")
        assert "not the token" in page.inner_text(".login [role=alert]")
        page.fill("[name=token]", "one token for this test")
        page.keyboard.press("Enter")
        page.wait_for_url("**/new")
        page.goto(service.url)
        assert page.locator("text=There is no station yet").count() == 1


def test_a_new_result_asks_for_its_own_pictures_only(served: Running, open_page: OpenPage) -> None:
    """A fast line must not send the last ten thumbnails again and again."""
    page = open_page(f"{served.url}/s/star")
    page.wait_for_selector("#stage img")
    page.wait_for_load_state("load")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    (found,) = served.inspect("star", parts(1, first=300))
    page.wait_for_selector(f"#strip .tile[data-id='{found['id']}'][aria-current=true]")
    page.wait_for_selector(f"#stage img[src='/api/results/{found['id']}/overlay']")
    pictures = sorted(url.removeprefix(served.url) for url in asked if "/results/" in url)
    assert pictures == [f"/api/results/{found['id']}/{kind}" for kind in ("overlay", "thumbnail")]


def test_what_happens_before_the_stream_opens_is_seen(served: Running, open_page: OpenPage) -> None:
    found = []

    def late(route: Route) -> None:
        found.extend(served.inspect("star", parts(1, first=400)))
        route.continue_()

    page = open_page(served.url + "/new")
    page.route("**/static/events.js", late)
    page.goto(f"{served.url}/s/star")
    page.wait_for_selector("#strip .tile[title='part_400.png'][aria-current=true]")
    assert page.locator("#strip .tile").first.get_attribute("data-id") == str(found[0]["id"])


def test_files_that_are_chosen_before_the_module_has_come_are_inspected(served: Running, open_page: OpenPage) -> None:
    held: list[Route] = []
    page = open_page(served.url + "/new")
    page.route("**/static/line.js", lambda route: held.append(route))
    page.goto(f"{served.url}/s/star", wait_until="commit")
    page.set_input_files("#files", files(parts(1, first=500)))
    page.wait_for_timeout(100)
    (route,) = held
    route.continue_()
    page.wait_for_selector("#strip .tile[title='part_500.png'][aria-current=true]")
