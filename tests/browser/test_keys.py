"""Without a mouse: every page answers to keys, and a key that is written into a field is a letter."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.running import Running

expect = pytest.importorskip("playwright.sync_api").expect


def test_the_line_is_paused_looked_through_and_shown_with_and_without_heat(
    served: Running, open_page: OpenPage
) -> None:
    page = open_page(served.url + "/s/star")
    newest = page.locator("#strip .tile").first
    expect(newest).to_have_attribute("aria-current", "true")
    address = f"/api/results/{newest.get_attribute('data-id')}"
    expect(page.locator("#stage img")).to_have_attribute("src", f"{address}/overlay")
    page.keyboard.press("h")
    expect(page.locator("#stage img")).to_have_attribute("src", f"{address}/image")
    page.keyboard.press("j")
    expect(page.locator("#strip .tile").nth(1)).to_have_attribute("aria-current", "true")
    page.keyboard.press("l")
    expect(newest).to_have_attribute("aria-current", "true")
    page.keyboard.press("Space")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#banners")).to_contain_text("paused")
    page.keyboard.press("Space")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#banners")).not_to_contain_text("paused")


def test_review_by_keys_alone(served: Running, open_page: OpenPage) -> None:
    page = open_page(served.url + "/s/star/review?verdict=")
    tiles = page.locator("#tiles .tile")
    expect(tiles.first).to_have_attribute("aria-current", "true")
    page.keyboard.press("j")
    expect(tiles.nth(1)).to_have_attribute("aria-current", "true")
    page.keyboard.press("k")
    expect(tiles.first).to_have_attribute("aria-current", "true")
    page.keyboard.press("c")
    page.keyboard.type("3 jacks and a hat")
    assert page.input_value("[name=comment]") == "3 jacks and a hat", "letters of a comment are no keys"
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    expect(tiles.first.locator(".said")).to_have_text("unsure")
    expect(tiles.nth(1)).to_have_attribute("aria-current", "true")
    page.keyboard.press("k")
    expect(page.locator("[name=comment]")).to_have_value("3 jacks and a hat")
    page.keyboard.press("1")
    expect(tiles.first.locator(".said")).not_to_have_text("unsure")
    page.reload()
    expect(page.locator("#tiles .said").first).to_be_visible()


def test_the_list_of_keys(served: Running, open_page: OpenPage) -> None:
    page = open_page(served.url + "/s/star/review")
    page.wait_for_selector("#keys:not([hidden])")
    page.keyboard.press("?")
    expect(page.locator("dialog[open] dt")).not_to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_a_threshold_is_moved_by_arrows_and_saved_by_enter(served: Running, open_page: OpenPage) -> None:
    page = open_page(served.url + "/s/star/thresholds")
    page.wait_for_selector("#promise:not(:empty)")
    before = float(page.input_value("#image"))
    page.focus("#image-range")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    after = float(page.input_value("#image"))
    assert after > before
    page.focus("#form [data-who]")
    page.keyboard.type("Ana")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Saved")
    expect(page.locator("#audit")).to_contain_text("Ana")
    expect(page.locator("#save")).to_be_disabled()
    assert served.service.stations["star"].loaded().thresholds.image == pytest.approx(after, rel=1e-5)


def test_the_first_tab_leads_past_the_head(served: Running, open_page: OpenPage) -> None:
    page = open_page(served.url + "/s/star/history")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
