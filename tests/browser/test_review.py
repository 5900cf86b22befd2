"""Review: what is written of an image is not lost, and a mark belongs to the image that it was made for."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest
from PIL import Image

from tests.browser.conftest import OpenPage
from tests.browser.running import Running, files
from tests.service.given import png

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

expect = pytest.importorskip("playwright.sync_api").expect


def gallery(served: Running, open_page: OpenPage, name: str, seeds: list[int]) -> Page:
    """A review of some new parts only, the newest first."""
    served.inspect("star", [(f"{name}_{seed}.png", png(seed, True)) for seed in seeds])
    page = open_page(f"{served.url}/s/star/review?text={name}_&verdict=", allowed=("409",))
    expect(page.locator("#tiles .tile")).to_have_count(len(seeds))
    return page


def said(served: Running, name: str) -> list[str | None]:
    """What is said of its parts, the newest first."""
    return [each.said for each in served.service.history.latest("star", 100) if each.source.startswith(name)]


def test_a_comment_that_is_not_saved_stays_with_its_image(served: Running, open_page: OpenPage) -> None:
    page = gallery(served, open_page, "draft", [810, 811])
    comment = page.locator("[name=comment]")
    comment.fill("a scratch at the edge")
    expect(page.locator("#draft")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(comment).to_have_value("")
    expect(page.locator("#draft")).to_be_hidden()
    page.locator("#tiles .tile").first.click()
    expect(comment).to_have_value("a scratch at the edge")
    page.keyboard.press("1")
    expect(page.locator("#tiles .tile").nth(1)).to_have_attribute("aria-current", "true")
    newest = served.service.history.latest("star", 1)[0]
    assert (newest.said, newest.comment) == ("bad", "a scratch at the edge")
    page.keyboard.press("k")
    expect(page.locator("#draft")).to_be_hidden()


def test_what_is_written_while_a_mark_is_made_stays_with_its_image(served: Running, open_page: OpenPage) -> None:
    page = gallery(served, open_page, "late", [815, 816])
    comment = page.locator("[name=comment]")

    def slowly(route: Route) -> None:
        answer = route.fetch()
        comment.fill("at the edge, and a second one")  # before the answer comes
        route.fulfill(response=answer)

    page.route("**/feedback", slowly)
    comment.fill("at the edge")
    page.click("[data-judged=wrong]")
    expect(page.locator("#tiles .tile").nth(1)).to_have_attribute("aria-current", "true")
    assert served.service.history.latest("star", 1)[0].comment == "at the edge"
    page.locator("#tiles .tile").first.click()
    expect(comment).to_have_value("at the edge, and a second one")
    expect(page.locator("#draft")).to_be_visible()


def test_a_double_click_marks_one_image(served: Running, open_page: OpenPage) -> None:
    page = gallery(served, open_page, "twice", [817, 818])
    marks: list[str | None] = []
    page.on("request", lambda request: marks.append(request.post_data) if request.url.endswith("/feedback") else None)
    page.click("[data-judged=wrong]")
    expect(page.locator("#tiles .tile").nth(1)).to_have_attribute("aria-current", "true")
    page.mouse.down(click_count=2)  # the second click of a double one comes when the next image is there already
    page.mouse.up(click_count=2)
    page.click("[data-judged=unsure]")
    expect(page.locator("#tiles .tile").nth(1)).to_contain_text("unsure")
    assert said(served, "twice") == ["good", "unsure"]
    assert [json.loads(mark or "")["judged"] for mark in marks] == ["wrong", "unsure"]


def test_an_offer_names_its_image_and_touches_no_other(served: Running, open_page: OpenPage) -> None:
    page = gallery(served, open_page, "offer", [820, 821])
    expect(page.locator("[data-teach=good]")).to_have_text("Teach offer_821.png as good")
    page.click("[data-judged=wrong]")
    expect(page.locator("#tiles .tile").nth(1)).to_have_attribute("aria-current", "true")
    expect(page.locator("#last")).to_contain_text("offer_821.png is marked: good.")
    page.click("[data-teach=good]")  # meant for the one before, perhaps: the page asks, and names the one that it is of
    expect(page.locator("#learn")).to_contain_text("Mark offer_820.png as good?")
    page.click("#learn button:has-text('Not now')")
    assert said(served, "offer") == ["good", None]
    page.click("#last button:has-text('Teach offer_821.png')")
    expect(page.locator("#learn button:has-text('Save as a new version')")).to_be_enabled(timeout=60_000)
    page.click("#learn button:has-text('Not now')")
    assert said(served, "offer") == ["good", None]


def test_of_what_could_not_be_looked_at_nothing_is_said(served: Running, open_page: OpenPage) -> None:
    page = gallery(served, open_page, "cut", [825])
    with pytest.raises(HTTPError, match="422"):
        served.inspect("star", [("cut_off.png", png(826)[:200])])
    expect(page.locator("[data-judged=right]")).to_be_visible()
    page.goto(page.url + "&sort=newest")
    expect(page.locator("#about")).to_contain_text("cut_off.png")
    for each in (
        "[data-judged=right]",
        "[data-judged=wrong]",
        "[data-teach=good]",
        "[data-teach=bad]",
        "[name=comment]",
    ):
        expect(page.locator(each)).to_be_hidden()
    page.keyboard.press("1")
    page.keyboard.press("d")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert said(served, "cut") == [None, None]


def test_an_image_of_another_size_is_said_to_be_one(served: Running, open_page: OpenPage) -> None:
    small = BytesIO()
    Image.open(BytesIO(png(827))).resize((40, 30)).save(small, "PNG")
    served.inspect("star", [("small.png", small.getvalue())])
    sentence = "It has 40 × 30 pixels, and the station expects"
    for room in ("", "/review?text=small.png&verdict="):
        page = open_page(f"{served.url}/s/star{room}")
        expect(page.locator("#about")).to_contain_text(sentence)
    page = open_page(f"{served.url}/s/star/try")
    page.set_input_files("#drop input", files([("small.png", small.getvalue())]))
    expect(page.locator("#about")).to_contain_text(sentence)


def test_a_search_looks_while_it_is_typed(served: Running, open_page: OpenPage) -> None:
    page = gallery(served, open_page, "typed", [830, 831])
    page.press("#filter [name=text]", "End")
    page.keyboard.type("831")
    expect(page.locator("#tiles .tile")).to_have_count(1)
    expect(page.locator("#total")).to_have_text("1 image")


def test_images_that_were_drawn_for_audit_are_found(served: Running, open_page: OpenPage) -> None:
    page = gallery(served, open_page, "audit", [840])
    page.select_option("#filter [name=audit]", "true")
    expect(page.locator("#nothing")).to_be_visible()


def test_a_lesson_that_was_looked_at_for_an_older_version_is_looked_at_again(
    served: Running, open_page: OpenPage
) -> None:
    page = gallery(served, open_page, "lesson", [850])
    page.click("[data-judged=wrong]")
    page.click("#last button")
    expect(page.locator("#learn button:has-text('Save as a new version')")).to_be_enabled(timeout=60_000)
    before = served.service.stations["star"].loaded().version
    page.context.request.patch(
        f"{served.url}/api/stations/star",
        data=json.dumps({"threshold": 0.77}),
        headers={"Content-Type": "application/json"},
    )
    page.click("#learn button.main")
    expect(page.locator("#learn [role=alert]")).to_contain_text(f"version {before + 1} of the station is in force")
    page.click("#learn button:has-text('Look again')")
    expect(page.locator("#learn button:has-text('Save as a new version')")).to_be_enabled(timeout=60_000)
    page.click("#learn button.main")
    expect(page.locator(".toast")).to_contain_text(f"Version {before + 2} is in force")


def test_a_long_name_does_not_widen_a_telephone_s_page(served: Running, open_page: OpenPage) -> None:
    name = "camera_3_shift_2_part_" + 8 * "0123456789"
    served.inspect("star", [(f"{name}.png", png(830, True))])
    page = open_page(f"{served.url}/s/star/review?text={name}&verdict=", width=375)
    expect(page.locator("[data-teach=bad]")).to_contain_text(name)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
