"""What a page offers is what the station's method takes: good images, words, both, or neither."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import oddlens
from oddlens.service.settings import ServeSettings
from tests.browser.conftest import OpenPage
from tests.browser.running import Running, files, parts, running
from tests.contract.loaded import load_tiny
from tests.service.given import make_road_station, make_station, png

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.needs_torch

KINDS = {
    "plates": (True, True),
    "zero": (True, False),
    "words": (False, False),
    "drive": (False, False),
}
"""A station -> whether its method takes good images, and whether it has some."""


@pytest.fixture(scope="module")
def kinds(browser: object, tmp_path_factory: pytest.TempPathFactory, open_clip_folder: Path) -> Iterator[Running]:
    """A service with a station of every kind: by good images, by words, by learned prompts, and of roads."""
    folder = tmp_path_factory.mktemp("kinds")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oddlens.load("winclip", runtime="onnx").save(folder / "zero")
        load_tiny("anomalyclip", open_clip_folder, folder).save(folder / "words")
    make_station(folder / "plates", 6)
    make_road_station(folder / "drive")
    settings = ServeSettings(stations=tuple(folder / name for name in KINDS), home=folder / "home")
    with running(settings) as service:
        for name in KINDS:
            service.inspect(name, parts(1))
        yield service


@pytest.mark.parametrize("name", KINDS)
def test_try_offers_good_images_and_words_where_the_method_takes_them(
    name: str, kinds: Running, open_page: OpenPage
) -> None:
    takes, has = KINDS[name]
    page = open_page(f"{kinds.url}/s/{name}/try")
    expect(page.locator("[name=station]")).to_be_visible(visible=has)
    expect(page.locator("[name=object_name]")).to_be_visible(visible=takes)
    page.set_input_files("#drop input", files([("part.png", png(70, True))]))
    expect(page.locator("#about .tag")).to_be_visible()
    expect(page.locator("#about")).to_contain_text("NG above" if has else "no threshold, and so no verdict")
    if name != "zero":
        expect(page.locator("#about")).not_to_contain_text("as a ")
    if has:
        page.select_option("[name=station]", "")
        expect(page.locator("#about")).to_contain_text("as a plate, no threshold, and so no verdict")


@pytest.mark.parametrize("name", KINDS)
def test_teach_offers_good_images_where_the_method_takes_them(name: str, kinds: Running, open_page: OpenPage) -> None:
    takes, has = KINDS[name]
    page = open_page(f"{kinds.url}/s/{name}/teach")
    expect(page.locator("#versions tr")).to_have_count(1)  # all is read
    expect(page.locator("#drop")).to_be_visible(visible=takes)
    expect(page.locator("[name=on]")).to_have_value("references" if has else "files")
    expect(page.locator("[name=files]")).to_be_visible(visible=not has)
    if not takes:
        expect(page.locator("h1 + p")).to_contain_text("takes no good images to compare with")
    page.click("#open-learn")
    expect(page.locator("#learn")).to_contain_text("nothing new to learn" if takes else "good teach it nothing")
    expect(page.locator("#learn button.main")).to_be_disabled()
    expect(page.locator("[name=defect_memory]")).to_have_count(int(takes))


@pytest.mark.parametrize("name", KINDS)
def test_review_teaches_good_images_where_the_method_takes_them(name: str, kinds: Running, open_page: OpenPage) -> None:
    page = open_page(f"{kinds.url}/s/{name}/review?verdict=")
    expect(page.locator("[data-teach=bad]")).to_be_visible()
    expect(page.locator("[data-teach=good]")).to_have_count(int(KINDS[name][0]))


def test_maps_that_mean_nothing_are_said_to_on_every_page(kinds: Running, open_page: OpenPage) -> None:
    for room in ("", "/teach", "/try", "/review", "/thresholds", "/history"):
        page = open_page(f"{kinds.url}/s/drive{room}", width=375, theme="dark")
        expect(page.locator("#banners [data-key=caution]")).to_contain_text("its maps of streets mean nothing")
    page = open_page(f"{kinds.url}/stations")
    expect(page.locator("[data-station=drive] .banner")).to_contain_text("its maps of streets mean nothing")
    expect(page.locator("[data-station=drive]")).not_to_contain_text("good images")
    expect(page.locator("[data-station=zero]")).to_contain_text("0 good images")
    assert page.locator("[data-station=words] .banner").count() == 0
