"""The histogram of scores: sound SVG, every image in one bar, bars that end at the threshold."""

from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oddlens.visualization.score_chart import score_histogram

SCORES = st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=50)


def bars(svg: str, verdict: str) -> list[ElementTree.Element]:
    return [each for each in ElementTree.fromstring(svg).iter("rect") if f"--{verdict})" in each.attrib["style"]]


@given(SCORES, SCORES, st.floats(-1e3, 1e3))
@example([128.0], [128.0], 127.99999999999989)
def test_it_stays_inside_and_its_bars_hold_every_image(good: list[float], bad: list[float], threshold: float) -> None:
    svg = score_histogram({"ok": good, "ng": bad}, [("ng", "NG", threshold)])
    _, _, width, height = map(float, ElementTree.fromstring(svg).attrib["viewBox"].split())
    total = 0.0
    for bar in [*bars(svg, "ok"), *bars(svg, "ng")]:
        x, y, wide, tall = (float(bar.attrib[name]) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= width
        assert 0 <= y <= y + tall <= height
        total += tall
    tallest = int(next(text.text or "" for text in ElementTree.fromstring(svg).iter("text")))
    assert total / 130 * tallest == pytest.approx(len(good) + len(bad), rel=0.02)


def test_no_bar_lies_on_both_sides_of_the_threshold() -> None:
    svg = score_histogram({"ok": [0.299, 0.2, 0.1], "ng": [0.301, 0.9]}, [("ng", "NG above 0.3", 0.3)])
    place = float(next(ElementTree.fromstring(svg).iter("line")).attrib["x1"])
    (mark,) = [each for each in ElementTree.fromstring(svg).iter("line") if "mark" in each.attrib["class"]]
    place = float(mark.attrib["x1"])
    assert all(float(bar.attrib["x"]) + float(bar.attrib["width"]) <= place for bar in bars(svg, "ok"))
    assert all(float(bar.attrib["x"]) >= place for bar in bars(svg, "ng"))


@pytest.mark.parametrize("scores", [[0.5], [0.5, 0.5], [0.0, 1e-300], [-1.0, 0.0], [1e20, 1e20]])
def test_scores_of_one_value_are_fine(scores: list[float]) -> None:
    assert bars(score_histogram({"none": scores}, []), "none")
