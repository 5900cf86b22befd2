"""Results as COCO's annotations, read back by its own library and as a data set of ours."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from oddlens.data import check_dataset, open_dataset
from oddlens.data.masks import read_mask
from oddlens.errors import UsageError
from oddlens.inference.kept_images import KeptResults
from oddlens.inference.tools.coco import Coco
from tests.inference.tools.conftest import make_results, mask_of


def give(results: Path, to: Path, *, copies: bool = True) -> tuple[str, ...]:
    return Coco(copies).give(KeptResults(results), to, lambda *_: None).said


def test_pycocotools_finds_the_pixels_that_the_run_marked(results: Path, tmp_path: Path) -> None:
    coco_module = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    assert give(results, tmp_path / "coco") == ("1 image has no result and is left out",)
    with contextlib.redirect_stdout(io.StringIO()):
        read = coco_module.COCO(str(tmp_path / "coco" / "annotations" / "instances_default.json"))
    assert [each["file_name"] for each in read.loadImgs(read.getImgIds())] == ["bright.png", "bright2.jpg", "dark.png"]
    for image in read.loadImgs(read.getImgIds()):
        drawn = read.loadAnns(read.getAnnIds(imgIds=[image["id"]]))
        marked = np.zeros((image["height"], image["width"]), np.bool_)
        for each in drawn:
            one = read.annToMask(each) > 0
            rows, columns = np.flatnonzero(one.any(1)), np.flatnonzero(one.any(0))
            assert each["bbox"] == [columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert each["area"] == one.sum()
            assert not (marked & one).any()
            marked |= one
        name = Path(image["file_name"]).stem
        assert np.array_equal(marked, mask_of(results, name))
        assert len(drawn) == (0 if name == "dark" else 2)


@pytest.mark.parametrize("copies", [True, False])
def test_it_is_a_data_set_of_ours(results: Path, tmp_path: Path, copies: bool) -> None:
    give(results, tmp_path / "coco", copies=copies)
    dataset = open_dataset(tmp_path / "coco")
    assert dataset.layout == "coco"
    loose = [] if copies else [tmp_path / "parts" / "broken.png"]  # it lies beside the others, and had no result
    assert [problem.path for problem in check_dataset(dataset).problems] == loose
    assert {each.image.stem: each.label for each in dataset} == {"bright": 1, "bright2": 1, "dark": 0}
    for each in dataset:
        if each.mask is not None:
            found = read_mask(each, (40, 48))
            assert np.array_equal(found, mask_of(results, each.image.stem))


def test_names_of_regions_become_categories(results: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (results / "results.jsonl").read_text().splitlines()]
    for line in lines:
        if len(line.get("regions", [])) == 2:
            line["regions"][0]["names"] = [["scratch", 0.8], ["unknown", 0.2]]
            line["regions"][1]["names"] = [["unknown", 1.0]]
    (results / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    give(results, tmp_path / "coco")
    content = json.loads((tmp_path / "coco" / "annotations" / "instances_default.json").read_text())
    names = {each["id"]: each["name"] for each in content["categories"]}
    assert [names[each["category_id"]] for each in content["annotations"]] == ["scratch", "defect"] * 2


def test_without_maps_regions_are_boxes_and_that_is_said(results: Path, tmp_path: Path) -> None:
    for path in (results / "maps").iterdir():
        path.unlink()
    assert "4 regions are given as a box" in give(results, tmp_path / "coco")[-1]
    content = json.loads((tmp_path / "coco" / "annotations" / "instances_default.json").read_text())
    x, y, width, height = content["annotations"][0]["bbox"]
    assert content["annotations"][0]["segmentation"] == [
        [x, y, x + width, y, x + width, y + height, x, y + height],
    ]


def test_a_bad_image_without_regions_is_no_good_one(tmp_path: Path) -> None:
    from oddlens.detection import Thresholds

    results = make_results(tmp_path, Thresholds(0.5))
    assert any(
        "2 images that are not called OK and without a region are left out" in each
        for each in give(results, tmp_path / "coco")
    )
    assert [each.image.stem for each in open_dataset(tmp_path / "coco")] == ["dark"]
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match=r"3 images that are not called OK"):
        give(make_results(tmp_path / "other", Thresholds()), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_an_image_that_changed_is_left_out(results: Path, tmp_path: Path) -> None:
    (tmp_path / "parts" / "bright.png").write_bytes((tmp_path / "parts" / "dark.png").read_bytes() + b"\0")
    assert "1 image has changed since or is gone" in give(results, tmp_path / "coco")[1]


def test_a_folder_that_is_there_stays_as_it_is(results: Path, tmp_path: Path) -> None:
    (tmp_path / "coco").mkdir()
    with pytest.raises(UsageError, match=r"coco exists: give a new folder"):
        give(results, tmp_path / "coco")


def test_a_copy_that_fails_leaves_nothing(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", fail)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(Exception, match=r"coco cannot be written \(No space left on device\)"):
        give(results, tmp_path / "coco")
    assert sorted(tmp_path.iterdir()) == before
