"""`oddlens station check`: false alarms, misses, and whether a promise is kept."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import oddlens
from oddlens.station import versions
from tests.cli.line import create
from tests.cli.program import Done, run


class TestCheck:
    def check(self, station: Path, *words: object) -> Done:
        return run("station", "check", station, "--device", "cpu", *words)

    def test_false_alarms_and_misses_at_the_thresholds(self, station: Path, images: Path) -> None:
        detector = oddlens.open_station(station, "cpu")
        verdicts = {name: [each.verdict for each in detector.detect(images / name, "nut")] for name in ("good", "bad")}
        done = self.check(station, "--good", images / "good", "--bad", images / "bad", "--json")
        assert done.code == 0
        found: dict[str, Any] = json.loads(done.out)
        assert found["false_alarms"]["count"] == verdicts["good"].count("ng")
        assert found["false_alarms"]["total"] == 12
        assert (found["missed"]["count"], found["missed"]["total"]) == (verdicts["bad"].count("ok"), 9)
        assert found["promised_on_average"] == pytest.approx(0.2)
        assert found["keeps_promise"] is True
        (entry,) = json.loads(run("station", "log", station, "--json").out)[1:]
        assert (entry["verb"], entry["version"]) == ("check", 1)
        assert f"{found['false_alarms']['count']} of 12 good images NG (false alarms)" in entry["what"]
        assert len(versions(station)) == 1

    def test_a_broken_promise_is_exit_code_1(self, station: Path, images: Path) -> None:
        """Images with defects, called good: all are false alarms. A station that knows its scene would ask for a look."""
        detector = oddlens.open_station(station, "cpu")
        detector.scene = None
        detector.save(station)
        done = self.check(station, "--good", images / "bad")
        assert done.code == 1
        assert "are more than the 53 % that the station promises at most" in done.out

    def test_images_that_the_station_knows_are_left_out(
        self, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        create(tmp_path / "s", images, open_clip_folder, "--calibrate", images / "more")
        copied = shutil.copytree(images / "references", tmp_path / "copied")
        done = self.check(
            tmp_path / "s", "--good", copied, "--good", images / "more", "--good", images / "good", "--json"
        )
        assert json.loads(done.out)["false_alarms"]["total"] == 12
        assert "4 of the good images are among the references: left out" in done.err
        assert "9 of the good images are among the calibration images: left out" in done.err
        moved = shutil.copytree(images / "more", tmp_path / "moved")
        done = self.check(tmp_path / "s", "--good", moved)
        assert done.code == 2
        assert "9 of the good images are among the calibration images: left out" in done.err
        assert "no good image is left to count" in done.err
        done = self.check(
            tmp_path / "s", "--good", images / "good", images / "good" / "000.png", "--bad", images / "good"
        )
        assert "1 of the good images is among the good images that were given already: left out" in done.err
        assert "12 of the bad images are among the good images that were given already: left out" in done.err

    def test_calibration_images_are_known_by_their_pixels(
        self, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        more = shutil.copytree(images / "more", tmp_path / "more")
        create(tmp_path / "s", images, open_clip_folder, "--calibrate", more)
        shutil.copy(images / "good" / "000.png", more / "000.png")  # another image of that name
        done = self.check(tmp_path / "s", "--good", more, "--json")
        assert json.loads(done.out)["false_alarms"]["total"] == 1
        station = tmp_path / "s" / "station.json"  # of an earlier version, which knows their names alone
        document = json.loads(station.read_text())
        del document["calibration"]["digests"]
        station.write_text(json.dumps(document))
        done = self.check(tmp_path / "s", "--good", more)
        assert "9 of the good images are among the calibration images: left out" in done.err
        assert done.code == 2
        assert "no good image is left to count" in done.err

    def test_images_that_fail_are_said_and_the_others_count(self, station: Path, images: Path, tmp_path: Path) -> None:
        good = shutil.copytree(images / "good", tmp_path / "good")
        (good / "torn.png").write_bytes(b"torn")
        done = self.check(station, "--good", good)
        assert done.code == 1
        assert "torn.png" in done.err
        assert done.out.splitlines()[1].split() == ["good", "13", *done.out.splitlines()[1].split()[2:5], "1"]

    def test_without_a_threshold_there_is_nothing_to_check(
        self, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        oddlens.load("winclip", open_clip_folder, device="cpu").save(tmp_path / "s")
        done = self.check(tmp_path / "s", "--good", images / "good")
        assert done.code == 2
        assert "has no threshold to be checked" in done.sentence
