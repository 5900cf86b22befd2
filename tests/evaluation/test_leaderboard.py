"""Leaderboards: our rows and the published ones, which enter no mean."""

import copy
from typing import Any

import pytest

from oddlens.evaluation import Benchmark, summarise
from oddlens.evaluation.html_report import write_report
from oddlens.evaluation.leaderboard import CAUTION, leaderboards
from oddlens.evaluation.markdown_tables import write_table
from oddlens.evaluation.published_roads import find_published_roads
from tests.evaluation.test_html_report import Page


@pytest.fixture(scope="module")
def document(scenes: Benchmark) -> dict[str, Any]:
    return summarise(scenes.plan, scenes.cells, [])


def test_every_track_has_its_own(document: dict[str, Any]) -> None:
    anomaly, obstacle = leaderboards(document, "smiyc")
    assert anomaly.title == "smiyc / dataset_AnomalyTrack: ours and published"
    assert len(anomaly.rows) == 2 + len(find_published_roads("RoadAnomaly21"))
    assert len(obstacle.rows) == 2 + len(find_published_roads("RoadObstacle21"))
    assert anomaly.names == ("pixel_ap", "pixel_fpr95", "component_siou", "component_ppv", "component_f1_mean")


def test_our_rows_are_on_top_and_say_of_what_they_are(document: dict[str, Any]) -> None:
    (first, second, third, *_) = leaderboards(document, "smiyc")[0].rows
    entry = next(result for result in document["results"] if result["dataset"] == "smiyc")["categories"][0]
    assert first[:4] == [
        "ours: winclip on open-clip, zero-shot", "these 1", "", f"{100 * entry['mean']['pixel_ap']:.1f}"
    ]  # fmt: skip
    assert second[0] == "ours: vl4ad on open-clip, zero-shot"
    assert third[:5] == ["VL4AD (presumably with OOD prompts)", "hidden test set", "yes", "92.9", "3.2"]
    assert third[-1].endswith("(2026-04-08) [L]")


def test_a_set_of_which_nothing_is_published_has_none(document: dict[str, Any]) -> None:
    assert leaderboards(document, "camvid-ood") == []
    assert leaderboards(document, "street-hazards") == []


def test_published_rows_enter_no_mean(document: dict[str, Any]) -> None:
    without = copy.deepcopy(document)
    for told in without["datasets"].values():
        told["leaderboards"] = {}
    assert without["results"] == document["results"]
    assert leaderboards(without, "smiyc") == []


def test_what_was_not_measured_has_none(scenes: Benchmark) -> None:
    assert leaderboards(summarise(scenes.plan, {}, []), "smiyc") == []


def test_they_stand_in_the_table_and_on_the_page_with_a_caution(document: dict[str, Any], scenes: Benchmark) -> None:
    text, page = write_table(document), Page(write_report(document, scenes.cells))
    assert f"## smiyc / dataset_ObstacleTrack: ours and published\n\n{CAUTION}\n\n| method" in text
    for name in ("Maximized Entropy", "PixOOD", "RbA (Swin-B)"):
        assert name in text
        assert name in page.text
    assert page.text.count(CAUTION) == text.count(CAUTION) == 5
