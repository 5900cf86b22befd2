"""The bar under a score on the page Line: the mark lies in the zone of the verdict, whatever the sign of scores: `gauge.js`."""

from __future__ import annotations

from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CASES = [
    {"score": score, "thresholds": {"image": image, "review": review}}
    for image, review, scores in (
        (0.3, 0.2, (0.0, 0.19, 0.25, 0.31, 7.0)),
        (0.3, None, (0.0, 0.29, 0.31)),
        (-0.0226, -0.0362, (-0.9, -0.04, -0.0272, -0.0092, 0.4)),  # as a station of road scenes has
        (-0.05, None, (-0.4, -0.06, -0.01)),
        (0.02, -0.03, (-0.2, -0.01, 0.5)),
        (0.0, 0.0, (0.0, 0.1)),
    )
    for score in scores
]


def test_the_mark_lies_in_the_zone_of_the_verdict(browser: Browser) -> None:
    static = Path(str(files("oddlens.service"))) / "static"
    page = browser.new_page()
    page.route("**/*.js", lambda route: route.fulfill(path=static / route.request.url.rpartition("/")[2]))
    empty = '<!doctype html><script id="data" type="application/json">{}</script>'
    page.route("**/page", lambda route: route.fulfill(body=empty, content_type="text/html"))
    page.goto("http://oddlens.test/page")
    drawn = page.evaluate(
        """cases => import('/gauge.js').then(({ gauge }) => cases.map((item) => [...gauge(item).children].map(
            (rect) => [Number(rect.getAttribute('x')), Number(rect.getAttribute('width'))])))""",
        CASES,
    )
    page.close()
    for case, (*zones, mark) in zip(CASES, drawn, strict=True):
        for (start, width), (after, _) in pairwise(zones):
            assert start + width == after or abs(start + width - after) < 1e-6, case
        assert min(width for _, width in zones) >= 0, case
        at, limits = mark[0] + mark[1] / 2, case["thresholds"]
        first = limits["image"] if limits["review"] is None else limits["review"]
        verdict = 2 if case["score"] > limits["image"] else 1 if case["score"] > first else 0
        start, width = zones[verdict]
        assert start - 1 <= at <= start + width + 1, case
