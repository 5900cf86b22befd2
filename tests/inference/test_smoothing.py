"""Exponential means over the frames of a video."""

from dataclasses import replace

import numpy as np
import pytest

from oddlens.detection import UNSEEN, Detection, Thresholds, ValueRange
from oddlens.errors import UsageError
from oddlens.inference.smoothing import Smoothing

FRAME = Detection(0.0, np.zeros((2, 2), np.float32), (4, 4), Thresholds(), ValueRange(0, 1, "fixed"))


def frame(value: float) -> Detection:
    return replace(FRAME, anomaly_map=np.full((2, 2), value, np.float32), score=10 * value)


def test_a_map_counts_by_its_share_and_the_mean_before_it_by_the_rest() -> None:
    smooth, video = Smoothing(0.25), object()
    found = [smooth(video, frame(value)) for value in (1.0, 0.0, 2.0)]
    assert [each.anomaly_map[0, 0] for each in found] == [1.0, 0.75, 0.25 * 2 + 0.75 * 0.75]
    assert [each.score for each in found] == pytest.approx([10, 7.5, 10.625])
    assert found[2].anomaly_map.dtype == np.float32


def test_a_share_of_one_changes_nothing() -> None:
    smooth, video = Smoothing(1), object()
    assert [smooth(video, frame(value)).score for value in (1.0, 0.0, 3.0)] == [10, 0, 30]


def test_a_frame_of_which_nothing_was_looked_at_counts_for_nothing() -> None:
    smooth, video = Smoothing(0.5), object()
    unseen = replace(frame(0.0), concern=UNSEEN, is_unseen=True)
    smooth(video, frame(1.0))
    assert smooth(video, unseen) is unseen
    assert smooth(video, frame(1.0)).score == 10


def test_it_begins_anew_with_another_video() -> None:
    smooth = Smoothing(0.5)
    smooth(object(), frame(1.0))
    assert smooth(object(), frame(0.0)).score == 0


def test_it_goes_on_from_what_an_earlier_run_found() -> None:
    whole, video = Smoothing(0.3), object()
    first = whole(video, frame(1.0))
    resumed = Smoothing(0.3)
    resumed.go_on_from(video, first.anomaly_map, first.score)
    assert np.array_equal(resumed(video, frame(0.2)).anomaly_map, whole(video, frame(0.2)).anomaly_map)


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_a_share_out_of_its_range_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="is no weight of a frame"):
        Smoothing(share)
