"""What a detector keeps of good images, which of them it doubts, and that it knows its part."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.calibration.scene import CONCERN
from oddlens.detection import RegionOfInterest
from oddlens.detector import Detector
from oddlens.errors import Failure, ImageError, OddlensWarning, UsageError
from tests.detector.conftest import Pictures


@pytest.fixture
def folder(tmp_path: Path, pictures: Pictures) -> Path:
    """Eight good images on disk."""
    place = tmp_path / "good"
    place.mkdir()
    for number, pixels in enumerate(pictures[:8]):
        Image.fromarray(pixels).save(place / f"{number}.png")
    return place


class TestObserve:
    def test_of_images_it_is_what_a_detection_says(self, detector: Detector, folder: Path) -> None:
        seen = detector.observe(folder, "nut")
        found = detector.detect(folder, "nut")
        assert seen.kind == "split"
        assert [each.source for each in seen] == [each.source for each in found]
        assert seen.scores == [each.score for each in found]
        assert [each.peak for each in seen] == [float(each.anomaly_map.max()) for each in found]
        assert [each.size for each in seen] == [each.image_size for each in found]

    def test_images_that_cannot_be_read_are_handed_over_where_somebody_takes_them(
        self, detector: Detector, folder: Path
    ) -> None:
        (folder / "0.png").write_bytes(b"torn")
        failed: list[Failure] = []
        seen = detector.observe(folder, "nut", failed=failed.append)
        assert [each.source for each in failed] == [str(folder / "0.png")]
        assert [Path(each.source).name for each in seen] == [f"{number}.png" for number in range(1, 8)]
        assert seen.scores == [each.score for each in detector.detect(sorted(folder.glob("[1-7].png")), "nut")]
        with pytest.raises(ImageError, match=r"0\.png"):
            detector.observe(folder, "nut")

    def test_of_references_it_is_what_they_are_calibrated_on(self, detector: Detector, folder: Path) -> None:
        detector.add_references(folder)
        seen, calibration = detector.observe(), detector.calibration()
        assert calibration is not None
        assert seen.kind == "leave-one-out"
        assert tuple(seen.scores) == calibration.scores
        assert tuple(each.source for each in seen) == calibration.sources

    def test_pixels_are_looked_at_also_those_of_references_that_still_lie_there(
        self, detector: Detector, folder: Path, pictures: Pictures
    ) -> None:
        looks = [each.look for each in detector.observe(folder)]
        detector.add_references(folder)
        (folder / "3.png").unlink()
        again = [each.look for each in detector.observe()]
        assert again.pop(3) is None
        looks.pop(3)
        for one, other in zip(looks, again, strict=True):
            assert one is not None
            assert other is not None
            assert (one.brightness, one.sharpness) == (other.brightness, other.sharpness)
            np.testing.assert_array_equal(one.thumbnail, other.thumbnail)

    def test_an_image_that_is_there_twice_or_is_a_reference_counts_once(
        self, detector: Detector, pictures: Pictures
    ) -> None:
        detector.add_references(pictures[:2])
        with pytest.warns(OddlensWarning, match="more than once"):
            seen = detector.observe([pictures[2], pictures[1], pictures[3], pictures[2], pictures[4]])
        assert [each.source for each in seen] == ["image 1", "image 3", "image 5"]
        assert len({each.digest for each in seen}) == 3
        alone = detector.observe([pictures[3]])[0]
        assert (alone.digest, alone.score) == (seen[1].digest, pytest.approx(seen[1].score, rel=1e-5))

    def test_nothing_to_observe_is_refused(self, detector: Detector, pictures: Pictures) -> None:
        with pytest.raises(UsageError, match="there is nothing to calibrate on"):
            detector.observe()
        with pytest.raises(UsageError, match="no good images were given"):
            detector.add_references(pictures[:2]).observe(pictures[:2])


class TestVet:
    def test_another_part_among_the_references_is_asked_about(self, detector: Detector, folder: Path) -> None:
        Image.fromarray(np.full((48, 64, 3), 255, np.uint8)).save(folder / "9.png")
        detector.add_references(folder)
        found = detector.vet()
        assert found.flagged[0].name == "9.png"
        assert "9.png" in found.sentence

    def test_what_was_observed_is_not_observed_again(self, detector: Detector, folder: Path) -> None:
        seen = detector.observe(folder)
        assert detector.vet(seen).to_dict() == detector.vet(folder).to_dict()


class TestCalibrate:
    def test_what_was_observed_calibrates_as_the_images_do(self, detector: Detector, folder: Path) -> None:
        seen = detector.observe(folder)
        assert detector.calibrate(seen).sha256 == detector.calibrate(folder).sha256

    def test_a_doubtful_image_is_said_and_stays_said(self, detector: Detector, folder: Path, tmp_path: Path) -> None:
        Image.fromarray(np.full((48, 64, 3), 255, np.uint8)).save(folder / "9.png")
        with pytest.warns(OddlensWarning, match=r"8 of 9 good images agree; 9\.png"):
            calibration = detector.calibrate(folder)
        assert calibration.accepted == (str(folder / "9.png"),)
        assert "Doubtful images among them were accepted" in calibration.promise
        detector.save(tmp_path / "station")
        opened = oddlens.open_station(tmp_path / "station", device="cpu").calibration()
        assert opened is not None
        assert opened.promise == calibration.promise


class TestScene:
    def test_another_part_goes_to_review(self, detector: Detector, folder: Path, tmp_path: Path) -> None:
        """Whatever its score is; a detector that was not calibrated knows no part."""
        other = np.zeros((48, 64, 3), np.uint8)
        detector.add_references(folder)
        assert detector.detect(other)[0].concern is None
        detector.calibrate()
        detector.save(tmp_path / "station")
        for each in (detector, oddlens.open_station(tmp_path / "station", device="cpu")):
            found, *good = each.detect([other, *sorted(folder.iterdir())])
            assert (found.verdict, found.concern) == ("review", CONCERN)
            assert [one.concern for one in good] == [None] * 8
            assert found.embedding is not None

    def test_another_part_goes_to_review_where_little_of_an_image_is_looked_at(
        self, detector: Detector, folder: Path
    ) -> None:
        detector.roi = RegionOfInterest(include=(((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6)),))
        detector.add_references(folder).calibrate()
        found, *good = detector.detect([np.zeros((48, 64, 3), np.uint8), *sorted(folder.iterdir())])
        assert (found.verdict, found.concern) == ("review", CONCERN)
        assert [one.concern for one in good] == [None] * 8

    def test_further_references_belong_to_it(self, detector: Detector, pictures: Pictures) -> None:
        detector.add_references(pictures[:4]).calibrate()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OddlensWarning)
            detector.add_references([np.zeros((48, 64, 3), np.uint8)])
        assert detector.scene is not None
        assert len(detector.scene.references) == 5
        assert detector.detect(np.zeros((48, 64, 3), np.uint8))[0].concern is None

    def test_other_references_have_another_scene(self, detector: Detector, pictures: Pictures) -> None:
        detector.add_references(pictures[:4]).calibrate()
        assert detector.with_references(detector.encode(pictures[4:8])).scene is None
