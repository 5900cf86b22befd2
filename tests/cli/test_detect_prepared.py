"""`oddlens detect --tiles`, `--overlap` and `--fit`: images that are large, or not square."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from tests.cli.program import Done

Detect = Callable[..., Done]


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Five images of 120 x 70 pixels."""
    rng = np.random.default_rng(4)
    (tmp_path / "wide").mkdir()
    for number in range(5):
        Image.fromarray(rng.integers(0, 256, (70, 120, 3), np.uint8)).save(tmp_path / "wide" / f"{number}.png")
    return tmp_path / "wide"


def test_what_it_finds_is_what_python_finds(detect: Detect, wide: Path, open_clip_folder: Path) -> None:
    detector = oddlens.load("winclip", open_clip_folder, device="cpu", tiles="2x1", overlap=0.3, fit="pad")
    detector.add_references([wide / "0.png", wide / "1.png"])
    records = detect(
        wide, "--reference", wide / "0.png", "--reference", wide / "1.png", "--tiles", "2x1", "--overlap", "0.3", "--fit", "pad",
        "--json",
    ).records  # fmt: skip
    assert [each["score"] for each in records] == [each.score for each in detector.detect(wide)]


def test_a_run_says_how_it_cut_and_goes_on_only_so(detect: Detect, wide: Path, tmp_path: Path) -> None:
    assert detect(wide, "--tiles", "2x2", "--out", tmp_path / "out").code == 0
    run = json.loads((tmp_path / "out" / "run.json").read_text())["run"]
    assert run["preparation"] == {"tiles": "2x2", "overlap": 0.2, "fit": "squash"}
    line = json.loads((tmp_path / "out" / "results.jsonl").read_text().splitlines()[0])
    with Image.open(tmp_path / "out" / line["map"]) as image:
        assert image.size == (72, 70)  # 40 values a tile at 67 x 39 pixels, and no more than the image has
    assert detect(wide, "--tiles", "2x2", "--out", tmp_path / "out", "--resume").code == 0
    done = detect(wide, "--out", tmp_path / "out", "--resume")
    assert done.code == 2
    assert "holds results of other settings (preparation)" in done.sentence


def test_a_setting_does_what_the_option_does_and_may_not_contradict_it(detect: Detect, wide: Path) -> None:
    """`--set fit=pad` was lost where no option stood beside it."""
    by_option, by_setting, plain = (
        [each["score"] for each in detect(wide, "--json", *words).records]
        for words in (["--fit", "pad", "--tiles", "2x1"], ["--set", "fit=pad", "--set", "tiles=2x1"], [])
    )
    assert by_option == by_setting != plain
    for words in (["--set", "fit=pad", "--fit", "crop"], ["--set", "tiles=2x1", "--tiles", "3x1"]):
        done = detect(wide, *words)
        assert done.code == 2
        assert "is given more than once: give it one value" in done.sentence


def test_what_is_not_looked_at_is_said(detect: Detect, wide: Path) -> None:
    done = detect(wide, "--fit", "crop")
    notes = [line for line in done.err.splitlines() if "fit crop" in line]
    assert notes[0].endswith("0.png: only its centre of 70 x 70 pixels was looked at (fit crop)")
    assert notes[-1] == "the same of 2 images more: only its centre of 70 x 70 pixels was looked at (fit crop)"


def test_a_method_that_cuts_images_itself_says_so(detect: Detect, wide: Path) -> None:
    done = detect(wide, "--method", "vl4ad", "--tiles", "2x2")
    assert done.code == 2
    assert done.sentence == (
        "with this recipe vl4ad takes images whole and cuts them itself: leave tiles, overlap and fit out"
    )
