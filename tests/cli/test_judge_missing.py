"""`oddlens judge` where something of the results is missing: a map, an image, a line, `run.json`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oddlens.errors import OddlensError
from oddlens.inference import judge as judging
from tests.cli.judged import assert_same_folders, five_good_images, lines_of, run_of, scores_of, ten_images
from tests.cli.program import Done, run
from tests.noise import write_picture

Detect = Callable[..., Done]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return ten_images(tmp_path / "in")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return five_good_images(tmp_path / "good")


class TestWhatIsMissing:
    @pytest.mark.parametrize("damage", ["empty", "cut", "another size", "a picture"])
    def test_a_damaged_map_is_a_missing_one(self, detect: Detect, images: Path, tmp_path: Path, damage: str) -> None:
        out = tmp_path / "out"
        detect(images, "--threshold", "0,0.5", "--out", out)
        lost = next(line for line in lines_of(out) if "map" in line)
        path = out / lost["map"]
        data = bytearray(path.read_bytes())
        if damage == "another size":
            width = data.index(b"\x00\x01\x04\x00") if b"\x00\x01\x04\x00" in data else 30
            data[width + 8 : width + 12] = b"\xff\xff\xff\x00"
            path.write_bytes(data)
        elif damage == "a picture":
            write_picture(path)
        else:
            path.write_bytes(data[: len(data) // 2] if damage == "cut" else b"")
        done = run("judge", out, "--threshold", "0.1,0.45")
        assert done.code == 0
        assert (
            "1 image has no whole map: its verdict follows the score, and its regions stay as they were\n" in done.err
        )
        assert "1 image has no whole map: its overlay cannot be drawn again and is removed\n" in done.err
        assert "Warning" not in done.err
        (line,) = [line for line in lines_of(out) if line["path"] == lost["path"]]
        assert not {"overlay", "mask"} & set(line)
        assert not (out / lost["overlay"]).exists()
        assert not (out / lost["mask"]).exists()

    def test_lines_name_no_drawing_that_could_not_be_made(
        self, detect: Detect, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        out = tmp_path / "out"
        detect(images, "--threshold", "0,0.5", "--out", out)
        draw = judging.write_drawing

        def fail(kind: str, path: Path, *rest: Any) -> None:
            if path.stem in ("1", "2"):
                raise OddlensError(f"{path} cannot be drawn: try again")
            draw(kind, path, *rest)

        monkeypatch.setattr(judging, "write_drawing", fail)
        done = run("judge", out, "--threshold", "0.1,0.45")
        assert done.code == 1
        assert "2 images could not be drawn again: " in done.err  # of each an overlay and a mask
        for line in lines_of(out):
            named = [line[name] for name in ("overlay", "mask") if name in line]
            assert bool(named) == (Path(line["path"]).stem not in ("1", "2", "4"))
            assert all((out / each).exists() for each in named)
        assert "overlays/1.png" not in (out / "results.csv").read_text()
        assert run("judge", out, "--threshold", "0.1,0.45").code == 1
        monkeypatch.undo()
        assert run("judge", out, "--threshold", "0.1,0.45").code == 0

    def test_without_its_run_json_it_cannot_be_judged(self, detect: Detect, images: Path, tmp_path: Path) -> None:
        detect(images, "--out", tmp_path / "out")
        (tmp_path / "out" / "run.json").unlink()
        done = run("judge", tmp_path / "out", "--threshold", 0.4)
        assert done.code == 2
        assert done.sentence.endswith(
            "is missing or damaged: run 'oddlens detect' again, with --overwrite or another --out"
        )

    def test_an_image_without_a_map_keeps_its_regions_and_this_is_said(
        self, detect: Detect, images: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        detect(images, "--threshold", "0,0.5", "--out", out)
        before = {line["path"]: line for line in lines_of(out)}
        lost = next(line for line in before.values() if "map" in line)
        (out / lost["map"]).unlink()
        done = run("judge", out, "--threshold", "0.1,0.45")
        assert done.code == 0
        assert "1 image has no whole map: its verdict follows the score, and its regions stay as they were" in done.err
        assert "1 image has no whole map: its overlay cannot be drawn again and is removed" in done.err
        line = next(line for line in lines_of(out) if line["path"] == lost["path"])
        assert (line["regions"], line["pixel_threshold"], line["threshold"]) == (lost["regions"], 0.5, 0.1)
        assert "overlay" not in line
        assert not (out / lost["overlay"]).exists()

    def test_an_image_that_is_gone_loses_its_overlay_and_keeps_the_rest(
        self, detect: Detect, images: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        detect(images, "--threshold", "0,0.5", "--out", out)
        (images / "1.png").unlink()
        done = run("judge", out, "--threshold", "0.1,0.45")
        assert "1 image changed or is gone: its overlay cannot be drawn again" in done.err
        line = next(line for line in lines_of(out) if line["path"].endswith("1.png"))
        assert line["pixel_threshold"] == 0.45
        assert "mask" in line
        assert not (out / "overlays" / "1.png").exists()

    def test_what_is_not_drawn_again_is_removed(self, detect: Detect, images: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        detect(images, "--threshold", "0,0.5", "--out", out)
        detect(images, "--threshold", "0.3,0.4", "--out", tmp_path / "plain", "--write", "maps,labels,previews")
        assert run("judge", out, "--threshold", "0.3,0.4", "--write", "nothing").code == 0
        assert_same_folders(out, tmp_path / "plain")
        assert run("judge", out, "--threshold", "0.3,0.4", "--write", "overlays,masks").code == 0
        detect(images, "--threshold", "0.3,0.4", "--out", tmp_path / "drawn")
        assert_same_folders(out, tmp_path / "drawn")

    def test_results_without_maps_have_their_verdicts_judged(
        self, detect: Detect, images: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        detect(images, "--out", out, "--write", "nothing")
        middle = scores_of(out)[4]
        assert run("judge", out, "--threshold", middle).code == 0
        assert sum(line.get("verdict") == "ng" for line in lines_of(out)) == 4

    def test_results_of_an_earlier_version(self, detect: Detect, images: Path, good: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        detect(images, "--reference", good, "--out", out)
        document = run_of(out)
        (out / "run.json").write_text(json.dumps({name: each for name, each in document.items() if name != "basis"}))
        assert "give both thresholds" in run("judge", out, "--threshold", 0.3).sentence
        assert "did not say how maps are coloured" in run("judge", out, "--threshold", "0.3,0.4").sentence
        assert run("judge", out, "--threshold", "0.3,0.4", "--write", "masks").code == 0
        detect(
            images,
            "--reference",
            good,
            "--threshold",
            "0.3,0.4",
            "--write",
            "maps,masks,labels,previews",
            "--out",
            tmp_path / "two",
        )
        assert lines_of(out) == lines_of(tmp_path / "two")


def test_lines_that_cannot_be_read_are_counted(detect: Detect, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    detect(images, "--out", out)
    lines = (out / "results.jsonl").read_bytes().splitlines(keepends=True)
    (out / "results.jsonl").write_bytes(b"".join([b"{torn\n", *lines[1:]]))
    done = run("judge", out, "--threshold", 0.5, "--write", "nothing")
    assert done.code == 0
    assert "1 line of results.jsonl could not be read and went, with what was drawn of it" in done.err
    assert len(lines_of(out)) == len(lines) - 1
