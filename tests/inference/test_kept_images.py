"""The results that a run kept, as other programs are given them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from oddlens.detection import ValueRange
from oddlens.errors import UsageError
from oddlens.inference.judgement import Basis
from oddlens.inference.kept_images import KeptResults
from tests.inference.tools.conftest import make_results, make_results_of_latin_1, mask_of


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return make_results(tmp_path)


def change_lines(out: Path, **others: dict[str, object]) -> None:
    """Change lines of results.jsonl, by the stem of their image."""
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    lines = [line | others.get(Path(line["path"]).stem, {}) for line in lines]
    (out / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_regions_and_their_pixels_are_those_of_the_run(out: Path) -> None:
    results = KeptResults(out)
    assert [(image.name, image.verdict) for image in results.images] == [
        ("bright.png", "ng"), ("bright2.jpg", "ng"), ("dark.png", "ok"),
    ]  # fmt: skip
    for image in results.images:
        marked = list(results.marked(image))
        assert [each.region.to_dict() for each in marked] == image.record["regions"]
        masks = [each.mask for each in marked]
        assert [mask.sum() for mask in masks if mask is not None] == [each.region.area for each in marked]
        whole = np.any(masks, axis=0) if masks else np.zeros((40, 48), np.bool_)
        assert np.array_equal(whole, mask_of(out, image.path.stem))


def test_names_that_are_no_utf_8_are_spelled_so_that_other_programs_can_write_them(tmp_path: Path) -> None:
    images = KeptResults(make_results_of_latin_1(tmp_path)).images
    assert [image.path.read_bytes()[:4] for image in images] == [b"\x89PNG"] * 3
    names = [image.name for image in images]
    assert sorted(name for name in names if name.isprintable()) == ["Pr%FCfung.png", "b%E4d.png"]
    assert len(set(names)) == 3  # none takes the name that another one has


def test_what_cannot_be_given_is_said(out: Path) -> None:
    record = json.loads((out / "results.jsonl").read_text().splitlines()[0])
    place = record["file"]["path"].replace("bright.png", "clip.mp4#000003")
    change_lines(out, bright={"path": "clip.mp4#000003", "file": record["file"] | {"path": place}})
    (out.parent / "parts" / "dark.png").unlink()
    results = KeptResults(out)
    assert [image.name for image in results.images] == ["bright2.jpg"]
    assert results.said == (
        "1 image has no result and is left out",
        "1 frame of a video is no image file and is left out",
        "1 image has changed since or is gone, and is left out: 'oddlens detect --resume' runs it again",
    )
    (out.parent / "parts" / "bright2.jpg").unlink()
    with pytest.raises(UsageError, match=r"out has no image to give: 1 image has no result.*; 1 frame"):
        KeptResults(out)


def test_two_images_of_one_name_get_names_of_their_own(tmp_path: Path) -> None:
    out = make_results(tmp_path)
    change_lines(out, bright2={"path": "x"})
    (tmp_path / "parts" / "other").mkdir()
    moved = (tmp_path / "parts" / "bright2.jpg").rename(tmp_path / "parts" / "other" / "bright.png")
    file = {"path": "../parts/other/bright.png", "bytes": moved.stat().st_size, "modified": moved.stat().st_mtime}
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    for line in lines:
        if line["path"] == "x":
            line["file"] = file
    (out / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [image.name for image in KeptResults(out).images] == ["parts-bright.png", "other-bright.png", "dark.png"]


def test_results_that_are_half_judged_are_not_given(out: Path) -> None:
    document = json.loads((out / "run.json").read_text())
    document["judged"] = {"by": "a test", "is_done": False}
    (out / "run.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match=r"'oddlens judge' was stopped .*call it again"):
        KeptResults(out)


def test_all_maps_are_on_one_scale(out: Path) -> None:
    found = KeptResults(out).value_range
    assert (found.low, found.high) == (0, pytest.approx(0.9))
    basis = Basis(calibration=None, fixed_range=ValueRange(0, 2, "fixed range 0 to 2"))
    document = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps(document | {"basis": basis.to_dict()}))
    assert KeptResults(out).value_range == ValueRange(0, 2, "fixed range 0 to 2")
