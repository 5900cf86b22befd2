"""Teaching on the page, at a station whose name is markup: pictures in and out, calibration, names, an earlier version; trying."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

import oddlens
from oddlens.service.settings import ServeSettings
from tests.browser.conftest import HOSTILE, OpenPage
from tests.browser.running import GOOD, Running, files, running
from tests.service.given import make_station, png

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

expect = pytest.importorskip("playwright.sync_api").expect

PLACE = f"/s/{quote(HOSTILE, safe='')}"


def version(served: Running) -> int:
    return served.service.stations[HOSTILE].loaded().version


def teach_page(served: Running, open_page: OpenPage) -> Page:
    page = open_page(f"{served.url}{PLACE}/teach", allowed=("409", "422"))
    page.wait_for_selector("#references button")
    return page


def test_a_telephone_shows_each_version_and_the_way_back_whole(open_page: OpenPage, tmp_path: Path) -> None:
    station = make_station(tmp_path / "star", GOOD)
    with running(ServeSettings(stations=(station,), home=tmp_path / "home")) as served:
        oddlens.open_station(station).set_thresholds(image=0.3, review=0.2).save(station)
        page = open_page(f"{served.url}/s/star/teach", width=375)
        back = page.locator("#versions button")
        expect(back).to_have_text("Go back to it")
        box = back.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 375
        assert page.locator(".scroll:has(#versions)").evaluate("each => each.scrollWidth - each.clientWidth") <= 0


def test_a_doubtful_picture_is_decided_on_before_it_joins(served: Running, open_page: OpenPage) -> None:
    page = teach_page(served, open_page)
    page.set_input_files("#drop input", files([("fine.png", png(60)), ("odd.png", png(61, True))]))
    row = page.locator("#vetting tr.flagged", has_text="odd.png")
    expect(row.locator("select")).to_have_value("leave")
    page.click("#vetting button:has-text('Not now')")
    assert page.locator("#references tr").count() == GOOD, "nothing changes before it is saved"
    page.set_input_files("#drop input", files([("fine.png", png(60)), ("odd.png", png(61, True))]))
    expect(row).to_be_visible()
    page.click("#vetting button:has-text('Go on')")
    expect(page.locator("#references tr")).to_have_count(GOOD + 1)
    expect(page.locator("#references")).to_contain_text("fine.png")
    for answer, left in (("Not now", GOOD + 1), ("Go on", GOOD)):
        page.click("#references tr:has-text('fine.png') button")
        expect(page.locator("#vetting [role=alert]")).to_contain_text("Take fine.png out? 1 reference removed.")
        page.click(f"#vetting button:has-text('{answer}')")
        expect(page.locator("#references tr")).to_have_count(left)


def test_what_takes_long_is_said_while_it_is_done_and_nothing_else_can_be_pressed(
    served: Running, open_page: OpenPage
) -> None:
    page = teach_page(served, open_page)
    held: list[Route] = []
    page.route("**/references?dry_run=true", lambda route: held.append(route))
    page.set_input_files("#drop input", files([("fine.png", png(62)), ("good.png", png(63))]))
    expect(page.locator(".working")).to_contain_text("Looking at 2 images …")
    expect(page.locator(".working .number")).to_have_text(re.compile(r"[1-9]\d* s"))
    assert page.locator("main").evaluate("main => main.inert")
    (asked,) = held
    asked.continue_()
    expect(page.locator("#vetting button:has-text('Go on')")).to_be_visible()
    expect(page.locator(".working")).to_have_count(0)
    assert not page.locator("main").evaluate("main => main.inert")


def test_calibration_names_and_an_earlier_version(served: Running, open_page: OpenPage) -> None:
    page = teach_page(served, open_page)
    first = version(served)
    page.select_option("#calibrate [name=false_alarm_rate]", "0.001")
    page.click("#calibrate button")
    expect(page.locator(".toast.bad")).to_contain_text("999")  # how many pictures that rate needs
    assert version(served) == first
    page.select_option("#calibrate [name=false_alarm_rate]", "0.2")
    page.click("#calibrate button")
    expect(page.locator("#calibrated")).to_contain_text("for 20 % NG")
    page.fill("#names [name=defects]", "dark spot, <i>scratch</i>")
    page.click("#names button")
    expect(page.locator(".toast")).to_contain_text("Saved")
    expect(page.locator("#versions tr").first).to_contain_text("dark spot")
    assert served.service.stations[HOSTILE].loaded().detector.defects is not None
    page.click(f"#versions tr:has(td:text-is('{first}')) button")
    expect(page.locator("#back [role=alert]")).to_have_text(f"Put version {first} in force again?")
    expect(page.locator("#back")).to_contain_text("of the last images")
    page.click("#back button:has-text('Go on')")
    expect(page.locator(".toast")).to_contain_text("is in force")
    expect(page.locator("#calibrated")).not_to_contain_text("for 20 % NG")


def test_a_picture_is_tried_against_the_station_and_by_words_alone(served: Running, open_page: OpenPage) -> None:
    page = open_page(f"{served.url}{PLACE}/try")
    page.set_input_files("#drop input", files([("part.png", png(70, True))]))
    expect(page.locator("#about .tag")).to_have_text("NG")
    expect(page.locator("#overlay img")).to_be_visible()
    page.select_option("[name=station]", "")
    expect(page.locator("#about")).to_contain_text("no threshold, and so no verdict")
    score = page.inner_text("#about b")
    page.fill("[name=object_name]", "knitted wool")
    expect(page.locator("#about b")).not_to_have_text(score)
    assert not served.service.history.latest(HOSTILE), "nothing is kept"


def test_what_was_given_by_hand_is_said_to_stay_where_the_station_is_calibrated(
    served: Running, open_page: OpenPage
) -> None:
    page = teach_page(served, open_page)
    address = f"{served.url}/api/stations/{quote(HOSTILE, safe='')}"
    page.context.request.patch(address, data={"threshold": 0.3111})
    said = page.locator("#calibrated")
    expect(said).to_contain_text("In force: NG above 0.3111")
    expect(said).to_contain_text("What was given by hand stays; 'oddlens station set' changes it.")
    expect(said).to_contain_text("By these images alone: NG above")
    page.click("#calibrate button[type=submit]")
    expect(page.locator(".toast")).to_contain_text("What was given by hand stays")
    page.context.request.patch(address, data={"review_rate": 0})
    expect(said).to_contain_text("for 12 % NG")
    expect(said).not_to_contain_text("by hand")
