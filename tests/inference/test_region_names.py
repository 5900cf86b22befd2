"""Names in the records of a run."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from oddlens.detection import Detection
from oddlens.inference.region_names import RegionNamesSink
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import FolderSink
from oddlens.inference.task import Task
from oddlens.io.pixels import Pixels
from tests.inference.stub import StubPredictor
from tests.noise import write_pictures


class Numbering:
    """Names regions by the mean of the image's pixels, and counts the images that it was given."""

    seen = 0

    def named(self, detection: Detection, pixels: Pixels) -> Detection:
        self.seen += 1
        other = replace(detection)
        name = f"{pixels.mean():.3f}"
        other.__dict__["regions"] = tuple(replace(each, names=((name, 1.0),)) for each in detection.regions)
        return other

    def settings(self) -> dict[str, object]:
        return {"words": ["a", "b"]}


def test_each_record_has_the_names_of_its_own_image(tmp_path: Path) -> None:
    images = write_pictures(tmp_path / "parts", 5)
    predictor = StubPredictor()
    predictor.thresholds = replace(predictor.thresholds, image=0.4999)
    namer = Numbering()
    folder = FolderSink(ResultsFolder(tmp_path / "out"))
    found = list(run(predictor, Task("part", tuple(images)), [RegionNamesSink(namer), folder]))
    marked = [each for each in found if isinstance(each, Detection) and each.regions]
    assert 0 < len(marked) < 5
    assert namer.seen == len(marked)  # an image without a region is not looked at again
    from oddlens.io.images import read_image

    for record in map(json.loads, (tmp_path / "out" / "results.jsonl").read_text().splitlines()):
        names = {each["names"][0][0] for each in record["regions"]}
        mean = np.float64(read_image(record["path"]).pixels.mean())
        assert names == ({f"{mean:.3f}"} if record["verdict"] == "ng" else set())
    assert json.loads((tmp_path / "out" / "run.json").read_text())["run"]["defect_names"] == {"words": ["a", "b"]}
