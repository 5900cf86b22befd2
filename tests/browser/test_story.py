"""The whole story on the page alone: from nothing to a station, its line, its thresholds, what it is taught, and the day after."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oddlens.service.settings import ServeSettings
from tests.browser.conftest import OpenPage
from tests.browser.running import files, parts, running
from tests.service.given import png

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

expect = pytest.importorskip("playwright.sync_api").expect

INSPECTED = 30


def counts(page: Page) -> dict[str, int]:
    """What the line's page counts today."""
    found = page.locator("#counts .count").all()
    return {each.get_attribute("data-verdict") or "": int(each.locator("b").inner_text()) for each in found}


def test_from_four_pictures_to_the_day_after(open_page: OpenPage, tmp_path: Path) -> None:
    settings = ServeSettings(home=tmp_path / "home")
    with running(settings) as service:
        # A new station from four pictures.
        page = open_page(service.url, allowed=("409", "422", "ERR_", "Failed to load resource: net"))
        expect(page.locator("main")).to_contain_text("There is no station yet")
        page.click("text=New station")
        page.fill("[name=name]", "plates")
        page.fill("[name=object_name]", "plate")
        page.click("button[type=submit]")
        expect(page.locator(".toast")).to_have_text("Drop or choose images of good parts first.")
        for count, words in (
            (1, "One image gives no threshold"),
            (2, "at most 34 % of good parts are called NG; 4 promise 20 %"),
        ):
            page.set_input_files("#drop input", files([(f"good_{count - 1}.png", png(count - 1))]))
            expect(page.locator("#few")).to_contain_text(words)
        page.set_input_files("#drop input", files([(f"good_{seed}.png", png(seed)) for seed in range(4)]))
        expect(page.locator("#chosen img")).to_have_count(4)
        expect(page.locator("#few")).to_be_empty()
        page.click("button[type=submit]")
        page.wait_for_url("**/s/plates")

        # Its line inspects thirty pictures.
        expect(page.locator("#stage")).to_contain_text("Nothing is inspected yet")
        page.set_input_files("#files", files(parts(INSPECTED)))
        expect(page.locator(".toast")).to_contain_text(f"{INSPECTED} images inspected")
        expect(page.locator("#strip .tile")).to_have_count(10)
        expect(page.locator("#rate")).to_contain_text(f"Today {INSPECTED} images")
        before = counts(page)
        assert sum(before.values()) == INSPECTED
        page.reload()
        assert counts(page) == before, "what the page counts by itself is what the service counts"
        assert before["ng"] > 0

        # What cannot be read has a tile without an image; a thumbnail that is not there would be an error of the browser.
        page.set_input_files("#files", files([("torn.png", b"torn")]))
        expect(page.locator("#strip .tile[data-verdict=failed] .none")).to_be_visible()

        # A threshold is moved: above all scores, so that nothing is NG. The log says who did it.
        page.click("text=Thresholds")
        page.wait_for_selector("#promise:not(:empty)")
        highest = max(score for _, score, *_ in service.service.history.scores("plates"))
        page.fill("#image", f"{highest + 0.01:.6f}")
        expect(page.locator("#recount [data-verdict=ng] b")).to_have_text("0")
        page.fill("#form [data-who]", "Ana")
        page.click("#save")
        expect(page.locator(".toast")).to_contain_text("Saved")
        expect(page.locator("#audit")).to_contain_text("Ana")
        assert {each.origin for each in service.service.history.latest("plates", INSPECTED)} == {"page"}
        page.click("text=Line")
        page.set_input_files("#files", files([("again.png", png(105, True))]))
        expect(page.locator("#counts [data-verdict=ng] b")).to_have_text(str(before["ng"]))
        expect(page.locator("#strip .tile").first).to_have_attribute("title", "again.png")
        assert page.locator("#strip .tile").first.get_attribute("data-verdict") != "ng"

        # Two verdicts are corrected, the second one is taught, and what changes is seen before it is saved.
        page.goto(f"{service.url}/s/plates/review?verdict=ng")
        tiles = page.locator("#tiles .tile")
        expect(tiles.first).to_have_attribute("aria-current", "true")
        page.keyboard.press("2")
        expect(tiles.first.locator(".said")).to_have_text("good")
        expect(tiles.nth(1)).to_have_attribute("aria-current", "true")
        page.keyboard.press("g")
        page.click("#learn button:has-text('Mark it')")
        expect(page.locator("#learn button:has-text('Save as a new version')")).to_be_enabled(timeout=60_000)
        expect(page.locator("#learn")).to_contain_text("reference")
        version = service.service.stations["plates"].loaded().version
        asked: list[Route] = []
        page.route("**/learn?*", lambda route: asked.append(route))
        page.click("#learn button.main")
        expect(page.locator("#learn button.main")).to_have_text("Saving …")
        page.evaluate("document.querySelector('#learn form').requestSubmit()")  # as the Enter key does
        expect(page.locator("#learn button.main")).to_be_disabled()
        (saving,) = asked
        saving.continue_()
        expect(page.locator(".toast")).to_contain_text(f"Version {version + 1} is in force")
        expect(page.locator("#tiles .said")).to_have_count(2)
        page.goto(f"{service.url}/s/plates/teach")
        expect(page.locator("#references tr")).to_have_count(6)
        assert not re.search("[0-9a-f]{64}", page.inner_text("#references")), "what was learned has its user's name"
        page.set_input_files("#drop input", files([("another.png", png(50))]))
        expect(page.locator("#vetting")).to_contain_text("another.png")
        assert not re.search("[0-9a-f]{64}", page.inner_text("#vetting")), "here, too"
        page.click("#vetting button:has-text('Not now')")

    # The service stops: the page says so, and starts again with all that was.
    expect(page.locator("#banners")).to_contain_text("no connection")
    page.close()
    with running(settings) as service:
        page = open_page(f"{service.url}/s/plates")
        expect(page.locator("#strip .tile")).to_have_count(10)
        assert sum(counts(page).values()) == INSPECTED + 2
        page.goto(f"{service.url}/s/plates/review?said=good")
        expect(page.locator("#tiles .tile")).to_have_count(2)
        page.goto(f"{service.url}/s/plates/thresholds")
        page.wait_for_selector("#promise:not(:empty)")
        assert float(page.input_value("#image")) == pytest.approx(highest + 0.01, rel=1e-5)
        expect(page.locator("#audit")).to_contain_text("Ana")
