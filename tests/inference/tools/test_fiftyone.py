"""Results as FiftyOne's folder, read back by its own importer, which needs no database for this form."""

from __future__ import annotations

import base64
import io
import json
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from oddlens.errors import UsageError
from oddlens.inference.kept_images import KeptResults
from oddlens.inference.tools.fiftyone import FiftyOne, _shares
from tests.fiftyone_database import called, needs_database, told
from tests.inference.tools.conftest import make_results, mask_of


def give(results: Path, to: Path, *, copies: bool = True) -> tuple[str, ...]:
    return FiftyOne(copies).give(KeptResults(results), to, lambda *_: None).said


def samples_of(folder: Path) -> list[dict]:
    return json.loads((folder / "samples.json").read_text())["samples"]


def test_regions_have_the_pixels_that_the_run_marked(results: Path, tmp_path: Path) -> None:
    assert give(results, tmp_path / "fo") == ("1 image has no result and is left out",)
    found = samples_of(tmp_path / "fo")
    assert [each["verdict"]["label"] for each in found] == ["ng", "ng", "ok"]
    for sample in found:
        marked = np.zeros((40, 48), np.bool_)
        for each in sample["regions"]["detections"]:
            x, y, width, height = np.multiply(each["bounding_box"], (48, 40, 48, 40)).round().astype(int)
            packed = zlib.decompress(base64.b64decode(each["mask"]["$binary"]["base64"]))
            marked[y : y + height, x : x + width] |= np.load(io.BytesIO(packed))
        assert np.array_equal(marked, mask_of(results, Path(sample["filepath"]).stem))


def test_maps_are_on_one_scale_that_names_itself(results: Path, tmp_path: Path) -> None:
    give(results, tmp_path / "fo")
    info = json.loads((tmp_path / "fo" / "metadata.json").read_text())["info"]
    low, high = info["map"]["low"], info["map"]["high"]
    for sample in samples_of(tmp_path / "fo"):
        steps = cv2.imread(str(tmp_path / "fo" / sample["map"]["map_path"]), cv2.IMREAD_UNCHANGED)
        assert steps.dtype == np.uint8
        raw = np.asarray(Image.open(results / "maps" / f"{Path(sample['filepath']).stem}.tiff"))
        assert np.abs(low + steps / 255 * (high - low) - np.clip(raw, low, high)).max() <= (high - low) / 255
        assert sample["map"]["range"] == [0, 255]


def test_without_thresholds_there_is_neither_a_verdict_nor_a_region(tmp_path: Path) -> None:
    from oddlens.detection import Thresholds

    give(make_results(tmp_path, Thresholds()), tmp_path / "fo", copies=False)
    for sample in samples_of(tmp_path / "fo"):
        assert not {"verdict", "regions"} & sample.keys()
        assert Path(sample["filepath"]).is_file()


def test_the_package_is_only_needed_for_a_data_set(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fiftyone", None)
    with pytest.raises(UsageError, match=r"needs fiftyone: pip install 'oddlens\[fiftyone\]'"):
        FiftyOne(dataset="line").give(KeptResults(results), tmp_path / "fo", lambda *_: None)
    assert not (tmp_path / "fo").exists()
    give(results, tmp_path / "fo")


def test_fiftyone_reads_it(results: Path, tmp_path: Path) -> None:
    importers = pytest.importorskip("fiftyone.utils.data.importers", reason="FiftyOne is not installed")
    give(results, tmp_path / "fo")
    importer = importers.FiftyOneDatasetImporter(str(tmp_path / "fo"))
    assert importer._is_legacy_format_data()  # what `fiftyone.Dataset.from_dir` asks before it takes the other importer
    raw = {path.stem: np.asarray(Image.open(path)) for path in (results / "maps").iterdir()}
    with importer._to_legacy_importer() as read:
        assert set(read.get_sample_field_schema()) >= {"score", "verdict", "regions", "map"}
        assert read.get_dataset_info()["run"]["method"] == "stub"
        samples = list(read)
    assert [Path(each.filepath).name for each in samples] == ["bright.png", "bright2.jpg", "dark.png"]
    for each in samples:
        stem = Path(each.filepath).stem
        assert Path(each.filepath).is_file()
        assert (each["metadata"].width, each["metadata"].height) == (48, 40)
        marked = np.zeros((40, 48), np.bool_)
        for region in each["regions"].detections:
            whole = region.to_segmentation(frame_size=(48, 40), target=255)
            marked |= whole.mask > 0
        assert np.array_equal(marked, mask_of(results, stem))
        assert np.abs(each["map"].get_map() / 255 - np.clip(raw[stem], 0, 0.9) / 0.9).max() <= 1 / 255


READ_BACK = """
import json, sys
from pathlib import Path
import fiftyone
from oddlens.errors import UsageError
from oddlens.inference.kept_images import KeptResults
from oddlens.inference.tools.fiftyone import FiftyOne

name, results = sys.argv[1:]
dataset = fiftyone.load_dataset(name)
try:
    FiftyOne(dataset=name).give(KeptResults(Path(results)), Path(results) / "again", lambda *_: None)
except UsageError as error:
    refused = str(error)
samples = {
    sample.filename: {
        "verdict": sample.verdict.label,
        "score": sample.score,
        "size": [sample.metadata.width, sample.metadata.height],
        "pixels": sum(int(region.mask.sum()) for region in sample.regions.detections),
        "peaks": [region.confidence for region in sample.regions.detections],
        "hottest": sample.map.get_map().max().item(),
    }
    for sample in dataset
}
print(json.dumps([dataset.persistent, dataset.info["run"]["method"], refused, samples]))
"""


@needs_database
def test_a_data_set_is_there_for_another_process(results: Path, tmp_path: Path) -> None:
    words = ("results", "fiftyone", results, "--to", tmp_path / "fo", "--dataset", "line", "--json")
    done = called(tmp_path, "-m", "oddlens", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["place"] == f"{tmp_path / 'fo'}, FiftyOne's data set line"  # FiftyOne prints, too
    persistent, method, refused, samples = told(tmp_path, READ_BACK, "line", results)
    assert (persistent, method) == (True, "stub")
    assert refused == "FiftyOne has a data set line: give another --dataset"
    lines = [json.loads(line) for line in (results / "results.jsonl").read_text().splitlines()]
    assert samples == {
        Path(line["path"]).name: {
            "verdict": line["verdict"],
            "score": line["score"],
            "size": line["image_size"],
            "pixels": np.count_nonzero(mask_of(results, Path(line["path"]).stem)),
            "peaks": [region["peak"] for region in line["regions"]],
            "hottest": 255 if line["regions"] else 0,
        }
        for line in lines
        if "error" not in line
    }


def test_a_box_in_shares_is_the_same_pixels_where_they_are_cut_off() -> None:
    for whole in (48, 49, 224, 1000, 4032):
        for start, length in ((0, whole), (25, 3), (7, 11), (whole - 1, 1), (1, whole - 1), (29, 18)):
            first, share = _shares(start, length, whole)
            assert (int(whole * first), int(whole * (first + share))) == (start, start + length)
            assert 0 <= first + share <= 1
