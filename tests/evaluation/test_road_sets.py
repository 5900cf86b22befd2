"""The road sets that have a protocol of their own: told by layout and name."""

from pathlib import Path

import pytest

from oddlens.evaluation import open_sources
from oddlens.evaluation.published_roads import all_published_roads
from oddlens.evaluation.road_sets import ROAD_SETS, find_road_set
from oddlens.metrics import COMPONENT_SIZES
from tests.data.small_roads import SMALL_ROADS, smiyc
from tests.evaluation.tiny_set import write_set


@pytest.mark.parametrize(
    ("layout", "folder", "names"),
    [
        ("smiyc", "a", ["RoadAnomaly21", "RoadObstacle21"]),
        ("road-anomaly", "RoadAnomaly_jpg", ["RoadAnomaly"]),
        ("road-anomaly", "mine", [None]),
        ("fishyscapes-laf", "a", ["Fishyscapes Lost and Found"]),
        ("fishyscapes-static", "a", [None, None]),
        ("lost-and-found", "a", ["Lost and Found"]),
        ("street-hazards", "a", ["StreetHazards"]),
        ("cityscapes", "a", ["Cityscapes"]),
        ("camvid-ood", "a", [None]),
    ],
)
def test_they_are_reported_by_layout_and_name(
    tmp_path: Path, layout: str, folder: str, names: list[str | None]
) -> None:
    (tmp_path / folder).mkdir()
    (source,) = open_sources([SMALL_ROADS[layout](tmp_path / folder)])
    found = [find_road_set(source, category) for category in source.dataset.categories]
    assert [None if each is None else each.name for each in found] == names


def test_a_single_track_is_reported_too(tmp_path: Path) -> None:
    (source,) = open_sources([smiyc(tmp_path) / "dataset_ObstacleTrack"])
    found = find_road_set(source, *source.dataset.categories)
    assert found is not None
    assert (found.name, found.components) == ("RoadObstacle21", "obstacle-track")


def test_an_industrial_set_is_none_of_them(tmp_path: Path) -> None:
    (source,) = open_sources([write_set(tmp_path / "RoadAnomaly", ["dataset_AnomalyTrack"], 1, 1, 1)])
    assert find_road_set(source, "dataset_AnomalyTrack") is None


def test_what_is_published_can_be_found_by_their_names() -> None:
    assert {row.dataset for row in all_published_roads()} <= {known.name for known in ROAD_SETS}
    assert {known.components for known in ROAD_SETS} <= {None, *COMPONENT_SIZES}
