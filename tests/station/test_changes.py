"""What of a station is changed without a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import oddlens
from oddlens.detection import Marking
from oddlens.errors import UsageError
from oddlens.station import StationState, read_station
from oddlens.station.changes import at_rates, by_hand, changed, differences, named_among


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> StationState:
    """Of five references, with thresholds of these."""
    rng = np.random.default_rng(0)
    detector = oddlens.load("patch-knn", runtime="onnx")
    detector.add_references([rng.integers(100, 140, (48, 48, 3), np.uint8) for _ in range(5)])
    folder: Path = tmp_path_factory.mktemp("station")
    detector.save(folder / "line-3")
    return read_station(folder / "line-3")


def test_a_threshold_by_hand_brings_its_own_review_threshold_or_none(state: StationState) -> None:
    both = by_hand(state, 0.5, None, 0.3)
    assert (both.thresholds.image, both.thresholds.review, both.thresholds.pixel) == (0.5, 0.3, None)
    assert by_hand(both, 0.6, None, None).thresholds.review is None
    assert by_hand(both, None, 0.2, None).thresholds.review == 0.3


def test_review_stays_where_it_lies_below_a_new_threshold(state: StationState) -> None:
    reviewed = changed(state, {"review_rate": 0.4})
    low, high = reviewed.thresholds_in_force.review, reviewed.thresholds_in_force.image
    assert low is not None
    assert high is not None
    between = (low + high) / 2
    stricter = changed(reviewed, {"threshold": between})
    assert (stricter.thresholds.image, stricter.thresholds.review) == (between, low)
    assert list(differences(reviewed, stricter)) == [
        f"threshold {between:.6g} (was {high:.6g}, calibrated)",
        f"review threshold {low:.6g} (was {low:.6g}, calibrated)",
    ]
    assert changed(stricter, {"threshold": high}).thresholds.review == low
    assert changed(reviewed, {"threshold": between, "review_threshold": None}).thresholds.review is None
    below = changed(reviewed, {"threshold": low})
    assert below.thresholds.review is None
    assert f"review threshold none (was {low:.6g}, calibrated)" in list(differences(reviewed, below))


def test_review_can_be_unset_alone(state: StationState) -> None:
    reviewed = changed(state, {"review_rate": 0.4})
    calibrated = changed(reviewed, {"review_threshold": None})
    before, after = reviewed.thresholds_in_force, calibrated.thresholds_in_force
    assert before.review is not None
    assert (after.image, after.review) == (before.image, None)
    assert after.promise == before.promise
    assert list(differences(reviewed, calibrated)) == [
        f"review threshold none (was {before.review:.6g}, calibrated)",
        "review rate 0 (was 0.4)",
    ]
    given = changed(state, {"threshold": 0.5, "review_threshold": 0.3})
    without = changed(given, {"review_threshold": None})
    assert (without.thresholds.image, without.thresholds.review) == (0.5, None)
    assert list(differences(given, without)) == ["review threshold none (was 0.3)"]


def test_what_is_wanted_becomes_of_it(state: StationState) -> None:
    both = changed(state, {"threshold": 0.5, "pixel_threshold": 0.2, "defects": ["dent", "scratch"]})
    assert (both.thresholds.image, both.thresholds.pixel, both.thresholds.review) == (0.5, 0.2, None)
    at_half = changed(both, {"false_alarm_rate": 0.5})
    assert list(differences(both, at_half)) == [
        f"threshold {at_half.thresholds_in_force.image:.6g}, calibrated (was 0.5)",
        "false-alarm rate 0.5 (was 0.166667)",
    ]
    assert changed(state, {}) == state
    with pytest.raises(UsageError, match="contradict each other"):
        changed(state, {"review_threshold": None, "review_rate": 0.1})


def test_rates_take_the_place_of_thresholds_by_hand(state: StationState) -> None:
    changed = at_rates(by_hand(state, 0.9, 0.7, None), 0.5, None)
    assert changed.thresholds.image is None
    assert changed.thresholds.pixel == 0.7  # no rate is for it
    calibration = changed.calibration_in_force
    assert calibration is not None
    assert calibration.false_alarm_rate == 0.5
    with pytest.raises(UsageError, match="needs 999"):
        at_rates(state, 0.001, None)
    with pytest.raises(UsageError, match="nothing to set a threshold by"):
        at_rates(replace(state, references=None), 0.5, None)


def test_what_changed_is_said(state: StationState) -> None:
    assert list(differences(state, state)) == []
    changed = named_among(by_hand(state, 0.5, None, None), ["dent", "scratch"])
    changed = replace(changed, marking=Marking(min_area=20))
    assert list(differences(state, changed)) == [
        f"threshold 0.5 (was {state.thresholds_in_force.image:.6g}, calibrated)",
        "regions are named among dent, scratch",
        "regions from 20 px on are marked",
    ]
    assert list(differences(changed, named_among(changed, []))) == ["regions are not named"]
    image = state.thresholds_in_force.image
    assert image is not None
    assert list(differences(state, by_hand(state, image, None, None))) == [
        f"threshold {image:.6g} (was {image:.6g}, calibrated)"  # it promises something else
    ]


def test_a_calibrated_threshold_that_no_model_computed_yet_is_not_called_none(state: StationState) -> None:
    earlier = replace(by_hand(state, 0.5, None, None), leave_one_out=None)
    assert next(differences(earlier, at_rates(earlier, 0.4, None))) == "threshold calibrated (was 0.5)"
