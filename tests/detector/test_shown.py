"""What a detector, a calibration, a detection and a data set look like in Python and in a notebook."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from oddlens.data import open_dataset
from oddlens.detector import Detector
from oddlens.io.preparation import Preparation
from tests.noise import write_pictures

Pictures = list[NDArray[np.uint8]]


def rows(html: str | None) -> dict[str, str]:
    """The names of a table and what they are."""
    assert html is not None
    found = re.findall(r"<tr><th[^>]*>(.*?)</th><td[^>]*>(.*?)</td></tr>", html)
    return {unescape(name): unescape(text) for name, text in found}


class TestDetector:
    def test_it_says_what_it_is(self, detector: Detector) -> None:
        assert repr(detector) == f"Detector(winclip, model {detector.identity.model.name}, 'part')"
        assert rows(detector._repr_html_()) == {
            "model": detector.identity.model.name, "object": "'part'", "references": "no images", "thresholds": "none: no verdict",
        }  # fmt: skip

    def test_with_references_tiles_and_thresholds(self, detector: Detector, pictures: Pictures) -> None:
        detector.preparation = Preparation((2, 2))
        detector.object_name = "nut"
        detector.add_references(pictures[:4]).set_thresholds(image=0.5)
        assert repr(detector).endswith("'nut', 4 references, tiles 2x2, overlap 0.2, fit squash, NG above 0.5)")
        assert rows(detector._repr_html_())["images"] == "tiles 2x2, overlap 0.2, fit squash"

    def test_nothing_is_computed_for_it(
        self, detector: Detector, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        detector.add_references(pictures[:4])
        with monkeypatch.context() as patch:
            patch.setattr(type(detector.method), "score", lambda *_: pytest.fail("it scored"))
            assert rows(detector._repr_html_())["thresholds"] == "of the references, at the first image"
        calibration = detector.calibrate()
        shown = rows(detector._repr_html_())
        assert shown["thresholds"] == calibration.thresholds.in_words()
        assert shown["promise"] == calibration.promise
        assert shown["from"] == "leave-one-out scores of 4 references"

    def test_a_calibration_on_good_images_is_shown(self, detector: Detector, pictures: Pictures) -> None:
        calibration = detector.calibrate(pictures[:5])
        assert rows(detector._repr_html_())["promise"] == calibration.promise


def test_a_calibration_is_short(detector: Detector, pictures: Pictures) -> None:
    calibration = detector.calibrate(pictures[:5], object_name="nut")
    above = f"NG above {calibration.thresholds.image:.4g}"
    assert repr(calibration) == f"Calibration(split, 5 images, 'nut', {above}, false-alarm rate 0.167)"
    shown = rows(calibration._repr_html_())
    assert shown["promise"] == calibration.promise
    assert above in shown["thresholds"]
    assert shown["images"].startswith("scores of 5 calibration images, ")


def test_a_detection_is_a_picture_a_score_and_a_verdict(detector: Detector, pictures: Pictures, tmp_path: Path) -> None:
    Image.fromarray(pictures[0]).save(tmp_path / "nut.png")
    (found,) = detector.set_thresholds(image=0.1).detect(tmp_path / "nut.png")
    assert repr(found) == f"Detection('{tmp_path}/nut.png', score {found.score:.4g}, ng, 60 x 50 pixels)".replace(
        "60 x 50", f"{pictures[0].shape[1]} x {pictures[0].shape[0]}"
    )
    html = found._repr_html_()
    assert html is not None
    assert '<img src="data:image/jpeg;base64,' in html
    assert rows(html) == {"score": f"{found.score:.4g} (NG above 0.1)", "verdict": "ng"}
    assert replace(found, source="image 1")._repr_html_() is None


def test_a_data_set_is_counts_and_no_records(tmp_path: Path) -> None:
    for folder in ("nut/train/good", "nut/test/good", "nut/test/crack", "bolt/train/good", "bolt/test/good"):
        write_pictures(tmp_path / folder, 2)
    dataset = open_dataset(tmp_path)
    assert repr(dataset).startswith(f"Dataset('{tmp_path}', layout {dataset.layout}, 10 images, 2 categories")
    shown = rows(dataset._repr_html_())
    assert shown["nut"] == "train 2 good, test 2 good, test 2 defective"
    assert shown["bolt"] == "train 2 good, test 2 good"
    assert len(repr(dataset)) < 300
