"""The published figures of road scenes."""

from oddlens.evaluation.published_roads import ROAD_METRICS, all_published_roads, find_published_roads


def test_rows_are_found_by_data_set() -> None:
    flagged, plain = (row for row in find_published_roads("RoadAnomaly21") if row.method == "VL4AD")
    assert (flagged.outliers, flagged.percent["pixel_ap"], flagged.percent["pixel_fpr95"]) == (True, 92.94, 3.25)
    assert (plain.outliers, plain.percent["pixel_ap"], plain.percent["component_f1_mean"]) == (False, 82.48, 61.14)
    assert [row.percent["pixel_fpr95"] for row in find_published_roads("Fishyscapes Lost and Found")] == [
        10.63,
        6.30,
        3.98,
    ]
    assert find_published_roads("StreetHazards") == ()


def test_every_row_says_where_it_was_read_and_what_it_was_measured_on() -> None:
    for row in all_published_roads():
        assert row.mark in {"L", "R"}
        assert row.method
        assert row.frames
        assert "/" in row.source  # a repository


def test_figures_are_percentages_by_our_names() -> None:
    for row in all_published_roads():
        assert row.percent
        assert set(row.percent) <= set(ROAD_METRICS)
        assert all(isinstance(value, float) and 0 <= value <= 100 for value in row.percent.values())


def test_no_row_is_there_twice() -> None:
    keys = [(row.method, row.variant, row.outliers, row.dataset) for row in all_published_roads()]
    assert len(set(keys)) == len(keys)


def test_leaderboard_figures_are_of_hidden_frames() -> None:
    assert {row.frames for row in all_published_roads() if row.mark == "L"} == {"hidden test set"}
