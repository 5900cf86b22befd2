"""A new station: what the page says of the images that were chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from oddlens.service.settings import ServeSettings
from tests.browser.conftest import OpenPage
from tests.browser.running import files, running
from tests.service.given import png

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.mark.filterwarnings("ignore::oddlens.OddlensWarning")
def test_a_copy_is_named_before_the_page_goes_on_to_the_line(open_page: OpenPage, tmp_path: Path) -> None:
    with running(ServeSettings(home=tmp_path / "home")) as service:
        page = open_page(service.url + "/new")
        page.fill("[name=name]", "two words")
        page.fill("[name=object_name]", "plate")
        chosen = [(f"good_{seed}.png", png(seed)) for seed in range(4)]
        page.set_input_files("#drop input", files([*chosen, ("copy.png", png(0))]))
        page.click("button[type=submit]")
        expect(page.locator("#few")).to_contain_text(
            "The same image counts once (copy.png is good_0.png): the station is made of 4 references."
        )
        page.click("#few a")
        page.wait_for_url("**/s/two%20words")
        expect(page.locator("#stage")).to_contain_text('--watch "FOLDER=two words"')
