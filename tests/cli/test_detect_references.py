"""`oddlens detect` with good examples and with stations."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import oddlens
from oddlens.station.defects import Defects, NamedRegions
from tests.cli.program import Done, run
from tests.noise import write_pictures

Detect = Callable[..., Done]


class TestReferences:
    def test_their_leave_one_out_gives_the_thresholds(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        good = write_pictures(tmp_path / "good", 3, seed=5)
        (record, *_) = detect(parts, "--json", "--reference", tmp_path / "good").records
        assert record["threshold_source"] == "leave-one-out scores of 3 references"
        assert record["is_anomalous"] == (record["score"] > record["threshold"])
        assert record["p_value"] in (0.25, 0.5, 0.75, 1.0)
        assert record["pixel_threshold"] > 0
        singly = [argument for path in good for argument in ("--reference", path)]
        (again, *_) = detect(parts, "--json", *singly).records
        assert again | {"ms": 0} == record | {"ms": 0}

    def test_one_is_compared_with_but_gives_no_threshold(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        write_pictures(tmp_path / "good", 1, seed=5)
        done = detect(parts, "--json", "--reference", tmp_path / "good")
        (record, *_) = done.records
        assert record["threshold"] is None
        assert "one good example gives no threshold" in done.err
        assert record["score"] != detect(parts, "--json").records[0]["score"]

    def test_they_choose_the_method_where_none_is_named(
        self, parts: Path, tmp_path: Path, embedded_folder: Path, open_clip_folder: Path
    ) -> None:
        write_pictures(tmp_path / "good", 2, seed=5)
        given = ("--reference", tmp_path / "good")

        def chosen(model: Path, *options: str | Path) -> tuple[str, str]:
            out = tmp_path / "out"
            done = run("detect", parts, "--device", "cpu", "--model", model, "--out", out, "--overwrite", *options)
            said = [line for line in done.err.splitlines() if "the method is" in line]
            return json.loads((out / "run.json").read_text())["run"]["method"], " ".join(said)

        line = f"oddlens: with good examples on {embedded_folder.name} the method is patch-knn; --method names another"
        assert chosen(embedded_folder, *given) == ("patch-knn", line)
        assert chosen(embedded_folder, *given, "--method", "winclip") == ("winclip", "")
        assert chosen(embedded_folder) == ("winclip", "")
        assert chosen(open_clip_folder, *given) == ("winclip", "")

    def test_two_methods_run_as_one_where_they_are_named(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        write_pictures(tmp_path / "good", 3, seed=5)
        given = ("--reference", tmp_path / "good", "--method", "Patch-KNN+winclip", "--set", "winclip_temperature=0.05")
        done = detect(parts, "--out", tmp_path / "out", *given)
        assert "promises no false-alarm rate: winclip+patch-knn measures its two scores" in done.err
        said = json.loads((tmp_path / "out" / "run.json").read_text())["run"]
        assert said["method"] == "winclip+patch-knn"
        assert said["recipe"]["winclip_temperature"] == 0.05
        assert run("judge", tmp_path / "out", "--threshold", "0.5").code == 0
        (line, *_) = (json.loads(each) for each in (tmp_path / "out" / "results.jsonl").read_text().splitlines())
        assert line["verdict"] == ("ng" if line["score"] > 0.5 else "ok")

    def test_two_methods_as_one_need_two(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        write_pictures(tmp_path / "good", 1, seed=5)
        for given in ((), ("--reference", tmp_path / "good")):
            done = detect(parts, "--method", "winclip+patch-knn", *given)
            assert done.code == 2
            assert done.sentence == "winclip+patch-knn needs good examples: give 2 or more as references"

    def test_a_station_brings_its_calibration_and_its_object(
        self, detect: Detect, parts: Path, tmp_path: Path, open_clip_folder: Path
    ) -> None:
        write_pictures(tmp_path / "good", 6, seed=5)
        detector = oddlens.load("winclip", open_clip_folder, device="cpu")
        calibration = detector.calibrate(tmp_path / "good", object_name="nut")
        detector.save(tmp_path / "station")
        done = run("detect", parts, "--station", tmp_path / "station", "--device", "cpu", "--json")
        assert done.err == ""
        for record in done.records:
            assert record["threshold"] == pytest.approx(max(calibration.scores))
            assert record["threshold_source"] == "scores of 6 calibration images"
            assert record["verdict"] == ("ng" if record["score"] > record["threshold"] else "ok")
        done = run("detect", parts, "--station", tmp_path / "station", "--device", "cpu", "--object", "bolt")
        assert (
            "the thresholds were calibrated for 'nut' and are not used for 'bolt': calibrate again for it" in done.err
        )
        assert done.err.count("calibrated for") == 1
        assert {line.split()[1] for line in done.out.splitlines()} == {"-"}

    def test_a_given_threshold_wins(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        write_pictures(tmp_path / "good", 3, seed=5)
        (record, *_) = detect(parts, "--json", "--reference", tmp_path / "good", "--threshold", 0.25).records
        assert record["threshold"] == 0.25
        assert record["threshold_source"] == "image: given; the other: leave-one-out scores of 3 references"

    def test_one_that_is_named_twice_is_said_and_counts_once(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        (good,) = write_pictures(tmp_path / "good", 1, seed=5)
        done = detect(parts, "--json", "--reference", good, "--reference", tmp_path / "good")
        assert done.records[0]["threshold"] is None
        assert "counts once" in done.err

    def test_a_copy_of_one_is_said_and_counts_once(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        (good,) = write_pictures(tmp_path / "good", 1, seed=5)
        expected = detect(parts, "--json", "--reference", good).records
        (tmp_path / "good" / "a copy.png").write_bytes(good.read_bytes())
        done = detect(parts, "--json", "--reference", tmp_path / "good")
        assert done.err == (
            "oddlens: the same image is among the references more than once, and counts once: "
            f"{tmp_path}/good/a copy.png is {good}\n"
            "oddlens: one good example gives no threshold, and so no verdict: give two or more, or --threshold\n"
        )
        assert [record | {"ms": 0} for record in done.records] == [record | {"ms": 0} for record in expected]

    def test_a_broken_one_stops_the_run(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        write_pictures(tmp_path / "good", 2)
        (tmp_path / "good" / "1.png").write_bytes(b"")
        done = detect(parts, "--reference", tmp_path / "good")
        assert done.code == 2
        assert done.sentence == f"{tmp_path}/good/1.png is empty (0 bytes): save or copy it again"


class TestStations:
    def test_a_station_finds_what_the_detector_that_was_saved_finds(
        self, detect: Detect, parts: Path, tmp_path: Path, open_clip_folder: Path
    ) -> None:
        write_pictures(tmp_path / "good", 3, seed=5)
        oddlens.load(model=open_clip_folder).add_references(tmp_path / "good").save(tmp_path / "station")
        expected = detect(parts, "--json", "--reference", tmp_path / "good").records
        found = run("detect", parts, "--json", "--station", tmp_path / "station").records
        assert [record | {"ms": 0} for record in found] == [record | {"ms": 0} for record in expected]


class TestNamesOfDefects:
    def test_each_marked_region_gets_names_and_the_run_says_which_there_were(
        self, detect: Detect, parts: Path, tmp_path: Path
    ) -> None:
        call = (parts, "--threshold", "0,0.5", "--object", "nut", "--out", tmp_path / "out")
        plain = detect(*call, "--json")
        done = detect(*call, "--overwrite", "--json", "--defects", "dent, scratch")
        assert done.code == 0
        assert [record["score"] for record in done.records] == [record["score"] for record in plain.records]
        assert not any("names" in region for record in plain.records for region in record["regions"])
        for record in done.records:
            assert record["regions"]
            for names in (region["names"] for region in record["regions"][:8]):
                assert {name for name, _ in names} - {"unknown"} == {"dent", "scratch"}
        refused = detect(*call, "--resume", "--defects", "dent, crack")
        assert refused.code == 2
        assert "results of other settings (defect_names)" in refused.err


def test_a_station_names_regions_by_what_it_was_taught(
    detect: Detect, open_clip_folder: Path, parts: Path, tmp_path: Path
) -> None:
    detector = oddlens.load(model=open_clip_folder).set_thresholds(image=0, pixel=0.5)
    features = np.random.default_rng(0).random((2, 128)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    detector.defects = Defects(regions=NamedRegions(("burn", "chip"), features, ("a", "b")))
    detector.save(tmp_path / "line")
    done = run("detect", parts, "--station", tmp_path / "line", "--json")
    for record in done.records:
        assert {name for name, _ in record["regions"][0]["names"]} - {"unknown"} == {"burn", "chip"}
