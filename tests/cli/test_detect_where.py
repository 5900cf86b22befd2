"""`oddlens detect --roi`, `--min-area` and `--mm-per-pixel`: where to look, and how large a region is."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.cli.program import Done
from tests.noise import write_pictures

Detect = Callable[..., Done]

LEFT = {"include": [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]}


def test_outside_of_the_region_nothing_counts(detect: Detect, parts: Path, tmp_path: Path) -> None:
    (tmp_path / "roi.json").write_text(json.dumps(LEFT))
    options = ("--threshold", "0,0", "--out", tmp_path / "out")
    assert detect(parts, "--roi", tmp_path / "roi.json", *options).code == 0
    lines = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    for line in lines:
        width = line["image_size"][0]
        assert line["regions"]
        assert all(box[0] + box[2] <= width / 2 for box in (region["box"] for region in line["regions"]))
        with Image.open(tmp_path / "out" / line["map"]) as image:
            values = np.asarray(image)
        assert line["score"] == values.max()
        assert len(set(values[:, values.shape[1] // 2 :].ravel().tolist())) == 1
    assert json.loads((tmp_path / "out" / "run.json").read_text())["run"]["roi"] == LEFT


def test_a_picture_says_the_same_as_a_polygon(detect: Detect, parts: Path, tmp_path: Path) -> None:
    (tmp_path / "roi.json").write_text(json.dumps(LEFT))
    Image.fromarray(np.array([[255, 0]], np.uint8)).save(tmp_path / "roi.png")
    by_polygon, by_picture = (
        detect(parts, "--roi", tmp_path / name, "--threshold", "0,0", "--json").records
        for name in ("roi.json", "roi.png")
    )
    for one, other in zip(by_polygon, by_picture, strict=True):
        assert (one["score"], one["regions"]) == (other["score"], other["regions"])


def test_another_region_is_another_run(detect: Detect, parts: Path, tmp_path: Path) -> None:
    (tmp_path / "roi.json").write_text(json.dumps(LEFT))
    detect(parts, "--out", tmp_path / "out")
    done = detect(parts, "--out", tmp_path / "out", "--resume", "--roi", tmp_path / "roi.json")
    assert done.code == 2
    assert "holds results of other settings (roi)" in done.sentence


def test_small_regions_are_left_out_and_areas_are_in_square_millimetres(detect: Detect, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 3)
    found = detect(tmp_path / "in", "--threshold", "0,0.5", "--json").records
    areas = sorted(region["area"] for line in found for region in line["regions"])
    least = areas[len(areas) // 2]
    large = detect(
        tmp_path / "in", "--threshold", "0,0.5", "--json", "--mm-per-pixel", 0.5, "--min-area", f"{least / 4}mm2"
    ).records  # fmt: skip
    for one, other in zip(found, large, strict=True):
        assert one["verdict"] == other["verdict"] == "ng"
        kept = [region["area"] for region in one["regions"] if region["area"] >= least] or [one["regions"][0]["area"]]
        assert [region["area"] for region in other["regions"]] == kept
        assert [region["area_mm2"] for region in other["regions"]] == [area / 4 for area in kept]
