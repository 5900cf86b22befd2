"""The figures' names, and which of them are worth a column."""

import pytest

from oddlens.evaluation.metric_names import FIGURES, METRICS, columns, heading, headings, percent
from oddlens.evaluation.published_roads import ROAD_METRICS


def test_every_name_is_there_once() -> None:
    assert len(set(METRICS)) == len(METRICS)
    assert len({heading(name) for name in METRICS}) == len(METRICS)


def test_what_leaderboards_publish_is_measured_here() -> None:
    assert set(ROAD_METRICS) <= set(METRICS)


def test_where_lower_is_better_the_heading_says_so() -> None:
    assert {figure.name for figure in FIGURES if "↓" in figure.short} == {"pixel_fpr95", "pixel_fpr95_per_image"}


def test_columns_are_those_with_a_value_in_the_order_of_all_tables() -> None:
    rows = [{"miou": 0.5, "image_ap": None}, {"pixel_ap": 0.0, "image_ap": None}]
    assert columns(rows) == ("pixel_ap", "miou")
    assert columns(rows, ("miou", "pixel_auroc")) == ("miou",)


def test_heads_stand_under_what_is_measured() -> None:
    assert headings(["pixel_fpr95", "image_auroc", "pixel_ap", "miou"]) == [
        ("image", ["AUROC"]),
        ("pixel", ["AP", "FPR95 ↓"]),
        ("known classes", ["mIoU"]),
    ]
    assert heading("component_f1_mean") == "component F1*"


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (0.91849, None, "91.8"),
        (0.92, 0.0031, "92.0 ± 0.3"),
        (1.0, None, "100.0"),
        (0.0, None, "0.0"),
        (0.0004, None, "<0.1"),
        (0.0004, 0.0, "<0.1 ± 0.0"),
        (None, None, "-"),
    ],
)
def test_figures_are_printed_as_in_papers(mean: float | None, std: float | None, text: str) -> None:
    assert percent(mean, std) == text
