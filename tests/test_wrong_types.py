"""Values of a wrong type, as a notebook gives them: each is refused in one sentence that says what to give."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import oddlens
from oddlens.data import open_dataset
from oddlens.detection import Detection, RegionOfInterest, find_regions
from oddlens.detector import Detector
from oddlens.io.preparation import Preparation

IMAGE = np.zeros((40, 50, 3), np.uint8)


@pytest.fixture(scope="module")
def loaded(open_clip_folder: Path) -> Detector:
    """Not to be changed."""
    return oddlens.load("winclip", open_clip_folder, device="cpu")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda d: d.detect(None), "images cannot be None: give a path, encoded bytes, a Pillow image, an array, or several"),
        (lambda d: d.detect(5), "images cannot be 5: give a path"),
        (lambda d: d.detect([IMAGE, 5]), "image 2 is an int: give a path, encoded bytes, a Pillow image or a numpy array"),
        (lambda d: d.detect(IMAGE, 5), "the object name cannot be 5: give a text"),
        (lambda d: d.detect(IMAGE)[0].overlay(5), "the image is an int: give a path"),
        (lambda d: d.detect(IMAGE)[0].mask("x"), "'x' is no threshold: give a finite number"),
        (lambda d: d.detect_each(5), "images cannot be 5: give a path"),
        (lambda d: d.encode(5), "images cannot be 5: give a path"),
        (lambda d: d.add_references(None), "images cannot be None: give a path"),
        (lambda d: d.calibrate(5), "images cannot be 5: give a path"),
        (lambda d: d.calibrate([IMAGE] * 3, false_alarm_rate="x"), "a false-alarm rate cannot be 'x': give a number"),
        (lambda d: d.set_thresholds("x"), "'x' is no threshold: give a finite number"),
        (lambda d: d.set_thresholds(True), "True is no threshold: give a finite number"),
        (lambda d: d.predict("x"), "encoded images cannot be 'x': give what encode() gives, or detect(images)"),
        (lambda d: d.predict(None), "encoded images cannot be None: give what encode() gives"),
        (lambda d: d.predict(IMAGE), "encoded images cannot be array("),
        (lambda d: d.predict_set("x"), "encoded images cannot be 'x': give what encode() gives"),
        (lambda d: d.with_references("x"), "references cannot be 'x': give what encode_references() gives"),
        (lambda d: setattr(d, "references", 5), "references cannot be 5: give what encode_references() gives"),
        (lambda d: setattr(d, "thresholds", 0.5), "thresholds cannot be 0.5: give Thresholds(image=0.5), for instance"),
        (lambda d: setattr(d, "preparation", "2x2"), "preparation cannot be '2x2': give Preparation.of(tiles='2x2'"),
        (lambda d: Preparation((0, 2)), "tiles cannot be (0, 2): give columns x rows"),
        (lambda d: Preparation(5), "tiles cannot be 5: give columns x rows"),
        (lambda d: Preparation((2, 2), overlap=3), "overlap cannot be 3: give the share of a tile"),
        (lambda d: Preparation(fit="stretch"), "fit cannot be 'stretch'"),
        (lambda d: RegionOfInterest(include=5), "polygons of a region of interest cannot be 5: give a list of polygons"),
        (lambda d: RegionOfInterest(ignore=((("a", 0),),)), "polygons of a region of interest cannot be ((('a', 0),),): give"),
        (lambda d: RegionOfInterest(mask=3), "the mask of a region of interest cannot be 3: give MaskRuns.of(white)"),
        (lambda d: find_regions(np.zeros((2, 2), np.float32), np.nan), "nan is no threshold: give a finite number"),
        (lambda d: setattr(d, "roi", "roi.png"), "roi cannot be 'roi.png': give RegionOfInterest.read(file)"),
        (lambda d: setattr(d, "marking", 20), "marking cannot be 20: give Marking(min_area=20)"),
        (lambda d: d.save(5), "a station cannot be 5: give the path of a folder for it"),
        (lambda d: oddlens.load(5), "there is no method 5: choose one of winclip"),
        (lambda d: oddlens.load(None), "there is no method None: choose one of winclip"),
        (lambda d: oddlens.load("winclip", 5), "model cannot be 5: give a name of 'oddlens models', a hub id or a path"),
        (lambda d: oddlens.load("winclip", weights=5), "weights cannot be 5: give the path of a file"),
        (lambda d: oddlens.load("winclip", device=5), "the device '5' cannot be used here"),
        (lambda d: oddlens.load("winclip", max_megapixels="x"), "max_megapixels is 'x': give a number above 0"),
        (lambda d: oddlens.load("winclip", tiles=5), "tiles cannot be 5: give columns x rows"),
        (lambda d: oddlens.open_station(5), "a station cannot be 5: give the path of its folder"),
        (lambda d: oddlens.open_station(None), "a station cannot be None: give the path of its folder"),
        (lambda d: open_dataset(5), "a data set cannot be 5: give the path of its folder or its listing"),
        (lambda d: open_dataset(None), "a data set cannot be None: give the path of its folder or its listing"),
        (lambda d: Detection.from_dict(5), "this is no detection: it is no object"),
        (lambda d: Detection.from_dict({"path": "a", "score": 1, "image_size": [2, 2]}, "x"), "a map cannot be 'x': give an array"),
    ],
)  # fmt: skip
def test_it_is_one_sentence(loaded: Detector, call: Callable[[Detector], object], sentence: str) -> None:
    detector = Detector(loaded.name, loaded.method)
    with pytest.raises(oddlens.OddlensError) as refused:
        call(detector)
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)
    assert detector.references is None


def test_a_refused_setting_changes_nothing(loaded: Detector) -> None:
    detector = Detector(loaded.name, loaded.method).set_thresholds(0.5)
    before = detector.identity
    for name in ("references", "thresholds", "preparation", "roi", "marking"):
        with pytest.raises(oddlens.OddlensError):
            setattr(detector, name, 5)
    assert detector.identity == before
