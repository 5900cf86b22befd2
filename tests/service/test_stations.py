"""The stations of a service: opened again when they change, watched as a line is, found by name."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import oddlens
from oddlens.calibration import Readiness
from oddlens.detection import Detection
from oddlens.errors import UsageError
from oddlens.io.images import Picture
from oddlens.service import stations
from oddlens.service.settings import ServeSettings
from oddlens.service.stations import Station, StationError, Stations, UnknownStationError
from oddlens.station import read_station, write_station
from oddlens.station.changes import by_hand
from oddlens.station.learning import LEAST_COMPARED
from oddlens.teaching.references import change_references
from tests.service.given import part


@pytest.fixture
def plates(station: Path) -> Station:
    return Station("plates", station, "auto")


def pictures(count: int) -> list[Picture]:
    return [Picture(np.asarray(part(seed)), f"{seed}.png") for seed in range(200, 200 + count)]


def scored(detection: Detection, score: float) -> Detection:
    return replace(detection, score=score)


def test_a_station_is_opened_once_and_again_when_it_changes(plates: Station) -> None:
    first = plates.loaded()
    assert plates.loaded() is first
    write_station(by_hand(read_station(plates.folder), 0.5, None, None), plates.folder, verb="set", what="another")
    second = plates.loaded()
    assert (first.version, second.version) == (1, 2)
    assert (first.thresholds.image, second.thresholds.image) != (0.5, 0.5)
    assert second.thresholds.image == 0.5


def test_other_thresholds_let_no_reference_run_again(plates: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    before = plates.loaded()
    expected = before.calibration
    write_station(by_hand(read_station(plates.folder), 0.5, None, None), plates.folder, verb="set", what="another")
    with monkeypatch.context() as patch:
        patch.setattr("oddlens.detector.fitted.FittedDetector._held_out", lambda *given: 1 / 0)
        after = plates.loaded()
        assert after.version == 2
        assert after.calibration == expected
        assert plates.opened().calibration() == expected
    image = np.asarray(part(300, True))
    assert after.detector.detect(image, "plate")[0].score == before.detector.detect(image, "plate")[0].score
    detector = plates.opened()
    change_references(detector, pictures(1))
    write_station(detector.to_state(), plates.folder, verb="references", what="one more")
    assert len(plates.loaded().calibration or ()) == len(expected or ()) + 1


def test_a_damaged_file_that_is_mended_is_found_again(plates: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = [path for path in (plates.folder / "files").rglob("*.safetensors") if path.stat().st_size > 100_000][:1]
    whole = file.read_bytes()
    file.write_bytes(whole[:50])
    with pytest.raises(StationError):
        plates.loaded()
    file.write_bytes(whole)
    with pytest.raises(StationError):  # it is not tried at every image
        plates.loaded()
    monkeypatch.setattr(stations, "_AGAIN_S", 0.0)
    monkeypatch.setattr(plates, "_next_try", 0.0)
    assert plates.loaded().version == 1
    assert plates.problem is None


def test_copies_of_a_station_share_their_graphs(plates: Station, tmp_path: Path) -> None:
    other = Station("other", Path(shutil.copytree(plates.folder, tmp_path / "other")), "auto")
    one, two = (each.loaded().detector.method for each in (plates, other))
    assert one is not two
    assert all(one._graphs[role] is two._graphs[role] for role in one._graphs)  # type: ignore[attr-defined]


def test_a_station_that_learns_keeps_its_sample_and_compares_it(plates: Station) -> None:
    state = replace(read_station(plates.folder), state=Readiness("learning"))
    write_station(state, plates.folder, verb="set", what="it learns")
    loaded = plates.loaded()
    assert loaded.learning is not None
    seen = pictures(LEAST_COMPARED)
    detector = loaded.detector
    found = detector.detect([each.pixels for each in seen], detector.object_name)
    changed = [plates.see(loaded, *pair) for pair in zip(found, seen, strict=True)]
    assert changed == [False] * (LEAST_COMPARED - 1) + [True]
    assert len(loaded.learning.sample) == LEAST_COMPARED
    assert loaded.detector.state is not None
    assert loaded.detector.state.tested is not None
    again = Station("plates", plates.folder, "auto").loaded()  # what earlier runs brought counts from the start
    assert again.detector.state is not None
    assert again.detector.state.tested == loaded.detector.state.tested


def test_a_drift_is_noticed_once(plates: Station) -> None:
    loaded = plates.loaded()
    assert loaded.thresholds.image is not None
    ((detection, picture),) = zip(loaded.detector.detect(np.asarray(part(200)), "plate"), pictures(1), strict=True)
    rng = np.random.default_rng(0)
    low = loaded.thresholds.image * 0.5
    calm = [plates.see(loaded, scored(detection, low + 0.01 * each), picture) for each in rng.uniform(0, 1, 60)]
    assert not any(calm)
    assert loaded.drift is None
    rising = [plates.see(loaded, scored(detection, low + 0.02 + 0.001 * n), picture) for n in range(60)]
    assert rising.count(True) == 1
    assert loaded.drift is not None
    assert loaded.drift.startswith("Drift: the scores of good parts have risen")


class TestStations:
    def test_they_are_found_by_the_names_of_their_folders(self, station: Path, tmp_path: Path) -> None:
        made = tmp_path / "home" / "stations" / "b"
        shutil.copytree(station, made)
        found = Stations(ServeSettings(stations=(station,), home=tmp_path / "home"))
        assert [each.name for each in found] == ["plates", "b"]
        assert found["b"].folder == made
        with pytest.raises(UnknownStationError, match="there is no station 'c'"):
            found["c"]

    def test_a_relative_folder_has_its_own_name(self, station: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(station)
        (only,) = Stations(ServeSettings(stations=(Path(),)))
        assert only.name == "plates"

    def test_a_new_one_gets_a_folder_of_the_home(self, station: Path, tmp_path: Path) -> None:
        found = Stations(ServeSettings(stations=(station,), home=tmp_path / "home"))
        assert found.new_folder("línea 3") == tmp_path / "home" / "stations" / "línea 3"
        for name in ("..", "a/b", "a\\b", "-", " a", "a ", "con:", "plates", "Plates"):
            with pytest.raises(UsageError):
                found.new_folder(name)


def test_a_method_that_scores_sets_alone_is_a_problem_of_its_station(tmp_path: Path) -> None:
    detector = oddlens.load("patch-knn", runtime="onnx")
    with pytest.raises(UsageError):
        detector.save(tmp_path / "none")  # it has no references
    assert "is not a station" in str(Station("none", tmp_path / "none", "auto").problem)
