"""A real Chromium for the tests of the page: Debian's `chromium`, or the one that ODDLENS_CHROMIUM names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from oddlens.service.settings import ServeSettings
from tests.browser.running import GOOD, Running, parts, running, stopped
from tests.service.given import make_station

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

Theme = Literal["light", "dark"]
PATIENCE_MS = 30_000
"""For what is awaited: no test fails for being slow."""
OpenPage = Callable[..., "Page"]
HOSTILE = '<b>R&D\'s "50 %" #1?é'
"""A station whose name is markup, an address and a quotation, as far as a folder can be called so."""


@pytest.fixture(
    scope="package"
)  # an event loop runs in this thread until it is closed: no test of another package would like that
def browser() -> Iterator[Browser]:
    """The browser; each test opens windows of its own in it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the tests of the page need playwright")
    program = os.environ.get("ODDLENS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no chromium on this machine")
    playwright.expect.set_options(timeout=PATIENCE_MS)
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens a window of a theme and a size; a test whose windows report an error or a warning fails when it ends.

    allowed: parts of what the browser may say all the same: it reports every answer that is no success as an error.
    """
    said: list[str] = []
    contexts = []

    def heard(message: ConsoleMessage, allowed: tuple[str, ...]) -> None:
        if message.type in ("error", "warning") and not any(part in message.text for part in allowed):
            address = str(message.location.get("url"))
            if not ("ERR_CONNECTION" in message.text and address.startswith(tuple(stopped))):
                said.append(f"{message.text} ({address})")

    def opened(
        address: str, theme: Theme = "light", width: int = 1280, height: int = 800, allowed: tuple[str, ...] = ()
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard(message, allowed))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not said


@pytest.fixture(scope="package")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:  # none without a browser
    """A service with a station that has inspected a dozen parts, a copy of it, and a damaged one.

    What tests change there disturbs no other test.
    """
    folder = tmp_path_factory.mktemp("served")
    star = make_station(folder / "star", GOOD)
    other = Path(shutil.copytree(star, folder / HOSTILE))
    broken = folder / "broken"
    broken.mkdir()
    (broken / "station.json").write_text("{")
    with running(ServeSettings(stations=(star, other, broken), home=folder / "home")) as service:
        service.inspect("star", parts(12))
        yield service
