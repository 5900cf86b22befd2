"""Which region of an image has the name of its defect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oddlens.data.shapes import RunsDocument, pack_runs, runs_document
from oddlens.detection import Detection, Thresholds, ValueRange
from oddlens.station import utc_now
from oddlens.station.feedback import Mark
from oddlens.teaching.named_region import named_region

RANGE = ValueRange(0, 1, "fixed range 0 to 1")


def detection(score: float) -> Detection:
    """An image of 20 x 10 pixels, hot at its left."""
    anomaly_map = np.zeros((10, 20), np.float32)
    anomaly_map[2:5, 1:4] = 0.9
    return Detection(score, anomaly_map, (20, 10), Thresholds(0.5, 0.7), RANGE)


def mark(mask: np.ndarray | None = None) -> Mark:
    runs = None if mask is None else runs_document(mask)
    return Mark(
        time=utc_now(), image="a.png", sha256="0", said="bad", verdict="ng", score=0.9, defect="dent", mask=runs
    )


def test_the_largest_region_that_a_person_drew_counts() -> None:
    drawn = np.zeros((10, 20), np.bool_)
    drawn[6:9, 10:18] = True
    drawn[0, 0] = True
    for score in (0.1, 0.9):
        region = named_region(mark(drawn), detection(score))
        assert (region.x, region.y, region.width, region.height, region.area) == (10, 6, 8, 3, 24)


def test_a_mask_of_another_size_is_not_made() -> None:
    large: RunsDocument = {"size": [10**7, 10**7], "counts": pack_runs([10**14])}  # as much as no memory holds
    assert named_region(replace(mark(), mask=large), detection(0.9)).x == 1


@pytest.mark.parametrize("drawn", [None, np.zeros((10, 20), np.bool_), np.ones((5, 20), np.bool_)])
def test_else_the_hottest_does(drawn: np.ndarray | None) -> None:
    for score in (0.1, 0.9):
        region = named_region(mark(drawn), detection(score))
        assert (region.x, region.y, region.width, region.height) == (1, 2, 3, 3)
