"""A station that is asked about another object: what depends on the name goes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

import oddlens
from oddlens.calibration import Calibration
from oddlens.station import read_station, write_station
from oddlens.teaching.calibrating import Seen, calibrate_station
from oddlens.teaching.changing import Changed, asked_otherwise
from tests.teaching.test_references import pictures


def renamed(folder: Path) -> Changed:
    detector = oddlens.open_station(folder, runtime="onnx")
    changed = asked_otherwise(folder, detector, read_station(folder), object_name="bolt")
    write_station(changed.state, folder)
    return changed


@pytest.mark.parametrize("kind", ["split", "leave-one-out"])
def test_a_name_that_no_score_depends_on_changes_nothing_else(kind: str, tmp_path: Path) -> None:
    detector = oddlens.load("patch-knn", runtime="onnx").add_references(pictures(0, 1, 2, 3))
    if kind == "split":
        write_station(detector.to_state(), tmp_path)
        calibrate_station(detector, tmp_path, Seen(detector.observe(pictures(*range(4, 14)))), 0.2)
    write_station(detector.to_state(), tmp_path)
    before = read_station(tmp_path)
    changed = renamed(tmp_path)
    assert (changed.said, changed.remark) == (["object bolt (was part)"], None)
    after = read_station(tmp_path)
    assert (after.object_name, after.state) == ("bolt", before.state)
    assert after.thresholds_in_force == before.thresholds_in_force
    found = oddlens.open_station(tmp_path, runtime="onnx").calibration()
    assert found is not None
    assert (found.kind, found.object_name) == (kind, "bolt")


def test_a_threshold_that_was_given_by_hand_is_said_to_stay(tmp_path: Path) -> None:
    detector = oddlens.load("winclip", runtime="onnx")
    detector.calibrate(pictures(*range(10)), 0.2)
    write_station(detector.set_thresholds(image=0.25).to_state(), tmp_path)
    changed = renamed(tmp_path)
    assert not isinstance(changed.state.calibration, Calibration)
    assert changed.remark is not None
    assert "NG above 0.25 stays, which was given by hand for the scores of before" in changed.remark
    assert "no thresholds" not in changed.remark
