"""The page counts verdicts as the library does, at every threshold: `recount.js` against `Thresholds.verdict`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pytest

from oddlens.calibration import percent_up
from oddlens.calibration.conformal import moved_bound
from oddlens.detection import Thresholds

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that has the module as `rule`; no server is asked."""
    module = (files("oddlens.service") / "static" / "recount.js").read_text("utf-8")
    opened = browser.new_page()
    opened.route("**/recount.js", lambda route: route.fulfill(body=module, content_type="text/javascript"))
    opened.route("**/page", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    opened.goto("http://oddlens.test/page")
    opened.evaluate("import('/recount.js').then((rule) => { window.rule = rule; })")
    yield opened
    opened.close()


def scores_with_ties() -> list[float]:
    """Scores of all kinds: ties, negative ones, and neighbours that differ in their last bit."""
    generator = np.random.default_rng(5)
    scores = np.concatenate(
        [generator.normal(0.3, 0.1, 60), generator.normal(0.6, 0.1, 20), np.full(9, 0.25), [-0.5, 0.0]]
    )
    return [float(score) for score in np.concatenate([scores, np.nextafter(scores[:5], 1)])]


def test_counts_equal_those_of_the_library_at_every_threshold(page: Page) -> None:
    scores = scores_with_ties()
    edges = [*sorted(set(scores)), -1.0, 1.5, *np.linspace(-0.6, 1.0, 40).tolist()]
    asked = [(image, None) for image in edges]
    asked += [(image, review) for image in edges[::3] for review in edges[::5] if review <= image]
    counted = page.evaluate(
        """([scores, asked]) => {
            const sorted = rule.sorted(scores);
            return asked.map(([image, review]) => rule.recount(sorted, image, review));
        }""",
        [scores, asked],
    )
    for (image, review), found in zip(asked, counted, strict=True):
        thresholds = Thresholds(image=image, review=review)
        expected = [thresholds.verdict(score) for score in scores]
        assert found == {kind: Counter(expected)[kind] for kind in ("ok", "review", "ng")}, (image, review)


def test_the_bound_is_that_of_as_many_calibration_scores(page: Page) -> None:
    scores = sorted(scores_with_ties()[:40])
    bounds = [1.0, *(moved_bound(len(scores), rank) for rank in range(1, len(scores) + 1))]
    thresholds = [*scores, -1.0, 0.0, 0.3, 2.0]
    found = page.evaluate(
        "([calibration, thresholds]) => thresholds.map((each) => rule.boundAt(calibration, each))",
        [{"scores": scores, "bounds": bounds}, thresholds],
    )
    assert found == [bounds[sum(score <= threshold for score in scores)] for threshold in thresholds]
    assert page.evaluate("bounds => bounds.map(rule.percentUp)", bounds) == [percent_up(bound) for bound in bounds]
    assert page.evaluate("rule.boundAt(null, 0.5)") is None
    assert page.evaluate("rule.boundAt({scores: [], bounds: []}, 0.5)") is None
