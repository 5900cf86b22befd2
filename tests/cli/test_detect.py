"""`oddlens detect` as its users meet it: what is printed and written, what is refused, and what a broken image does."""

import json
import os
import shlex
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.detector import Detector
from oddlens.errors import Failure
from oddlens.inference import runner
from oddlens.inference.task import Task
from oddlens.io.finding import find_images
from oddlens.methods.base import Scores
from oddlens.methods.winclip.method import WinCLIP
from oddlens.station.defects import Defects, NamedRegions
from tests.cli.program import Done, call, run, terminal
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


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 60000 x 60000 pixels."""
    header = (60000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + len(header).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) + b"\0\0\0\0IDAT"


class TestBrokenPictures:
    @pytest.mark.parametrize(
        ("break_it", "said"),
        [
            (lambda path: path.write_bytes(b""), "is empty (0 bytes): save or copy it again"),
            (lambda path: path.write_bytes(path.read_bytes()[:200]), "is damaged or cut short"),
            (lambda path: path.write_text("<html>404</html>"), "is a text file: give one of PNG"),
            (lambda path: path.write_bytes(bomb()), "60000"),
            (lambda path: (path.unlink(), path.symlink_to("nowhere.png")), "does not exist: check the path"),
            (lambda path: (path.unlink(), os.mkfifo(path)), "is not a regular file"),
        ],
        ids=["empty", "cut short", "text", "bomb", "dangling link", "pipe"],
    )
    def test_one_of_them_is_reported_in_one_sentence_and_the_others_run(
        self, detect: Detect, parts: Path, tmp_path: Path, break_it: Callable[[Path], object], said: str
    ) -> None:
        break_it(parts / "1.png")
        done = detect(parts, "--out", tmp_path / "out")
        assert done.code == 1
        sentence, summary = done.err.splitlines()
        assert sentence.startswith(f"oddlens: {parts}/1.png ")
        assert said in sentence
        assert summary.startswith("3 images: 2 without a verdict, 1 failed")
        first, broken, last = (
            json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()
        )
        assert broken == {"path": f"{parts}/1.png", "error": sentence.removeprefix("oddlens: ")}
        assert "score" in first
        assert "score" in last
        assert names_in(tmp_path / "out" / "maps") == ["0.tiff", "2.tiff"]

    def test_one_above_the_limit_is_read_where_the_limit_is_raised(self, detect: Detect, parts: Path) -> None:
        done = detect(parts, "--set", "max_megapixels=0.001", "--json")
        assert done.code == 1
        assert "more than the limit of 0.001 megapixels" in done.records[0]["error"]
        assert detect(parts, "--set", "max_megapixels=0.002").code == 0
        done = detect(parts, "--set", "max_megapixels=-1")
        assert done.code == 2
        assert done.sentence == "max_megapixels is -1: give a number above 0"

    def test_a_station_takes_the_limit_and_no_other_setting(
        self, towers: Detector, parts: Path, tmp_path: Path
    ) -> None:
        towers.save(tmp_path / "station")
        done = run("detect", parts, "--station", tmp_path / "station", "--set", "max_megapixels=0.001", "--json")
        assert done.code == 1
        assert all("more than the limit of 0.001 megapixels" in record["error"] for record in done.records)
        done = run("detect", parts, "--station", tmp_path / "station", "--set", "temperature=1")
        assert done.code == 2
        assert done.sentence.startswith("--station brings method, model, weights, references and settings")

    def test_nothing_but_broken_ones(self, detect: Detect, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(b"")
        done = detect(tmp_path / "a.png")
        assert (done.code, done.out) == (1, "")
        assert done.err == f"oddlens: {tmp_path}/a.png is empty (0 bytes): save or copy it again\n1 image: 1 failed\n"

    @pytest.mark.parametrize("options", [["--json"], ["--out", "out"], ["--out", "out", "--write", "maps"], []])
    def test_one_whose_result_is_not_finite_has_no_verdict(
        self,
        detect: Detect,
        parts: Path,
        tmp_path: Path,
        options: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        score = WinCLIP.score

        def damaged(*arguments: Any) -> Scores:
            found = score(*arguments)
            found.scores[1] = np.nan
            return found

        monkeypatch.setattr(WinCLIP, "score", damaged)
        monkeypatch.chdir(tmp_path)
        done = detect(parts, "--threshold", 0.1, *options)
        assert done.code == 1
        (sentence, *_) = done.err.splitlines()
        assert sentence.startswith(f"oddlens: {parts}/1.png has a score or a map that is not finite")
        lines = tmp_path / "out" / "results.jsonl"
        for told in (done.out, lines.read_text() if lines.exists() else ""):
            assert "nan" not in told.lower().replace("not finite", "")
            for line in told.splitlines():
                assert "1.png" not in line or "error" in line

    def test_an_overlay_that_cannot_be_written_fails_its_picture_only(
        self, detect: Detect, parts: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "out" / "overlays" / "1.png").mkdir(parents=True)
        done = detect(parts, "--out", tmp_path / "out")
        assert done.code == 1
        assert "overlays/1.png cannot be written because it is a folder: choose another name" in done.err
        assert names_in(tmp_path / "out" / "maps") == ["0.tiff", "2.tiff"]


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


class TestNotes:
    @pytest.fixture
    def deep(self, parts: Path) -> Path:
        for number in range(5):
            Image.new("I;16", (48, 40), 50000).save(parts / f"deep{number}.png")
        pages = [Image.new("RGB", (48, 40)) for _ in range(2)]
        pages[0].save(parts / "pages.tif", save_all=True, append_images=pages[1:])
        return parts

    def test_they_are_said_and_stand_in_the_line_and_many_of_a_kind_are_counted(
        self, detect: Detect, deep: Path, tmp_path: Path
    ) -> None:
        done = detect(deep, "--out", tmp_path / "out")
        assert done.code == 0
        *notes, rest, summary = done.err.splitlines()
        note = "16-bit values reduced to their high byte"
        assert notes == [
            *(f"{deep}/deep{number}.png: {note}" for number in range(3)),
            f"{deep}/pages.tif: the first of several images in the file",
        ]
        assert rest == f"the same of 2 images more: {note}"
        assert summary.startswith("9 images")
        lines = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
        assert [line.get("note") for line in lines][3:] == [*[note] * 5, "the first of several images in the file"]

    def test_verbose_says_all_of_them(self, detect: Detect, deep: Path) -> None:
        done = detect(deep, "-v")
        assert done.err.count("16-bit values reduced to their high byte") == 5
        assert "the same of" not in done.err

    def test_those_of_references_too(self, detect: Detect, parts: Path, deep: Path) -> None:
        done = detect(parts / "0.png", "--reference", deep / "pages.tif", "--threshold", 0.5)
        note, _ = done.err.splitlines()
        assert note == f"{deep}/pages.tif: the first of several images in the file"


REFUSED = {
    "parts --method nope": "there is no method 'nope': choose one of winclip",
    "parts --model nope": "there is no model 'nope': give a name that 'oddlens models' lists, ",
    "parts --set nonsense=1": "WinCLIPRecipe has no field 'nonsense': its fields are image_size, ",
    "parts --set image_size=big": "the recipe field image_size cannot be 'big': give a whole number above 0",
    "parts --set image_size=30000": "the recipe field image_size cannot be 30000: give at most 4096",
    "parts --set temperature=1e-300": "the recipe field temperature cannot be 1e-300: give at least 1e-09",
    "parts --set temperature=NaN": "the recipe field temperature cannot be 'NaN': give a number above 0",
    "parts --set image_size": "--set 'image_size' is not of the form field=value",
    "parts --set =1": "--set '=1' is not of the form field=value",
    "parts --device tpu": "the device 'tpu' cannot be used here",
    "parts --method april-gan --weights none.pth": "the weights file none.pth does not exist",
    "parts --object ' '": "the object name is empty",
    "parts --threshold nan": "--threshold nan is no threshold: give a finite number",
    "parts --threshold ,inf": "--threshold inf is no threshold: give a finite number",
    "parts --threshold high": "--threshold high is no threshold: give a finite number",
    "parts --threshold 1,2,3": "--threshold '1,2,3' is not of the form SCORE[,PIXEL]",
    "parts --threshold ,": "--threshold ',' is not of the form SCORE[,PIXEL]",
    "parts --threshold 1 --threshold 2": "--threshold is given more than once: give it one value",
    "parts --write overlay": "--write 'overlay' is not known, did you mean 'overlays'? Choose one of overlays, maps, masks",
    "parts --write maps,nothing,pictures": "--write 'pictures' is not known: choose one of overlays",
    "parts --set max_megapixels=many": "max_megapixels cannot be 'many': give a number",
    "parts --set smooth=true": "smooth cannot be True: give a number",
    "parts --reference empty": "the folder empty holds no image",
    "parts --reference nowhere": "nowhere does not exist: check the path",
    "parts --resume": "--resume and --overwrite need --out",
    "parts --overwrite": "--resume and --overwrite need --out",
    "parts --out out --resume --overwrite": "contradict each other",
    "parts --out file": "file is a file: give the name of a folder",
    "parts --out nowhere-link": "nowhere-link is a link to a folder that does not exist: make that folder",
    f"parts --out {'n' * 300}": "is no possible file name: check the path",
    f"parts --model {'n' * 300}": "is no possible file name: check the path",
    "parts --model ~nosuchuser/x": "there is no model '~nosuchuser/x'",
    f"parts --method april-gan --weights {'n' * 300}.pth": "is no possible file name: check the path",
    f"parts --reference {'n' * 300}": "is no possible file name: check the path",
    f"parts --set window_sizes={'[' * 3000}": "the recipe field window_sizes cannot be",
    "parts --station empty": "empty is not a station (no station.json in it)",
    "parts --station empty --reference parts": "--station brings method, model, weights, references",
    "nowhere": "nowhere does not exist: check the path",
    "empty": "the folder empty holds no image",
    "'*.bmp'": "no image matches the pattern *.bmp",
    "''": "an empty name is among the images",
}


class TestBeforeTheFirstImage:
    """What cannot be used makes the call wrong, code 2: no image was looked at."""

    def refused(self, *arguments: object) -> str:
        done = run("detect", *arguments, "--device", "cpu")
        assert done.code == 2
        return done.sentence

    def test_a_reference_that_cannot_be_read(self, open_clip_folder: Path, parts: Path, tmp_path: Path) -> None:
        (tmp_path / "torn.png").write_bytes(b"no image")
        said = self.refused(parts, "--model", open_clip_folder, "--reference", tmp_path / "torn.png")
        assert said.startswith(f"{tmp_path}/torn.png ")

    @pytest.fixture
    def station(self, open_clip_folder: Path, parts: Path, tmp_path: Path) -> Path:
        oddlens.load("winclip", open_clip_folder, device="cpu").add_references(parts).save(tmp_path / "station")
        return tmp_path / "station"

    def test_a_damaged_station(self, station: Path, parts: Path) -> None:
        (file,) = (station / "files").glob("*.safetensors")
        file.write_bytes(b"torn")
        assert f"{file.name} is damaged" in self.refused(parts, "--station", station)

    def test_a_station_with_another_model(self, station: Path, parts: Path) -> None:
        file = station / "station.json"
        changes = {"model_sha256": "0" * 64, "references": None, "reference_count": 0}
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
        assert "was made with another version of the model" in self.refused(parts, "--station", station)

    def test_a_model_that_is_no_model(self, parts: Path, tmp_path: Path) -> None:
        (tmp_path / "clip.pt").write_bytes(b"torn")
        assert "clip.pt is damaged" in self.refused(parts, "--model", tmp_path / "clip.pt")


class TestCallsThatAreRefused:
    @pytest.mark.parametrize(("arguments", "said"), REFUSED.items(), ids=REFUSED)
    def test_in_one_sentence_with_code_2_and_nothing_written(
        self,
        open_clip_folder: Path,
        parts: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        arguments: str,
        said: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "empty").mkdir()
        (tmp_path / "file").touch()
        (tmp_path / "nowhere-link").symlink_to("away")
        given = shlex.split(arguments)
        model = [] if {"--model", "--station"} & set(given) else ["--model", open_clip_folder]
        out = [] if {"--out", "--resume", "--overwrite"} & set(given) else ["--out", "out"]
        done = run("detect", *given, *model, *out)
        assert done.code == 2
        assert said in done.sentence
        assert not (tmp_path / "out").exists()
        assert not (tmp_path / "away").exists()

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [(["--nonsense"], "--nonsense"), (["a.png", "--every", "0"], "--every"), (["--json"], "IMAGES")],
    )
    def test_options_that_do_not_exist_or_fit(self, arguments: list[str], said: str) -> None:
        done = run("detect", *arguments)
        assert done.code == 2
        assert done.out == ""
        assert said in done.err.splitlines()[-1]
        assert "Traceback" not in done.err

    def test_a_folder_that_may_not_be_listed(
        self, detect: Detect, parts: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(path: str) -> None:
            raise PermissionError(13, "Permission denied", os.fspath(path))

        monkeypatch.setattr(os, "scandir", refuse)
        done = detect(parts)
        assert done.code == 2
        assert done.sentence == (
            f"the folder {parts} cannot be listed (Permission denied): change its permissions or leave it out"
        )

    def test_a_model_that_is_not_here_names_the_command_that_fetches_it(self, parts: Path) -> None:
        done = run("detect", parts, "--model", "openai-vit-b-32")
        assert done.code == 2
        assert "run 'oddlens models fetch openai-vit-b-32' on a connected machine" in done.sentence


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
