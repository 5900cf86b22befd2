"""A station keeps where to look and how large a pixel is."""

import json
from pathlib import Path

import numpy as np
import pytest

import oddlens
from oddlens.detection import Marking, RegionOfInterest
from oddlens.detection.region_of_interest import MaskRuns
from oddlens.detector import Detector
from oddlens.errors import ModelError, UsageError
from tests.detector.conftest import Pictures

REGIONS = (
    RegionOfInterest(include=(((0, 0), (0.5, 0), (0.5, 1), (0, 1)),)),
    RegionOfInterest(mask=MaskRuns.of(np.eye(4, dtype=bool))),
)


@pytest.fixture
def detector(open_clip_folder: Path, pictures: Pictures) -> Detector:
    return oddlens.load("winclip", model=open_clip_folder, device="cpu").add_references(pictures[:3])


@pytest.mark.parametrize("region", REGIONS)
def test_it_detects_the_same(detector: Detector, pictures: Pictures, region: RegionOfInterest, tmp_path: Path) -> None:
    detector.roi, detector.marking = region, Marking(min_area=4, mm_per_pixel=0.5)
    detector.calibrate(pictures[3:6])
    detector.save(tmp_path / "station")
    opened = oddlens.open_station(tmp_path / "station", device="cpu")
    assert (opened.roi, opened.marking) == (detector.roi, detector.marking)
    assert (opened.identity.roi, opened.identity.marking) == (detector.identity.roi, detector.identity.marking)
    for one, other in zip(detector.detect(pictures[6:8]), opened.detect(pictures[6:8]), strict=True):
        assert one.to_dict() == other.to_dict()


def test_a_region_that_was_edited_is_noticed(detector: Detector, pictures: Pictures, tmp_path: Path) -> None:
    detector.roi = REGIONS[0]
    detector.calibrate(pictures[3:6])
    detector.save(tmp_path / "station")
    place = tmp_path / "station" / "station.json"
    document = json.loads(place.read_text())
    document["roi"]["include"][0][1][0] = 0.75
    place.write_text(json.dumps(document))
    with pytest.raises(ModelError, match="was edited"):
        oddlens.open_station(tmp_path / "station", device="cpu")
    document["roi"] = {"include": 3}
    place.write_text(json.dumps(document))
    with pytest.raises(UsageError, match="is damaged"):
        oddlens.open_station(tmp_path / "station", device="cpu")
