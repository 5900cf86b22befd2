"""Versions of a station, the way back, the log, and two writers at once. Its sections, and what is damaged in its files."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oddlens.calibration import Accepted, Calibration, Rates, Readiness
from oddlens.detection import Marking, Thresholds
from oddlens.errors import DiskError, ModelError, UsageError
from oddlens.io.atomic import write_text
from oddlens.station import StationState, locked, prune, read_log, read_station, rollback, versions, write_station


@pytest.fixture
def station(state: StationState, tmp_path: Path) -> Path:
    """Of three versions, with thresholds .5, .4 and .3."""
    for threshold in (0.5, 0.4, 0.3):
        write_station(
            replace(state, thresholds=Thresholds(threshold)), tmp_path / "station", verb="set", what=f"at {threshold}"
        )
    return tmp_path / "station"


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


class TestVersions:
    def test_every_version_is_kept(self, station: Path) -> None:
        assert [(each.number, each.verb, each.what) for each in versions(station)] == [
            (1, "set", "at 0.5"), (2, "set", "at 0.4"), (3, "set", "at 0.3"),
        ]  # fmt: skip
        assert [read_station(station, number).thresholds.image for number in (None, 1, 2, 3)] == [0.3, 0.5, 0.4, 0.3]

    def test_files_that_several_versions_name_are_there_once(self, station: Path) -> None:
        assert len(list((station / "files").iterdir())) == 4  # model, learned part, references, scene

    def test_rolling_back_is_a_new_version_with_the_content_of_the_earlier_one(self, station: Path) -> None:
        assert rollback(station, 1).number == 4
        now, first = (
            json.loads((station / "station.json").read_text()),
            json.loads((station / "versions" / "0001.json").read_text()),
        )
        assert now.pop("version") != first.pop("version")
        assert now == first
        assert [each.number for each in versions(station)] == [1, 2, 3, 4]

    @pytest.mark.parametrize("number", [0, 4, -1])
    def test_a_version_that_there_is_not_is_reported(self, station: Path, number: int) -> None:
        for call in (read_station, rollback):
            with pytest.raises(UsageError, match=f"station has no version {number}: it has versions 1 to 3"):
                call(station, number)

    def test_the_version_in_force_is_there_also_where_its_own_file_is_not(self, station: Path) -> None:
        shutil.rmtree(station / "versions")
        assert read_station(station, 3).thresholds.image == 0.3
        with pytest.raises(UsageError, match="station has no version 1: it has version 3"):
            read_station(station, 1)

    def test_the_version_in_force_is_no_earlier_one(self, station: Path) -> None:
        with pytest.raises(UsageError, match="version 3 is in force already: give an earlier one"):
            rollback(station, 3)
        assert len(versions(station)) == 3

    def test_an_edit_by_hand_becomes_a_version_before_the_next_one(self, station: Path) -> None:
        document = json.loads((station / "station.json").read_text())
        edit(station / "station.json", thresholds=document["thresholds"] | {"image": 0.35})
        assert read_station(station).thresholds.image == 0.35
        write_station(replace(read_station(station), thresholds=Thresholds(0.2)), station)
        assert [read_station(station, number).thresholds.image for number in range(1, 6)] == [0.5, 0.4, 0.3, 0.35, 0.2]
        assert versions(station)[3].what == "station.json was edited by hand"
        assert [each.version for each in read_log(station)] == [1, 2, 3, 4, 5]

    def test_an_edit_by_hand_of_the_version_in_force_is_rolled_back(self, station: Path) -> None:
        edit(station / "station.json", object_name="bolt")
        assert rollback(station, 3).number == 5
        assert (read_station(station).object_name, read_station(station, 4).object_name) == ("nut", "bolt")
        assert [each.verb for each in versions(station)] == ["set", "set", "set", "edit", "rollback"]
        path = station / "station.json"
        path.write_text(json.dumps(json.loads(path.read_text())))  # as another editor writes the same
        with pytest.raises(UsageError, match="version 5 is in force already"):
            rollback(station, 5)

    def test_an_edit_that_a_checksum_refuses_says_how_to_go_back(self, station: Path) -> None:
        edit(station / "station.json", model_sha256="1")
        with pytest.raises(
            ModelError, match=rf"was edited: .*; 'oddlens station rollback {station} 3' goes back to version 3"
        ):
            read_station(station)
        rollback(station, 3)
        assert read_station(station).thresholds.image == 0.3

    @pytest.mark.parametrize("damage", ["missing", "cut", "of another form"])
    @pytest.mark.parametrize("number", [1, 3])
    def test_a_damaged_station_json_names_the_last_whole_version_and_is_mended(
        self, station: Path, damage: str, number: int
    ) -> None:
        path = station / "station.json"
        whole = path.read_text()
        if damage == "missing":
            path.unlink()
        else:
            path.write_text(whole[:200] if damage == "cut" else '{"format": 5}')
        hint = f"'oddlens station rollback {station} 3' goes back to version 3, the last whole one"
        for call in (read_station, versions, read_log):
            with pytest.raises(UsageError) as caught:
                call(station)
            assert str(caught.value).startswith(f"{path} is {'missing' if damage == 'missing' else 'damaged'}")
            assert str(caught.value).endswith(hint)
        with pytest.raises(UsageError, match="has no version 9: it has versions 1 to 3"):
            rollback(station, 9)
        assert read_station(station, number).thresholds.image == {1: 0.5, 3: 0.3}[number]
        assert rollback(station, number).number == 4
        assert read_station(station).thresholds.image == {1: 0.5, 3: 0.3}[number]
        assert [each.number for each in versions(station)] == [1, 2, 3, 4]

    def test_the_last_whole_version_is_not_a_damaged_one(self, station: Path) -> None:
        for name in ("station.json", "versions/0003.json"):
            (station / name).write_text("{")
        with pytest.raises(UsageError, match=f"'oddlens station rollback {station} 2' goes back to version 2"):
            read_station(station)
        with pytest.raises(
            UsageError, match=r"0003\.json is damaged: take another version, 'oddlens station versions'"
        ):
            rollback(station, 3)
        assert rollback(station, 2).number == 4

    def test_a_damaged_earlier_version_is_listed_as_one(self, station: Path) -> None:
        (station / "versions" / "0002.json").write_text("{")
        assert [(each.number, each.what) for each in versions(station)] == [
            (1, "at 0.5"), (2, "versions/0002.json is damaged"), (3, "at 0.3"),
        ]  # fmt: skip
        assert [(each.version, each.what) for each in read_log(station)] == [
            (1, "at 0.5"),
            (2, "at 0.4"),
            (3, "at 0.3"),
        ]

    def test_a_damaged_station_json_loses_no_version(self, station: Path, state: StationState) -> None:
        (station / "station.json").write_text("{")
        assert write_station(state, station).number == 4
        assert len(versions(station)) == 4

    def test_a_station_of_a_later_version_of_oddlens_is_left_alone(self, station: Path, state: StationState) -> None:
        edit(station / "station.json", format=99)
        before = (station / "station.json").read_bytes()
        with pytest.raises(UsageError, match="is of a format that this version of oddlens does not read"):
            write_station(state, station)
        assert (station / "station.json").read_bytes() == before

    def test_what_is_in_force_can_be_read_in_station_json(self, station: Path) -> None:
        assert json.loads((station / "station.json").read_text())["in_force"]["image"] == 0.3


class TestPrune:
    def test_the_oldest_versions_go_with_what_only_they_name(self, station: Path, state: StationState) -> None:
        assert state.references is not None
        features = {"image": np.zeros((2, 3), np.float32)}
        write_station(replace(state, references=replace(state.references, features=features)), station, what="fourth")
        before = set((station / "files").iterdir())
        assert prune(station, 1) == [1, 2, 3]
        assert [each.number for each in versions(station)] == [4]
        assert len(before) - len(set((station / "files").iterdir())) == 1  # the references of the first three
        assert read_station(station).thresholds.image == 0.5
        assert [(each.version, each.verb) for each in read_log(station)] == [
            (1, "set"), (2, "set"), (3, "set"), (4, "save"), (4, "prune"),
        ]  # fmt: skip
        with pytest.raises(UsageError, match="has no version 2: it has version 4"):
            rollback(station, 2)
        assert write_station(state, station).number == 5

    def test_what_stays_can_be_gone_back_to(self, station: Path) -> None:
        assert prune(station, 2) == [1]
        assert rollback(station, 2).number == 4
        assert read_station(station).thresholds.image == 0.4

    def test_more_than_there_are_removes_nothing(self, station: Path) -> None:
        before = sorted(station.rglob("*"))
        assert prune(station, 3) == prune(station, 99) == []
        assert sorted(station.rglob("*")) == before
        assert read_log(station)[-1].verb == "set"

    def test_the_version_in_force_never_goes(self, station: Path) -> None:
        for keep in (0, -1):
            with pytest.raises(UsageError, match="the one in force does, so give 1 or more"):
                prune(station, keep)
        edit(station / "station.json", object_name="bolt")  # no version yet
        prune(station, 1)
        assert (read_station(station).object_name, read_station(station, 3).object_name) == ("bolt", "nut")

    def test_a_broken_station_is_mended_first(self, station: Path) -> None:
        (station / "station.json").unlink()
        with pytest.raises(UsageError, match="goes back to version 3"):
            prune(station, 1)
        assert len(list((station / "versions").iterdir())) == 3


class TestWhatIsTheUsers:
    def test_files_of_their_own_stay_beside_a_station(self, state: StationState, station: Path) -> None:
        own = [station / name for name in ("weights.safetensors", "weights.csv", "model/notes.txt")]
        (station / "model").mkdir()
        for path in own:
            path.write_text("mine")
        write_station(state, station)
        prune(station, 1)
        assert [path.read_text() for path in own] == ["mine"] * 3

    def test_a_first_save_that_fails_leaves_no_version(
        self, state: StationState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(path: Path, text: str) -> None:
            if path.name == "station.json":
                raise DiskError("the disk is full")
            write_text(path, text)

        with monkeypatch.context() as patch:
            patch.setattr("oddlens.station.folder.write_text", full)
            with pytest.raises(DiskError):
                write_station(state, tmp_path / "new")
        assert not list((tmp_path / "new").glob("versions/*"))
        assert write_station(state, tmp_path / "new").number == 1


class TestTwoWriters:
    CODE = """
import sys
from oddlens.errors import UsageError
from oddlens.station import read_station, write_station
try:
    write_station(read_station(sys.argv[1]), sys.argv[1])
except UsageError as error:
    print(error)
"""

    def other_program(self, station: Path) -> str:
        return subprocess.run(
            [sys.executable, "-c", self.CODE, str(station)], capture_output=True, text=True, timeout=120, check=True
        ).stdout

    def test_the_second_one_is_refused_while_the_first_lasts(self, station: Path) -> None:
        with locked(station):
            assert self.other_program(station) == (
                f"another program is writing to the station {station}: try again later\n"
            )
            assert write_station(read_station(station), station).number == 4  # the one that holds the lock may
        assert self.other_program(station) == ""
        assert len(versions(station)) == 5

    def test_what_is_no_station_is_not_locked(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is not a station"), locked(tmp_path / "none"):
            pass
        assert not (tmp_path / "none").exists()


class TestWhere:
    @pytest.mark.parametrize("path", ["files/notes.txt", "versions/notes.txt", "model/config.json", "part.png"])
    def test_a_folder_that_holds_anything_else_is_refused(self, state: StationState, tmp_path: Path, path: str) -> None:
        other = tmp_path / "folder" / path
        other.parent.mkdir(parents=True)
        other.write_text("mine")
        with pytest.raises(UsageError, match="folder is no station and holds other files"):
            write_station(state, tmp_path / "folder")
        assert [each for each in (tmp_path / "folder").rglob("*") if each.is_file()] == [other]


class TestSections:
    def test_plain_values_and_arrays_come_back(self, state: StationState, tmp_path: Path) -> None:
        write_station(replace(state, marking=Marking(min_area=20)), tmp_path / "station")
        found = read_station(tmp_path / "station")
        assert found.marking == Marking(min_area=20)
        assert found.scene is not None
        assert np.array_equal(found.scene.references, np.ones((2, 5), np.float32))
        assert found.scene.calibrated.shape == (0, 5)
        assert (found.state, found.accepted) == (Readiness("learning"), Accepted({"a": "differs most"}))
        assert (found.object_name, found.image_size, found.roi) == ("nut", (4, 4), None)

    def test_what_scores_depend_on_is_sealed(self, state: StationState, tmp_path: Path) -> None:
        """An edit of it makes a calibration worthless; one of the marking does not."""
        calibration = Calibration(
            kind="split", sources=("c", "d", "e"), scores=(0.1, 0.2, 0.3), peaks=(0.1, 0.2, 0.3), usual=0.1,
            object_name="nut", false_alarm_rate=0.25,
        )  # fmt: skip
        path = tmp_path / "station" / "station.json"
        write_station(replace(state, calibration=calibration), path.parent)
        edit(path, marking=Marking(min_area=20).to_dict())
        assert read_station(path.parent).calibration == calibration
        edit(path, object_name="bolt")
        assert read_station(path.parent).calibration == calibration  # it names its own object
        edit(path, weights_sha256="0" * 64)
        with pytest.raises(ModelError, match="its thresholds were calibrated with another method, model, recipe"):
            read_station(path.parent)

    def test_thresholds_of_references_are_known_without_a_model(self, state: StationState, tmp_path: Path) -> None:
        calibration = Calibration(
            kind="leave-one-out", sources=("a", "b"), scores=(0.1, 0.2), peaks=(0.3, 0.4), usual=0.1, object_name="nut",
            false_alarm_rate=1 / 3,
        )  # fmt: skip
        folder = tmp_path / "station"
        write_station(replace(state, thresholds=Thresholds(), leave_one_out=calibration), folder)
        assert read_station(folder).thresholds_in_force.image == 0.2
        changed = replace(read_station(folder), calibration=Rates(false_alarm_rate=0.5, review_rate=0))
        write_station(changed, folder)
        assert read_station(folder).thresholds_in_force.image == 0.2
        write_station(replace(changed, calibration=Rates(false_alarm_rate=0.7, review_rate=0)), folder)
        assert read_station(folder).thresholds_in_force.image == 0.1
        edit(folder / "station.json", object_name="bolt")
        assert read_station(folder).thresholds_in_force.image is None  # scores of another name

    def test_who_gave_a_rate_is_kept_and_one_of_an_earlier_version_that_is_usual_follows_the_references(
        self, state: StationState, tmp_path: Path
    ) -> None:
        folder = tmp_path / "station"
        for rate in (None, 0.5, 1 / 3):  # a third is usual for two references
            rates = Rates(false_alarm_rate=rate, review_rate=0.2)
            write_station(replace(state, calibration=rates), folder)
            assert read_station(folder).calibration == rates
        found = json.loads((folder / "station.json").read_text())["calibration"]
        del found["rate_given"]
        edit(folder / "station.json", calibration=found)
        assert read_station(folder).calibration == Rates(review_rate=0.2)
        edit(folder / "station.json", calibration=found | {"false_alarm_rate": 0.5})
        assert read_station(folder).calibration == Rates(false_alarm_rate=0.5, review_rate=0.2)


class TestDamage:
    @pytest.mark.parametrize("pattern", ["*.pth", "*.safetensors", "*/model/config.json", "*/model/model.safetensors"])
    @pytest.mark.parametrize("damage", ["changed", "missing"])
    def test_every_file_is_checked(self, station: Path, pattern: str, damage: str) -> None:
        for path in (station / "files").glob(pattern):
            whole = path.read_bytes()
            path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:]) if damage == "changed" else path.unlink()
            said = (
                "is damaged, or not the file that the station names" if damage == "changed" else "is missing or damaged"
            )
            with pytest.raises(ModelError, match=f"{path.name} {said}: copy the station again, or make it anew"):
                read_station(station)
            path.write_bytes(whole)
        read_station(station)

    def test_a_learned_part_that_changed_since_it_was_loaded_is_not_saved(
        self, state: StationState, tmp_path: Path
    ) -> None:
        assert state.weights is not None
        loaded = replace(state, identity=replace(state.identity, weights_sha256="0" * 64))
        with pytest.raises(ModelError, match=r"layers\.pth is not the file any more that was loaded: load it again"):
            write_station(loaded, tmp_path / "station")
