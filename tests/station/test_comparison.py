"""What the last comparison with the line said stays with the station, until it is calibrated anew."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from oddlens.calibration import Exchangeability, Rates, calibrate_on_observed
from oddlens.station import StationState, read_station, write_station
from oddlens.station.comparison import keep_comparison
from tests.calibration.observed import observed

KNOWN = calibrate_on_observed(observed([0.1, 0.2, 0.3, 0.4]), Rates(), object_name="nut")
FOUND = Exchangeability(4, 30, None, 0.001)


@pytest.fixture
def station(state: StationState, tmp_path: Path) -> Path:
    write_station(replace(state, calibration=KNOWN), tmp_path / "station")
    (tmp_path / "station" / "learning").mkdir()
    for number in range(31):
        (tmp_path / "station" / "learning" / f"{number:064}.safetensors").touch()
    return tmp_path / "station"


def comparison_of(station: Path, version: int | None = None) -> Exchangeability | None:
    state = read_station(station, version).state
    assert state is not None
    return state.tested


def test_it_is_read_with_the_version_in_force_and_breaks_its_promise(station: Path) -> None:
    kept = keep_comparison(station, KNOWN, FOUND)
    found = comparison_of(station)
    assert found == FOUND
    assert found is not None
    assert found.time == kept.time != ""
    calibration = read_station(station).calibration_in_force
    assert calibration is not None
    assert kept.sentence in calibration.broken
    assert comparison_of(station, 1) is None  # as it was written


def test_images_of_the_line_that_were_deleted_count_no_more(station: Path) -> None:
    keep_comparison(station, KNOWN, FOUND)
    (station / "learning" / f"{0:064}.safetensors").unlink()
    assert comparison_of(station) == FOUND  # as many as were compared are there
    shutil.rmtree(station / "learning")
    assert comparison_of(station) is None
    calibration = read_station(station).calibration_in_force
    assert calibration is not None
    assert not calibration.broken
    ok = replace(FOUND, groups="ok")  # of images of a run, of which a station keeps none
    keep_comparison(station, KNOWN, ok)
    assert comparison_of(station) == ok


def test_the_same_that_was_found_earlier_keeps_its_time(station: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oddlens.station.comparison.utc_now", lambda: "2026-01-02T03:04:05+00:00")
    keep_comparison(station, KNOWN, FOUND)
    monkeypatch.undo()
    assert keep_comparison(station, KNOWN, FOUND).time == "2026-01-02T03:04:05+00:00"
    keep_comparison(station, KNOWN, replace(FOUND, later=31))
    found = comparison_of(station)
    assert found is not None
    assert found.later == 31
    assert found.time > "2026-01-03"


def test_of_another_calibration_it_says_nothing(station: Path, state: StationState) -> None:
    keep_comparison(station, KNOWN, FOUND)
    other = calibrate_on_observed(observed([0.1, 0.2, 0.3, 0.5]), Rates(), object_name="nut")
    write_station(replace(state, calibration=other), station)
    assert comparison_of(station) is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"calibration": "x"}'])
def test_a_damaged_one_is_as_if_there_were_none(station: Path, content: str) -> None:
    (station / "line.json").write_text(content)
    assert comparison_of(station) is None
    keep_comparison(station, KNOWN, FOUND)
    assert comparison_of(station) == FOUND
