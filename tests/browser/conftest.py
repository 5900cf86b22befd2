"""A real Chromium for the tests of the page: Debian's `chromium`, or the one that ODDLENS_CHROMIUM names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(
    scope="package"
)  # an event loop runs in this thread until it is closed: no test of another package would like that
def browser() -> Iterator[Browser]:
    """The browser; each test opens windows of its own in it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the tests of the page need playwright")
    program = os.environ.get("ODDLENS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no chromium on this machine")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()
