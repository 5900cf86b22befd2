"""How images are compared: decided by what the records carry, unless the call says otherwise."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddlens.errors import UsageError
from oddlens.evaluation import METRICS, NamedDataset, Protocol, open_sources, read_sizes
from oddlens.evaluation.protocol import BY_AREA, choose_protocol, sizes_for
from oddlens.metrics import COMPONENT_SIZES, ComponentSizes
from tests.data.small_roads import SMALL_ROADS
from tests.evaluation.tiny_set import write_set


def opened(root: Path, layout: str) -> NamedDataset:
    (source,) = open_sources([SMALL_ROADS[layout](root)])
    return source


def test_pictures_with_masks_are_compared_at_the_size_of_the_maps(tmp_path: Path) -> None:
    (source,) = open_sources([write_set(tmp_path / "parts", ["bolt"], 1, 1, 1)])
    assert choose_protocol(source, "bolt", None, None) == Protocol()
    assert choose_protocol(source, "bolt", True, ComponentSizes(5, 1)) == Protocol(full_size=True)
    assert Protocol().figures == METRICS[:9]


@pytest.mark.parametrize(
    ("layout", "category", "sizes"),
    [
        ("smiyc", "dataset_AnomalyTrack", "anomaly-track"),
        ("smiyc", "dataset_ObstacleTrack", "obstacle-track"),
        ("lost-and-found", None, "obstacle-track"),
        ("fishyscapes-laf", None, "anomaly-track"),
        ("fishyscapes-static", None, BY_AREA),
        ("camvid-ood", None, BY_AREA),
    ],
)
def test_scenes_are_compared_at_their_own_size_and_by_components(
    tmp_path: Path, layout: str, category: str | None, sizes: str
) -> None:
    source = opened(tmp_path, layout)
    protocol = choose_protocol(source, category or source.dataset.categories[0], None, None)
    assert (protocol.full_size, protocol.components) == (True, sizes)
    assert "pixel_aupro_legacy" not in protocol.figures
    assert {"pixel_fpr95", "component_siou", "component_ppv", "component_f1_mean"} <= set(protocol.figures)


def test_where_classes_are_reported_there_is_miou(tmp_path: Path) -> None:
    camvid = opened(tmp_path, "camvid-ood")
    protocol = choose_protocol(camvid, "camvid", None, None)
    assert protocol.classes == ("sky", "road")
    assert protocol.figures[-1] == "miou"
    assert "miou" not in choose_protocol(opened(tmp_path / "b", "road-anomaly"), "b", None, None).figures


def test_only_street_hazards_is_measured_image_by_image_too(tmp_path: Path) -> None:
    for layout, root in SMALL_ROADS.items():
        (tmp_path / layout).mkdir()
        (source,) = open_sources([root(tmp_path / layout)])
        figures = choose_protocol(source, source.dataset.categories[0], None, None).figures
        assert ("pixel_fpr95_per_image" in figures) == (layout == "street-hazards")


def test_the_call_wins(tmp_path: Path) -> None:
    protocol = choose_protocol(opened(tmp_path, "smiyc"), "dataset_AnomalyTrack", False, ComponentSizes(5, 1))
    assert (protocol.full_size, protocol.components) == (False, (5, 1))


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("50, 10", ComponentSizes(50, 10)), ("by-area", "by-area"), ("obstacle-track", "obstacle-track")],
)
def test_sizes_are_a_name_or_two_areas(text: str, sizes: object) -> None:
    assert read_sizes(text) == sizes


@pytest.mark.parametrize("text", ["", "50", "50,10,1", "a,b", "-1,2", "1.5,2", "anomaly"])
def test_anything_else_are_no_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="are no component sizes"):
        read_sizes(text)


def test_sizes_by_area_are_the_anomaly_tracks_share_of_a_frame() -> None:
    assert sizes_for(BY_AREA, 2048 * 1024) == COMPONENT_SIZES["anomaly-track"] == sizes_for("anomaly-track", 1)
    assert sizes_for(BY_AREA, 480 * 360) == (41, 8)
    assert sizes_for(ComponentSizes(7, 3), 2048 * 1024) == (7, 3)


@given(st.integers(1, 10**8), st.integers(1, 10**8))
def test_sizes_by_area_grow_with_the_frames_and_are_at_least_a_pixel(one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert sizes_for(BY_AREA, large) >= sizes_for(BY_AREA, small) >= (1, 1)
