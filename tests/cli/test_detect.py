"""`oddlens detect` as its users meet it: what is printed and written, what is refused, and what a broken image does."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.detector import Detector
from oddlens.errors import Failure
from oddlens.inference import runner
from oddlens.inference.task import Task
from oddlens.io.finding import find_images
from tests.cli.program import Done, call, terminal
from tests.noise import write_picture, write_pictures

Detect = Callable[..., Done]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestWhatIsPrinted:
    def test_score_verdict_and_path_of_each_picture(self, detect: Detect, parts: Path) -> None:
        done = detect(parts)
        assert done.code == 0
        assert done.err == "3 images: 3 without a verdict, 0 failed\n"
        lines = [line.split() for line in done.out.splitlines()]
        assert [(verdict, path) for _, verdict, path in lines] == [("-", f"{parts}/{name}.png") for name in range(3)]
        assert all(0 < float(score) < 1 for score, _, _ in lines)

    def test_the_verdict_follows_the_threshold(self, detect: Detect, parts: Path) -> None:
        assert [line.split()[1] for line in detect(parts, "--threshold", 0).out.splitlines()] == ["NG"] * 3
        assert [line.split()[1] for line in detect(parts, "--threshold", 2).out.splitlines()] == ["OK"] * 3

    def test_with_a_folder_the_verdicts_are_counted(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        scores = sorted(record["score"] for record in detect(parts, "--json").records)
        middle = (scores[0] + scores[1]) / 2
        done = detect(parts, "--threshold", middle, "--out", tmp_path / "out")
        assert done.err == f"3 images: 2 NG, 0 review, 1 OK, 0 failed: {tmp_path}/out/report.html\n"

    def test_an_image_that_is_ng_makes_an_exit_code_where_it_is_asked_for(self, detect: Detect, parts: Path) -> None:
        assert detect(parts, "--threshold", 0).code == 0
        done = detect(parts, "--threshold", 0, "--fail-on-ng")
        assert (done.code, done.err) == (3, "3 images: 3 NG, 0 review, 0 OK, 0 failed\n")
        assert detect(parts, "--threshold", 2, "--fail-on-ng").code == 0
        assert detect(parts, "--fail-on-ng").code == 0
        (parts / "1.png").write_bytes(b"")
        assert detect(parts, "--threshold", 0, "--fail-on-ng").code == 1

    def test_json_is_a_line_a_picture_and_nothing_else(self, detect: Detect, parts: Path) -> None:
        done = detect(parts, "--json")
        assert done.err == ""
        assert [record["path"] for record in done.records] == [f"{parts}/{name}.png" for name in range(3)]
        assert set(done.records[0]) == {
            "path", "score", "is_anomalous", "verdict", "threshold", "pixel_threshold", "threshold_source", "regions",
            "image_size", "ms",
        }  # fmt: skip
        assert done.records[0]["image_size"] == [48, 40]
        assert done.records[0]["is_anomalous"] is None

    def test_json_holds_failed_pictures_too(self, detect: Detect, parts: Path) -> None:
        (parts / "1.png").write_bytes(b"")
        done = detect(parts, "--json")
        assert done.code == 1
        assert [sorted(record) for record in done.records if "error" in record] == [["error", "path"]]
        assert len(done.records) == 3

    def test_with_a_folder_stdout_stays_empty(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        done = detect(parts, "--out", tmp_path / "out")
        assert done.out == ""
        assert done.err == f"3 images: 3 without a verdict, 0 failed: {tmp_path}/out/report.html\n"

    def test_verbose_says_settings_and_notes_on_stderr(self, detect: Detect, parts: Path) -> None:
        Image.new("I;16", (48, 40), 500).save(parts / "deep.png")
        done = detect(parts, "-v")
        assert len(done.out.splitlines()) == 4
        assert "method winclip, model open-clip" in done.err
        assert "WinCLIPRecipe(image_size=40" in done.err
        assert "image_size 40, this model's own, instead of the paper's 240" in done.err
        assert f"{parts}/deep.png: 16-bit values reduced to their high byte" in done.err

    def test_regions_are_marked_from_the_pixel_threshold_on(self, detect: Detect, parts: Path) -> None:
        (record, *_) = detect(parts, "--json", "--threshold", ",0").records
        assert [region["box"] for region in record["regions"]] == [[0, 0, 48, 40]]
        assert record["threshold_source"] == "given"
        (record, *_) = detect(parts, "--json", "--threshold", ",2").records
        assert record["regions"] == []

    def test_a_reader_that_goes_away_ends_the_run_without_a_traceback(
        self, open_clip_folder: Path, parts: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        stream = os.fdopen(writer, "w")
        monkeypatch.setattr(sys, "stdout", stream)
        assert call("detect", parts, "--model", open_clip_folder, "--json") == 1
        monkeypatch.undo()
        stream.close()  # what waited in it was dropped

    def test_a_terminal_of_few_letters_shows_the_others_as_escapes(
        self, open_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_picture(tmp_path / "Prüfling μ.png")
        with (tmp_path / "screen").open("w", encoding="ascii") as screen:
            monkeypatch.setattr(sys, "stdout", screen)
            assert call("detect", path, "--model", open_clip_folder) == 0
        assert (tmp_path / "screen").read_text().endswith("Pr\\xfcfling \\u03bc.png\n")


class TestWhatIsWritten:
    def test_results_overlays_maps_and_what_was_run(
        self, detect: Detect, parts: Path, tmp_path: Path, open_clip_folder: Path
    ) -> None:
        out = tmp_path / "out"
        printed = detect(parts, "--out", out, "--json", "--object", "bolt").records
        assert [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()] == printed
        assert names_in(out) == [
            "maps",
            "overlays",
            "previews",
            "report.html",
            "results.csv",
            "results.jsonl",
            "run.json",
        ]
        for record in printed:
            stem = Path(record["path"]).stem
            assert (record["overlay"], record["map"]) == (f"overlays/{stem}.png", f"maps/{stem}.tiff")
            anomaly_map = np.asarray(Image.open(out / record["map"]))
            assert anomaly_map.dtype == np.float32
            assert anomaly_map.shape == (40, 40)
            assert Image.open(out / record["overlay"]).format == "PNG"
        told = json.loads((out / "run.json").read_text())
        assert told["run"]["oddlens"] == oddlens.__version__
        assert told["run"]["object"] == "bolt"
        assert told["run"]["recipe"]["image_size"] == 40
        assert len(told["run"]["model_sha256"]) == 64
        assert told["machine"]["device"] == "cpu"

    def test_maps_are_the_raw_values_and_scores_the_exact_ones(
        self, detect: Detect, parts: Path, tmp_path: Path, open_clip_folder: Path
    ) -> None:
        records = detect(parts, "--out", tmp_path / "out", "--json").records
        detections = oddlens.load(model=open_clip_folder).detect(parts)
        for record, detection in zip(records, detections, strict=True):
            assert record["score"] == detection.score
            assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / record["map"])), detection.anomaly_map)

    def test_overlays_and_maps_can_be_left_out(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        (record, *_) = detect(parts, "--out", tmp_path / "out", "--json", "--write", "labels").records
        assert not {"overlay", "map"} & set(record)
        assert names_in(tmp_path / "out") == ["report.html", "results.csv", "results.jsonl", "run.json"]

    def test_pictures_of_one_name_from_several_folders_do_not_overwrite_each_other(
        self, detect: Detect, tmp_path: Path
    ) -> None:
        write_pictures(tmp_path / "in" / "left", 2, seed=1)
        write_pictures(tmp_path / "in" / "right", 2, seed=2)
        records = detect(tmp_path / "in", "--out", tmp_path / "out", "--json").records
        assert len({record["map"] for record in records}) == 4
        assert {f"overlays/{name}" for name in names_in(tmp_path / "out" / "overlays")} == {
            r["overlay"] for r in records
        }
        assert all((tmp_path / "out" / record["map"]).is_file() for record in records)

    def test_odd_names_are_fine(self, detect: Detect, tmp_path: Path) -> None:
        odd = ["Prüfling μ.png", "two\nlines.png", "-rf.png", "a[0]*?.png", "{}.png", "🔩.png", "ü" * 120 + ".png"]
        names = [*(os.fsencode(name) for name in odd), b"\xff.png"]
        (tmp_path / "in").mkdir()
        for name in names:
            write_picture(tmp_path / "in" / os.fsdecode(name))
        done = detect(tmp_path / "in", "--out", tmp_path / "out", "--json", "-v")
        assert done.code == 0
        assert {os.fsencode(Path(record["path"]).name) for record in done.records} == set(names)
        assert all((tmp_path / "out" / record["overlay"]).is_file() for record in done.records)
        assert len(detect(tmp_path / "in").out.splitlines()) == len(names)

    def test_the_results_among_the_pictures_are_not_read(
        self, detect: Detect, parts: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(parts)
        for _ in range(2):
            records = detect(".", "--out", "results", "--overwrite", "--json").records
            assert [record["path"] for record in records] == ["0.png", "1.png", "2.png"]
        done = detect("results/overlays", "--out", "results", "--overwrite")
        assert done.code == 2
        assert "there is only what a run drew in results among the images" in done.sentence


class TestWhatIsFound:
    def test_a_name_that_leads_nowhere_fails_alone(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        done = detect(parts / "0.png", "nowhere.png", "n" * 300 + ".png", parts / "2.png", "--out", tmp_path / "out")
        assert done.code == 1
        *sentences, summary = done.err.splitlines()
        assert sentences == [
            "oddlens: nowhere.png does not exist: check the path",
            f"oddlens: {'n' * 300}.png is no possible file name: check the path",
        ]
        assert summary.startswith("4 images: 2 without a verdict, 2 failed")
        lines = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
        assert ["error" in line for line in lines] == [False, True, True, False]

    def test_where_no_name_leads_anywhere_all_are_reported_and_the_call_was_wrong(self, detect: Detect) -> None:
        done = detect("nowhere.png", "~nosuchuser/parts")
        assert done.code == 2
        assert done.err.splitlines() == [
            "oddlens: nowhere.png does not exist: check the path",
            "oddlens: ~nosuchuser/parts does not exist: check the path",
        ]

    @pytest.mark.parametrize("name", ["m1²3.png", "①/a.png", "٣.png"])
    def test_digits_that_are_no_decimal_digits_are_fine(self, detect: Detect, tmp_path: Path, name: str) -> None:
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        write_picture(tmp_path / "in" / name)
        (record,) = detect(tmp_path / "in", "--out", tmp_path / "out", "--json").records
        assert Path(record["path"]).name == Path(name).name

    def test_what_is_passed_over_is_said_once_and_stands_in_the_run(
        self, detect: Detect, parts: Path, tmp_path: Path
    ) -> None:
        for name in ("0_mask.png", "1_mask.png", "a.dcm", "@eaDir/0.png"):
            (parts / name).parent.mkdir(exist_ok=True)
            (parts / name).touch()
        done = detect(parts, "--out", tmp_path / "out")
        assert done.code == 0
        first, summary = done.err.splitlines()
        assert first == "oddlens: 3 files passed over: 1 .dcm, 2 masks; 1 folder passed over: 1 @eaDir"
        assert summary.startswith("3 images: 3 without a verdict, 0 failed")
        told = json.loads((tmp_path / "out" / "run.json").read_text())
        assert told["passed_over"] == {"masks": 2, ".dcm": 1, "@eaDir/": 1}

    def test_masks_among_the_references_are_passed_over_too(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        write_pictures(tmp_path / "good", 2, seed=5)
        (tmp_path / "good" / "0_mask.png").touch()
        done = detect(parts, "--reference", tmp_path / "good")
        assert done.code == 0
        passed_over, _, promise = done.err.splitlines()
        assert passed_over == "oddlens: among the references 1 file passed over: 1 mask"
        assert "then on average over such samples at most 34 % of good images are called NG." in promise

    def test_a_run_of_every_day_beside_the_pictures_looks_at_these_only(self, detect: Detect, parts: Path) -> None:
        for day in ("monday", "tuesday"):
            records = detect(parts, "--out", parts / day, "--json").records
            assert [Path(record["path"]).name for record in records] == ["0.png", "1.png", "2.png"]

    def test_a_closed_folder_fails_alone(self, ordinary_user: Path, towers: Detector) -> None:
        write_pictures(ordinary_user / "open", 1)
        write_pictures(ordinary_user / "closed", 1)
        (ordinary_user / "closed").chmod(0)
        found = find_images([ordinary_user])
        outcomes = list(runner.run(towers, Task("part", found.items)))
        assert [outcome.reason if isinstance(outcome, Failure) else None for outcome in outcomes] == [
            None,
            f"the folder {ordinary_user}/closed cannot be listed (Permission denied): "
            "change its permissions or leave it out",
        ]


class TestSettings:
    def test_a_field_of_the_recipe_is_set(self, detect: Detect, parts: Path, tmp_path: Path) -> None:
        done = detect(parts, "--out", tmp_path / "out", "--set", "image_size=112", "--set", "templates=port21", "-v")
        assert done.code == 0
        assert Image.open(tmp_path / "out" / "maps" / "0.tiff").size == (112, 112)
        recipe = json.loads((tmp_path / "out" / "run.json").read_text())["run"]["recipe"]
        assert (recipe["image_size"], recipe["templates"]) == (112, "port21")
        assert "image_size=112" in done.err

    def test_lists_are_written_as_json(self, detect: Detect, parts: Path) -> None:
        assert "window_sizes=(2,)" in detect(parts, "-v", "--set", "window_sizes=[2]").err


class TestOnATerminal:
    def test_progress_is_shown_there_while_the_data_go_to_stdout(
        self, open_clip_folder: Path, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TERM", "xterm")
        with terminal() as (stream, seen), (tmp_path / "data").open("w") as data:
            monkeypatch.setattr(sys, "stderr", stream)
            monkeypatch.setattr(sys, "stdout", data)
            assert call("detect", parts, "--model", open_clip_folder, "--json") == 0
            monkeypatch.undo()
        assert [json.loads(line)["image_size"] for line in (tmp_path / "data").read_text().splitlines()] == [
            [48, 40]
        ] * 3
        assert "images" in seen.getvalue().decode()
        assert "3/3" in seen.getvalue().decode()


class TestWithoutANetwork:
    def test_it_runs_where_there_is_none(self, open_clip_folder: Path, parts: Path, tmp_path: Path) -> None:
        alone = ["unshare", "--map-root-user", "--net"]
        try:
            subprocess.run([*alone, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("this machine does not let a test take the network away (unshare --net)")
        command = [
            sys.executable,
            "-m",
            "oddlens",
            "detect",
            parts,
            "--model",
            open_clip_folder,
            "--reference",
            parts,
            "--json",
        ]
        without_switch = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
        done = subprocess.run([*alone, *map(str, command)], capture_output=True, text=True, env=without_switch)
        assert (done.returncode, done.stderr) == (0, "")
        assert len([json.loads(line)["score"] for line in done.stdout.splitlines()]) == 3
