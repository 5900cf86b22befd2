"""`oddlens detect` with methods that see by words: what is known, what is unknown, and what counts as one."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.program import Done, run

Detect = Callable[..., Done]


def recipe(out: Path) -> dict[str, object]:
    told: dict[str, object] = json.loads((out / "run.json").read_text())["run"]["recipe"]
    return told


def test_words_are_fields_of_the_recipe_and_reported_beside_the_results(
    detect: Detect, parts: Path, tmp_path: Path
) -> None:
    words = ("--classes", "cityscapes-strict", "--ood", "caravan, dog,cardboard  box", "--merge", "soft8")
    done = detect(parts, "--method", "vl4ad", *words, "--out", tmp_path / "out")
    assert done.code == 0
    told = recipe(tmp_path / "out")
    assert (told["classes"], told["ood"], told["merge"]) == (
        "cityscapes-strict",
        ["caravan", "dog", "cardboard box"],
        "soft8",
    )
    assert len(list((tmp_path / "out" / "overlays").iterdir())) == 3


def test_the_known_classes_are_written_as_pictures_of_numbers_with_their_shares_beside(
    detect: Detect, parts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    detect(parts, "--method", "vl4ad", "--classes", "camvid", "--out", out)
    for line in (out / "results.jsonl").read_text().splitlines():
        record = json.loads(line)
        with Image.open(out / record["labels"]) as image:
            assert image.mode == "P"
            assert list(image.size) == record["image_size"]
            numbers = np.asarray(image)
        assert len(record["classes"]) == 11
        assert sum(record["classes"].values()) == pytest.approx(1, abs=1e-3)
        assert set(np.unique(numbers)) <= {n for n, share in enumerate(record["classes"].values()) if share > 0}
    detect(parts, "--method", "vl4ad", "--out", out, "--overwrite", "--write", "overlays,maps")
    assert list((out / "labels").iterdir()) == []
    assert "labels" not in json.loads((out / "results.jsonl").read_text().splitlines()[0])


def test_a_run_goes_on_with_the_same_words_only(detect: Detect, parts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    detect(parts, "--method", "vl4ad", "--ood", "dog", "--out", out)
    assert detect(parts, "--method", "vl4ad", "--ood", "dog", "--out", out, "--resume").code == 0
    done = detect(parts, "--method", "vl4ad", "--ood", "cat", "--out", out, "--resume")
    assert done.code == 2
    assert "holds results of other settings (recipe ood)" in done.sentence


def test_words_of_ones_own_come_from_a_file(detect: Detect, parts: Path, tmp_path: Path) -> None:
    (tmp_path / "words.toml").write_text('ood = ["dog"]\n[classes]\nroad = ["road", "lane"]\nsky = ["sky"]\n')
    words = ("--classes", tmp_path / "words.toml", "--ood", tmp_path / "words.toml")
    done = detect(parts, "--method", "vl4ad", *words, "--out", tmp_path / "out")
    assert done.code == 0
    told = recipe(tmp_path / "out")
    assert told["classes"] == {"road": ["road", "lane"], "sky": ["sky"]}
    assert told["ood"] == ["dog"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--ood", "dog, car"), "'car' is given as unknown and belongs to the known class 'car'"),
        (("--classes", "streets"), "classes 'streets' is no list of ours: give one of cityscapes"),
        (("--merge", "camvid6"), "the merge names the class 'pavement', which is not known"),
        (("--ood", "nowhere.json"), "nowhere.json cannot be read as text"),
        (("--reference", "."), "vl4ad takes no good examples"),
    ],
)
def test_what_cannot_be_is_one_sentence(detect: Detect, parts: Path, words: tuple[str, ...], sentence: str) -> None:
    words = tuple(str(parts) if word == "." else word for word in words)
    done = detect(parts, "--method", "vl4ad", *words)
    assert done.code == 2
    assert done.sentence.startswith(sentence)


@pytest.mark.parametrize("option", ["classes", "ood", "merge"])
def test_a_method_that_sees_by_no_words_refuses(detect: Detect, parts: Path, option: str) -> None:
    done = detect(parts, f"--{option}", "cityscapes")
    assert done.code == 2
    assert done.sentence == f"--{option} is an option of vl4ad, not of winclip: leave it out, or add --method vl4ad"


@pytest.mark.needs_torch
def test_the_report_says_it_too_where_maps_mean_nothing(parts: Path, tmp_path: Path) -> None:
    assert run("detect", parts, "--method", "vl4ad", "--set", "short_side=64", "--out", tmp_path / "road").code == 0
    assert "its maps of streets mean nothing" in (tmp_path / "road" / "report.html").read_text()
    assert run("detect", parts, "--out", tmp_path / "parts").code == 0
    assert "mean nothing" not in (tmp_path / "parts" / "report.html").read_text()


@pytest.mark.needs_torch
def test_every_road_sample_runs_with_the_embedded_model(shared: Path, tmp_path: Path) -> None:
    """Real frames of four sizes; the embedded model knows no street, so nothing is asked of the maps but that they are there."""
    frames = sorted((shared / "data" / "road_ood_samples" / "road").glob("t*/*/*.*"))
    assert len(frames) == 11
    words = ("--method", "vl4ad", "--ood", "default", "--merge", "cityscapes7", "--set", "short_side=224")
    done = run(
        "detect", *frames, *words, "--set", "overlap=0", "--out", tmp_path / "out", "--json", "--write", "maps,labels"
    )
    assert done.code == 0
    assert [record["path"] for record in done.records] == [str(frame) for frame in frames]
    assert all(-1 <= record["score"] <= 0 for record in done.records)
    assert len(list((tmp_path / "out" / "maps").iterdir())) == 11
