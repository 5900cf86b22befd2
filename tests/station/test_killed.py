"""A program that is killed at any moment leaves the old station or the new one, and nothing that stays."""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oddlens.calibration import Scene
from oddlens.detection import Thresholds
from oddlens.station import StationState, locked, prune, read_log, read_station, rollback, versions
from oddlens.station.folder import write_station
from tests.station.killing import killed_everywhere

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork")

FIXTURES = Path(__file__).parents[1] / "fixtures"


def changed(state: StationState) -> StationState:
    """Another state in all that has a file."""
    assert state.references is not None
    features = {"image": np.zeros((2, 3), np.float32)}
    return replace(
        state,
        thresholds=Thresholds(0.25),
        references=replace(state.references, features=features),
        scene=Scene(np.zeros((2, 5), np.float32), np.ones((1, 5), np.float32)),
    )


def threshold_of(folder: Path) -> float | None:
    return read_station(folder).thresholds.image


def hold_clean(folder: Path) -> None:
    """Nothing lies in a station but what a version names."""
    named = {
        digest for path in (folder / "versions").iterdir() for digest in re.findall("[0-9a-f]{64}", path.read_text())
    }
    assert {path.name[:64] for path in (folder / "files").iterdir()} <= named
    assert not [path for path in folder.rglob(".oddlens*") if path.name != ".oddlens.lock"]
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "files", "log.jsonl", "station.json", "versions",
    ]  # fmt: skip


WORK: dict[str, Callable[[Path, StationState], object]] = {
    "save": lambda folder, state: write_station(changed(state), folder),
    "set": lambda folder, _: write_station(replace(read_station(folder), thresholds=Thresholds(0.25)), folder),
    "rollback": lambda folder, _: rollback(folder, 1),
}


def test_versions_go_one_by_one_and_the_others_stay_whole(state: StationState, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    for threshold in (0.5, 0.4):
        write_station(replace(changed(state), thresholds=Thresholds(threshold)), whole)
    write_station(state, whole)

    def start() -> Path:
        shutil.rmtree(tmp_path / "station", ignore_errors=True)
        return shutil.copytree(whole, tmp_path / "station")

    found = []
    for folder in killed_everywhere(start, lambda folder: prune(folder, 1)):
        there = [each.number for each in versions(folder)]
        found.append(there)
        for number in there:
            assert read_station(folder, number).thresholds.image == {1: 0.5, 2: 0.4, 3: 0.5}[number]
        write_station(state, folder)
        hold_clean(folder)
    assert found == sorted(found)
    assert found[0] == [1, 2, 3]
    assert found[-1] == [3]


@pytest.mark.parametrize("name", WORK)
def test_the_old_or_the_new_station_is_there(name: str, state: StationState, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    if name == "rollback":
        write_station(changed(state), whole)
    write_station(state, whole)
    before = len(versions(whole))

    def start() -> Path:
        shutil.rmtree(tmp_path / "station", ignore_errors=True)
        return shutil.copytree(whole, tmp_path / "station")

    found = []
    for folder in killed_everywhere(start, lambda folder: WORK[name](folder, state)):
        found.append(threshold_of(folder))
        there = versions(folder)
        assert len(there) == (before if found[-1] == 0.5 else before + 1)
        assert [entry.version for entry in read_log(folder)] == [each.number for each in there]
        write_station(changed(state), folder)  # the next one is not in its way
        hold_clean(folder)
        assert threshold_of(folder) == 0.25
    assert set(found) == {0.5, 0.25}
    assert found == sorted(found, reverse=True)  # from one moment on the new one
    assert len(found) > 8


def test_the_first_one_is_there_or_none(state: StationState, tmp_path: Path) -> None:
    def start() -> Path:
        shutil.rmtree(tmp_path / "station", ignore_errors=True)
        return tmp_path / "station"

    found = []
    for folder in killed_everywhere(start, lambda folder: write_station(state, folder)):
        found.append((folder / "station.json").exists())
        if found[-1]:
            assert threshold_of(folder) == 0.5
        write_station(changed(state), folder)
        hold_clean(folder)
        assert threshold_of(folder) == 0.25
    assert found == sorted(found)
    assert set(found) == {False, True}


def test_one_of_an_earlier_format_stays_until_it_is_the_first_version(model: Path, tmp_path: Path) -> None:
    def start() -> Path:
        shutil.rmtree(tmp_path / "station", ignore_errors=True)
        folder = shutil.copytree(FIXTURES / "station_4", tmp_path / "station")
        for name in ("scores", "verdicts"):
            (folder / f"{name}.json").unlink()
        shutil.copytree(model, folder / "model")
        return folder

    found = []
    for folder in killed_everywhere(
        start, lambda folder: write_station(replace(read_station(folder), thresholds=Thresholds(0.25)), folder)
    ):
        assert read_station(folder).calibration is not None
        found.append(threshold_of(folder))
        write_station(replace(read_station(folder), thresholds=Thresholds(0.75)), folder)
        hold_clean(folder)
        assert [each.number for each in versions(folder)] == ([1, 2] if found[-1] is None else [1, 2, 3])
        first = read_station(folder, 1)
        assert (first.thresholds.image, first.references is not None) == (None, True)
    assert set(found) == {None, 0.25}


def test_half_a_line_of_the_log_is_passed_over(state: StationState, tmp_path: Path) -> None:
    folder = tmp_path / "station"
    write_station(state, folder, verb="create", what="first")
    log = folder / "log.jsonl"
    log.write_bytes(log.read_bytes()[:-10])
    write_station(changed(state), folder, verb="set", what="second")
    assert [(each.verb, each.what, each.version) for each in read_log(folder)] == [
        ("create", "first", 1),
        ("set", "second", 2),
    ]


def test_a_lock_that_a_killed_program_left_locks_nothing(state: StationState, tmp_path: Path) -> None:
    folder = tmp_path / "station"
    write_station(state, folder)
    (folder / ".oddlens.lock").touch()
    with locked(folder):
        assert write_station(changed(state), folder).number == 2
