"""Two people at one station: each page follows what the other one does, and nothing is lost without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oddlens.station import locked, read_station, versions, write_station
from oddlens.station.changes import changed
from tests.browser.conftest import OpenPage
from tests.browser.running import Running
from tests.service.given import png

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect = pytest.importorskip("playwright.sync_api").expect


def thresholds(served: Running) -> tuple[float | None, float | None]:
    found = served.service.stations["star"].loaded().thresholds
    return found.image, found.review


def handles(served: Running, open_page: OpenPage) -> Page:
    page = open_page(served.url + "/s/star/thresholds", allowed=("409",))
    expect(page.locator("#promise")).not_to_be_empty()
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    return page


def test_thresholds_that_another_window_saves_are_shown_and_kept(served: Running, open_page: OpenPage) -> None:
    one, other = handles(served, open_page), handles(served, open_page)
    other.fill("#image", "0.9")  # moved, and not saved yet
    one.fill("#image", "0.8")
    one.fill("#review", "0.111")
    one.click("#save")
    expect(one.locator(".toast")).to_contain_text("Saved")
    expect(other.locator("#review")).to_have_value("0.111")
    expect(other.locator(".toast")).to_contain_text("was made elsewhere: what you have moved stays")
    expect(other.locator("#image")).to_have_value("0.9")
    other.click("#save")
    expect(other.locator(".toast")).to_contain_text("Saved")
    assert thresholds(served) == (0.9, 0.111)


def test_what_was_decided_on_an_older_version_is_refused_and_the_new_one_is_shown(
    served: Running, open_page: OpenPage
) -> None:
    page = handles(served, open_page)
    page.fill("#image", "0.7")
    folder = served.service.stations["star"].folder
    with locked(folder):  # as the command line does it, of which no page is told
        state = changed(read_station(folder), {"threshold": 0.6, "review_threshold": 0.122})
        made = write_station(state, folder, verb="set", what="set elsewhere")
    page.click("#save")
    expect(page.locator(".toast.bad")).to_contain_text(f"version {made.number} of the station is in force by now")
    expect(page.locator("#review")).to_have_value("0.122")
    expect(page.locator("#image")).to_have_value("0.7")
    assert thresholds(served) == (0.6, 0.122)
    page.click("#save")
    expect(page.locator(".toast")).to_contain_text("Saved")
    assert thresholds(served) == (0.7, 0.122)


def test_teach_follows_names_and_versions_of_another_window(served: Running, open_page: OpenPage) -> None:
    one, other = (open_page(served.url + "/s/star/teach") for _ in range(2))
    for page in (one, other):
        expect(page.locator("#references button").first).to_be_visible()
    other.fill("#names [name=object_name]", "steel plate")  # not saved yet
    one.fill("#names [name=defects]", "dent, scratch")
    one.click("#names button")
    expect(one.locator(".toast")).to_contain_text("Saved")
    expect(other.locator("[name=defects]")).to_have_value("dent, scratch")
    expect(other.locator("#versions tr")).to_have_count(len(versions(served.service.stations["star"].folder)))
    expect(other.locator("#names [name=object_name]")).to_have_value("steel plate")
    other.click("#names button")
    expect(other.locator(".toast")).to_contain_text("Saved")
    expect(one.locator("#names [name=object_name]")).to_have_value("steel plate")
    detector = served.service.stations["star"].loaded().detector
    assert detector.object_name == "steel plate"
    assert detector.defects is not None
    assert detector.defects.words == ("dent", "scratch")


def test_a_mark_of_another_window_is_shown_where_nothing_is_written(served: Running, open_page: OpenPage) -> None:
    served.inspect("star", [("shared.png", png(800, True))])
    one, other = (open_page(served.url + "/s/star/review?text=shared.png&verdict=") for _ in range(2))
    for page in (one, other):
        expect(page.locator("#tiles .tile")).to_have_count(1)
        expect(page.locator("#link")).to_have_attribute("data-state", "live")
    one.fill("[name=comment]", "a dark spot")
    one.click("[data-judged=right]")
    expect(other.locator("#about")).to_contain_text("Said: defect")
    expect(other.locator("[data-judged=right]")).to_have_attribute("aria-pressed", "true")
    expect(other.locator("[name=comment]")).to_have_value("a dark spot")
    other.fill("[name=comment]", "mine")
    one.click("[data-judged=unsure]")
    expect(other.locator("#tiles .said")).to_have_text("unsure")
    expect(other.locator("[name=comment]")).to_have_value("mine")


def test_a_defect_that_another_window_names_is_counted_in_the_history(served: Running, open_page: OpenPage) -> None:
    (found,) = served.inspect("star", [("named.png", png(801, True))])
    page = open_page(served.url + "/s/star/history")
    expect(page.locator("#defects tr").first).to_be_visible()
    page.context.request.post(
        f"{served.url}/api/results/{found['id']}/feedback", data={"said": "bad", "defect": "torn corner"}
    )
    expect(page.locator("#defects")).to_contain_text("torn corner")
