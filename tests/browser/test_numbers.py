"""Numbers on the page are right where they have little room: `dom.js`."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TILES = {
    0: "0.00", 1.27e-5: "1.3e-5", -1.27e-5: "-1.3e-5", 0.00996: "1.0e-2", 0.0123: "0.0123", 0.4976: "0.498", 12.345: "12.3",
    999.2: "999", 1234.5: "1.2e3", 3e-12: "3.0e-12",
}  # fmt: skip
TABLES = {
    0: "0.0000",
    1.27e-5: "1.27e-5",
    -4e-8: "-4.00e-8",
    0.00123: "0.0012",
    0.4976: "0.4976",
    12.345: "12.35",
    1234.5: "1234.5",
}


def test_small_and_large_ones_have_an_exponent(browser: Browser) -> None:
    module = (files("oddlens.service") / "static" / "dom.js").read_text("utf-8")
    page = browser.new_page()
    page.route("**/dom.js", lambda route: route.fulfill(body=module, content_type="text/javascript"))
    empty = '<!doctype html><script id="data" type="application/json">{}</script>'
    page.route("**/page", lambda route: route.fulfill(body=empty, content_type="text/html"))
    page.goto("http://oddlens.test/page")
    script = "([name, values]) => import('/dom.js').then((dom) => values.map((value) => dom[name](value)))"
    for name, expected in (("short", TILES), ("number", TABLES)):
        assert dict(zip(expected, page.evaluate(script, [name, list(expected)]), strict=True)) == expected
    assert page.evaluate(script, ["number", [None]]) == ["–"]
    regions = [
        {"box": [1, 2, 3, 4], "area": 9, "peak": 0.5, "names": names}
        for names in ([["unknown", 0.0], ["pitting", 1.0]], [["pitting", 0.9], ["scratch", 0.1], ["unknown", 0.0]])
    ]
    rows = page.evaluate(
        "(found) => import('/dom.js').then((dom) => dom.regionsTable(found)[0].tBodies[0].rows)"
        ".then((rows) => [...rows].map((row) => row.lastChild.textContent))",
        regions,
    )
    assert rows == ["like none that is named", "pitting 0.90, scratch 0.10"]
    page.close()
