"""Charts: sound SVG whose points lie where the numbers say."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddlens.evaluation.cell_results import Curve
from oddlens.evaluation.svg_charts import Line, histogram, legend, line_chart

UNIT = st.floats(0, 1)


def elements(svg: str, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(tag))


def box(svg: str) -> tuple[float, float]:
    _, _, width, height = ElementTree.fromstring(svg).attrib["viewBox"].split()
    return float(width), float(height)


@given(st.lists(st.tuples(UNIT, UNIT), min_size=1))
def test_curves_stay_inside_their_chart(points: list[tuple[float, float]]) -> None:
    xs, ys = zip(*points, strict=True)
    svg = line_chart("t", "x", "y", [Line("a", 0, Curve(xs, ys))])
    width, height = box(svg)
    (curve,) = elements(svg, "polyline")
    for x, y in (map(float, point.split(",")) for point in curve.attrib["points"].split()):
        assert 0 <= x <= width
        assert 0 <= y <= height


def test_curves_go_up_and_to_the_right_and_keep_the_colour_of_their_number() -> None:
    svg = line_chart("ROC", "x", "y", [Line("few & many", 9, Curve((0, 1), (0, 1)))], chance=((0, 0), (1, 1)))
    chance, curve = elements(svg, "polyline")
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in curve.attrib["points"].split())
    assert x1 > x0
    assert y1 < y0
    assert curve.attrib["style"] == "stroke: var(--series-1)"
    assert curve.attrib["points"] == chance.attrib["points"]
    assert elements(svg, "title")[0].text == "few & many"


def test_where_colours_come_again_lines_are_dashed_then_dotted() -> None:
    svg = line_chart("t", "x", "y", [Line("a", number, Curve((0,), (1,))) for number in (7, 8, 16, 24)])
    assert [line.attrib["class"] for line in elements(svg, "polyline")] == [
        "curve",
        "curve dashed",
        "curve dotted",
        "curve",
    ]
    shown = legend([f"method {number}" for number in range(17)])
    assert [shown.count(f'class="{name}"') for name in ("curve", "curve dashed", "curve dotted")] == [8, 8, 1]


def test_normal_bars_rise_and_abnormal_ones_hang_from_one_axis() -> None:
    svg = histogram("Scores", [0.1, 0.2], [0.8, 0.9, 0.9], [("best F1 at", 0.5, False), ("calibrated at", 0.6, True)])
    bars = elements(svg, "rect")
    axis = float(next(line for line in elements(svg, "line") if line.attrib["class"] == "axis").attrib["y1"])
    for bar in bars:
        top, height = float(bar.attrib["y"]), float(bar.attrib["height"])
        if "--normal" in bar.attrib["style"]:
            assert top + height == pytest.approx(axis, abs=0.1)
        else:
            assert top == pytest.approx(axis, abs=0.1)
    texts = [text.text for text in elements(svg, "text")]
    assert {"normal (2)", "abnormal (3)", "| best F1 at 0.5", "¦ calibrated at 0.6"} <= set(texts)


@pytest.mark.parametrize(
    ("scores", "ends"),
    [([0.0, 0.4], ("0", "0.41")), ([0.0], ("0", "0.5")), ([3.0, 7.0], ("2.9", "7.1")), ([-4.0, 0.0], ("-4.1", "0.1"))],
)
def test_the_axis_goes_a_little_beyond_the_scores_but_not_below_0_where_none_does(
    scores: list[float], ends: tuple[str, str]
) -> None:
    texts = [text.text for text in elements(histogram("Scores", scores, [], []), "text")]
    assert texts[-3:-1] == list(ends)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.lists(st.floats(-1e6, 1e6)))
def test_histograms_of_any_scores_are_sound(normal: list[float], abnormal: list[float]) -> None:
    svg = histogram("Scores", normal, abnormal, [])
    assert len(elements(svg, "rect")) >= 1
    assert "nan" not in svg


def test_names_are_escaped() -> None:
    assert "<b>" not in legend(["<b>"]) + line_chart("<b>", "<b>", "<b>", [Line("<b>", 0, Curve((0,), (1,)))])
