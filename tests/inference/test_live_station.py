"""A station that inspects on and on: opened again when it changes, and watched as a line is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import oddlens
from oddlens.calibration import Exchangeability, Readiness
from oddlens.detection import Detection
from oddlens.inference import live_station
from oddlens.inference.live_station import LiveStation, StationError
from oddlens.io.images import Picture
from oddlens.station import read_station, write_station
from oddlens.station.changes import by_hand
from oddlens.station.comparison import keep_comparison
from oddlens.station.learning import LEAST_COMPARED
from oddlens.teaching.references import change_references
from tests.service.given import make_road_station, make_station, part


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_station(tmp_path_factory.mktemp("made") / "plates", 5)


@pytest.fixture
def plates(made: Path, tmp_path: Path) -> LiveStation:
    return LiveStation("plates", Path(shutil.copytree(made, tmp_path / "plates")), "auto")


def pictures(count: int) -> list[Picture]:
    return [Picture(np.asarray(part(seed)), f"{seed}.png") for seed in range(200, 200 + count)]


def scored(detection: Detection, score: float) -> Detection:
    return replace(detection, score=score)


def test_a_station_is_opened_once_and_again_when_it_changes(plates: LiveStation) -> None:
    first = plates.loaded()
    assert plates.loaded() is first
    write_station(by_hand(read_station(plates.folder), 0.5, None, None), plates.folder, verb="set", what="another")
    second = plates.loaded()
    assert (first.version, second.version) == (1, 2)
    assert (first.thresholds.image, second.thresholds.image) != (0.5, 0.5)
    assert second.thresholds.image == 0.5


def test_other_thresholds_let_no_reference_run_again(plates: LiveStation, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_start_holds_no_reference_against_others(plates: LiveStation, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.asarray(part(300, True))
    anew = oddlens.open_station(plates.folder)
    anew.keep_fit(None, None)
    (expected,) = anew.detect(image, "plate")
    with monkeypatch.context() as patch:
        patch.setattr("oddlens.detector.fitted.FittedDetector._held_out", lambda *given: 1 / 0)
        detector = plates.loaded().detector
    (found,) = detector.detect(image, "plate")
    assert found.score == expected.score
    assert np.array_equal(found.anomaly_map, expected.anomaly_map)
    assert detector.calibration() == anew.calibration()


def test_nor_does_one_whose_thresholds_are_of_other_good_images(
    plates: LiveStation, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = plates.opened()
    references = [each.score for each in detector.observe(looks=False)]
    detector.calibrate([each.pixels for each in pictures(5)])
    write_station(detector.to_state(), plates.folder, verb="calibrate", what="on others")
    monkeypatch.setattr("oddlens.detector.fitted.FittedDetector._held_out", lambda *given: 1 / 0)
    found = oddlens.open_station(plates.folder)
    assert found.calibration() == detector.calibration()
    assert [each.score for each in found.observe(looks=False)] == references


@pytest.mark.parametrize("edit", [{"object_name": "bolt"}, {"memory_values": {"seal": "0" * 64}}])
def test_what_was_made_of_something_else_is_made_anew(plates: LiveStation, edit: dict[str, object]) -> None:
    (expected,) = oddlens.open_station(plates.folder).detect(np.asarray(part(300, True)), "plate")
    file = plates.folder / "station.json"
    told = json.loads(file.read_text())
    for name, value in edit.items():
        told[name] = told[name] | value if isinstance(value, dict) else value
    file.write_text(json.dumps(told))
    assert read_station(plates.folder).memory_values is None
    (found,) = oddlens.open_station(plates.folder).detect(np.asarray(part(300, True)), "plate")
    assert found.score == expected.score


def test_a_damaged_file_that_is_mended_is_found_again(plates: LiveStation, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = [path for path in (plates.folder / "files").rglob("*.safetensors") if path.stat().st_size > 100_000][:1]
    whole = file.read_bytes()
    file.write_bytes(whole[:50])
    with pytest.raises(StationError):
        plates.loaded()
    file.write_bytes(whole)
    with pytest.raises(StationError):  # it is not tried at every image
        plates.loaded()
    monkeypatch.setattr(live_station, "_AGAIN_S", 0.0)
    monkeypatch.setattr(plates, "_next_try", 0.0)
    assert plates.loaded().version == 1
    assert plates.problem is None


def test_copies_of_a_station_share_their_graphs(plates: LiveStation, tmp_path: Path) -> None:
    other = LiveStation("other", Path(shutil.copytree(plates.folder, tmp_path / "other")), "auto")
    one, two = (each.loaded().detector.method for each in (plates, other))
    assert one is not two
    assert all(one._graphs[role] is two._graphs[role] for role in one._graphs)  # type: ignore[attr-defined]


def test_a_station_that_learns_keeps_its_sample_and_compares_it(plates: LiveStation) -> None:
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
    again = LiveStation("plates", plates.folder, "auto").loaded()  # what earlier runs brought counts from the start
    assert again.detector.state is not None
    assert again.detector.state.tested == loaded.detector.state.tested
    shutil.rmtree(plates.folder / "learning")  # the trial is over
    assert plates.see(loaded, found[0], seen[0])
    assert len(loaded.learning.sample) == 1
    assert loaded.detector.state.tested is None
    anew = LiveStation("plates", plates.folder, "auto").loaded()
    assert anew.detector.state is not None
    assert anew.detector.state.tested is None


def test_what_another_program_finds_of_its_line_is_taken(plates: LiveStation) -> None:
    """A promise that a run of detect has withdrawn stands nowhere."""
    detector = oddlens.open_station(plates.folder)
    detector.state = Readiness("ready")
    detector.save(plates.folder)
    first = plates.loaded()
    assert first.calibration is not None
    plates.is_changed()
    assert not plates.is_changed()
    worse = Exchangeability(5, 58, None, 0.001, groups="ok")
    keep_comparison(plates.folder, first.calibration, worse)
    assert plates.is_changed()
    assert plates.loaded() is first
    assert first.detector.state is not None
    assert first.detector.state.tested == worse
    said = str(first.thresholds.promise)
    assert said == read_station(plates.folder).thresholds_in_force.promise
    assert "so the promise does not hold" in said
    (plates.folder / "line.json").unlink()
    assert plates.loaded().thresholds.promise != said


def test_a_drift_is_noticed_once(plates: LiveStation) -> None:
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
    assert loaded.drift.startswith("Drift: the scores of images that are OK have risen")


def test_what_is_no_station_is_a_problem(tmp_path: Path) -> None:
    assert "is not a station" in str(LiveStation("none", tmp_path / "none", "auto").problem)


def test_it_says_what_may_be_given_to_it_and_whether_its_maps_mean_anything(
    plates: LiveStation, tmp_path: Path
) -> None:
    known = plates.to_dict()
    assert (known["takes"], known["caution"]) == (["references", "defect_memory"], None)
    (tmp_path / "broken").mkdir()
    unknown = LiveStation("broken", tmp_path / "broken", "auto").to_dict()
    assert (unknown["takes"], unknown["caution"]) == (["references", "object_name", "defect_memory"], None)


@pytest.mark.needs_torch
def test_maps_that_mean_nothing_are_said_to(tmp_path: Path) -> None:
    known = LiveStation("drive", make_road_station(tmp_path / "drive"), "auto").to_dict()
    assert known["takes"] == []
    assert "its maps of streets mean nothing" in str(known["caution"])
