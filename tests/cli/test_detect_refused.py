"""Calls of `oddlens detect` that are refused, broken images, and notes on images."""

import json
import os
import shlex
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.detector import Detector
from oddlens.methods.base import Scores
from oddlens.methods.winclip.method import WinCLIP
from tests.cli.program import Done, run

Detect = Callable[..., Done]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 60000 x 60000 pixels."""
    header = (60000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + len(header).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) + b"\0\0\0\0IDAT"


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
