"""Trying: what the page shows belongs to the image and the words that stand there."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oddlens.service.settings import ServeSettings
from tests.browser.conftest import OpenPage
from tests.browser.running import GOOD, Running, files, running
from tests.service.given import make_station, png

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

expect = pytest.importorskip("playwright.sync_api").expect


def tried(served: Running, open_page: OpenPage) -> Page:
    page = open_page(served.url + "/s/star/try", allowed=("422",))
    page.set_input_files("#drop input", files([("part.png", png(70, True))]))
    expect(page.locator("#about .tag")).to_be_visible()  # whichever: other tests move its thresholds
    return page


def test_without_words_the_next_image_has_no_verdict_and_the_page_says_what_is_missing(
    served: Running, open_page: OpenPage
) -> None:
    page = tried(served, open_page)
    page.fill("[name=object_name]", "")
    expect(page.locator("#state")).to_contain_text("what is on part.png")
    expect(page.locator("#result")).to_be_hidden()
    page.set_input_files("#drop input", files([("next.png", png(71))]))
    expect(page.locator("#state")).to_contain_text("what is on next.png")
    expect(page.locator("#result")).to_be_hidden()
    page.fill("[name=object_name]", "plate")
    expect(page.locator("#image img")).to_have_attribute("alt", "next.png")
    expect(page.locator("#state")).to_be_empty()


def test_of_several_images_the_first_is_looked_at_and_the_page_says_so(served: Running, open_page: OpenPage) -> None:
    page = open_page(served.url + "/s/star/try")
    page.locator("#drop input").evaluate("field => { field.multiple = true; }")  # as several that are dropped
    page.set_input_files("#drop input", files([("one.png", png(70)), ("two.png", png(71))]))
    expect(page.locator(".toast")).to_have_text("One image at a time: one.png is looked at, the others are not.")
    expect(page.locator("#image img")).to_have_attribute("alt", "one.png")


def test_a_verdict_is_that_of_the_version_in_force(open_page: OpenPage, tmp_path: Path) -> None:
    station = make_station(tmp_path / "star", GOOD)
    with running(ServeSettings(stations=(station,), home=tmp_path / "home")) as service:
        page = tried(service, open_page)
        for threshold, review, verdict, limits in (
            (5.0, None, "ok", "NG above 5"),
            (9.0, 0.001, "review", "REVIEW above 0.001, NG above 9"),
            (0.001, None, "ng", "NG above 0.001"),
        ):
            request = urllib.request.Request(
                f"{service.url}/api/stations/star",
                json.dumps({"threshold": threshold, "review_threshold": review}).encode(),
                {"Content-Type": "application/json"},
                method="PATCH",
            )
            urllib.request.urlopen(request, timeout=30).close()
            expect(page.locator("#about .tag")).to_have_attribute("data-verdict", verdict)
            expect(page.locator("#about .quiet")).to_have_text(limits)


def test_a_file_that_is_no_image_has_an_error_and_no_verdict(served: Running, open_page: OpenPage) -> None:
    page = tried(served, open_page)
    page.set_input_files("#drop input", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no image"})
    expect(page.locator("#state")).to_contain_text("notes.txt")
    expect(page.locator("#result")).to_be_hidden()


def test_a_verdict_goes_as_soon_as_another_image_or_other_words_come(served: Running, open_page: OpenPage) -> None:
    page = tried(served, open_page)
    held: list[Route] = []
    page.route("**/api/try", lambda route: held.append(route))
    page.fill("[name=object_name]", "knitted wool")
    expect(page.locator("#result")).to_be_hidden()
    assert page.locator("#result img").count() == 0
    page.set_input_files("#drop input", files([("next.png", png(71))]))
    expect(page.locator("#state")).to_contain_text("Looking at next.png")
    page.wait_for_timeout(600)  # all that is asked for has been asked for
    for route in held:
        route.continue_()
    expect(page.locator("#about .tag")).to_be_visible()
    expect(page.locator("#image img")).to_have_attribute("alt", "next.png")
