"""Many windows of one browser: none takes the connections of the others, and none shows what is not so."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.running import Running, parts
from tests.service.given import png

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

expect = pytest.importorskip("playwright.sync_api").expect

MANY = 8
"""More than the six connections that a browser has for one service."""


def review(served: Running, open_page: OpenPage, name: str) -> Page:
    """The page of two new parts, one of them chosen."""
    served.inspect("star", [(f"{name}_{seed}.png", png(seed, True)) for seed in (860, 861)])
    page = open_page(f"{served.url}/s/star/review?text={name}_&verdict=", allowed=("net::ERR",))
    expect(page.locator("#stage img")).to_have_attribute("alt", f"{name}_861.png")
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    return page


def listened(served: Running, count: int) -> None:
    """Wait until so many connections listen to events."""
    until = time.monotonic() + 10
    while served.service.events.listener_count != count and time.monotonic() < until:
        time.sleep(0.05)
    assert served.service.events.listener_count == count


def test_marks_are_saved_and_news_come_in_more_windows_than_a_browser_has_connections(
    served: Running, open_page: OpenPage
) -> None:
    listened(served, 0)
    first = review(served, open_page, "many")
    pages = [first] + [first.context.new_page() for _ in range(MANY - 1)]
    for page in pages[1:]:
        page.goto(first.url)
        expect(page.locator("#link")).to_have_attribute("data-state", "live")
    listened(served, 1)
    pages[-1].click("[data-judged=right]")
    for page in pages:
        expect(page.locator("#tiles .said")).to_have_text("defect")
    pages[0].close()  # the others go on where the first one goes
    pages[1].click("[data-judged=unsure]")
    for page in pages[1:]:
        expect(page.locator("#tiles .said").last).to_have_text("unsure")


def test_a_browser_without_shared_workers_holds_no_connection_for_a_page_that_nobody_sees(
    served: Running, open_page: OpenPage
) -> None:
    listened(served, 0)
    page = open_page(served.url + "/new")
    page.add_init_script("delete globalThis.SharedWorker")
    page.goto(served.url + "/s/star")
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    listened(served, 1)

    def seen(hidden: str) -> None:
        page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )

    seen("true")
    listened(served, 0)
    (found,) = served.inspect("star", parts(1, first=870))
    seen("false")
    expect(page.locator(f"#strip .tile[data-id='{found['id']}']")).to_be_visible()


def test_a_stream_that_gives_no_sign_of_life_is_not_live_and_another_one_is_asked_for(
    served: Running, open_page: OpenPage
) -> None:
    page = open_page(served.url + "/new")
    page.clock.install()
    page.add_init_script(
        "globalThis.made = 0;"
        "globalThis.SharedWorker = class { port = { postMessage() {} }; constructor() { globalThis.made += 1; } }"
    )
    page.goto(served.url + "/s/star/review")
    expect(page.locator("#tiles .tile").first).to_be_visible()
    expect(page.locator("#link")).to_have_text("connecting")
    page.clock.run_for(25_000)
    expect(page.locator("#link")).to_have_text("no connection")
    assert page.evaluate("globalThis.made") > 1


def test_a_mark_that_is_not_answered_is_not_saved(served: Running, open_page: OpenPage) -> None:
    page = review(served, open_page, "held")
    held: list[Route] = []
    page.route("**/feedback", lambda route: held.append(route))
    page.click("[data-judged=right]")
    banners = page.locator("#banners")
    expect(banners).to_contain_text("What you said of held_861.png is not saved yet: the service has not answered.")
    expect(page.locator("#link")).to_have_text("no answer")
    expect(page.locator("#tiles .said")).to_have_count(0)
    held[0].abort()
    expect(banners).to_contain_text("What you said of held_861.png is not saved.")
    expect(page.locator("#link")).to_have_text("no answer")
    page.unroute("**/feedback")
    page.click("[data-judged=right]")
    expect(page.locator("#tiles .said")).to_have_text("defect")
    expect(page.locator("#link")).to_have_text("live")
    expect(banners).to_be_empty()


def test_a_picture_that_does_not_come_leaves_no_other_one_beside_its_name(served: Running, open_page: OpenPage) -> None:
    page = review(served, open_page, "picture")
    held: list[Route] = []
    page.route("**/overlay", lambda route: held.append(route))
    page.keyboard.press("j")
    expect(page.locator("#about")).to_contain_text("picture_860.png")
    expect(page.locator("#stage p")).to_have_text("Waiting for the image: picture_860.png")
    expect(page.locator("#stage img")).to_have_count(0)
    held[0].continue_()
    expect(page.locator("#stage img")).to_have_attribute("alt", "picture_860.png")
