"""Where to look: scores, maps and calibrations of a region of interest."""

import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oddlens.detection import Marking, RegionOfInterest
from oddlens.detector import Detector
from oddlens.detector.inside import within
from oddlens.errors import OddlensWarning
from oddlens.methods.scoring import Scores
from tests.detector.conftest import Pictures

LEFT = RegionOfInterest(include=(((0, 0), (0.5, 0), (0.5, 1), (0, 1)),))
RIGHT = RegionOfInterest(ignore=(((0, 0), (0.5, 0), (0.5, 1), (0, 1)),))


class TestWithin:
    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 10**6), st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=3))
    def test_the_score_is_the_largest_value_inside_and_outside_is_the_lowest(
        self, seed: int, sizes: Sequence[tuple[int, int]]
    ) -> None:
        rng = np.random.default_rng(seed)
        maps = [rng.random(size, np.float32) for size in sizes]
        stacked = np.stack(maps) if len(set(sizes)) == 1 else maps
        found = within(Scores(np.full(len(maps), 9.0), stacked), LEFT, -1.0)
        assert isinstance(found.maps, np.ndarray) == isinstance(stacked, np.ndarray)
        for score, anomaly_map, before in zip(found.scores.tolist(), found.maps, maps, strict=True):
            inside = LEFT.inside(before.shape[::-1])
            assert score == before[inside].max() == anomaly_map.max()
            assert np.array_equal(anomaly_map[inside], before[inside])
            assert (anomaly_map[~inside] == -1).all()

    def test_what_is_not_finite_counts_only_inside(self) -> None:
        maps = np.array([[[0.5, np.nan]], [[np.nan, 0.5]]], np.float32)
        found = within(Scores(np.zeros(2), maps), LEFT, 0.0)
        assert found.scores[0] == 0.5
        assert np.isnan(found.scores[1])


class TestDetector:
    def test_it_looks_nowhere_else(self, detector: Detector, pictures: Pictures) -> None:
        detector.add_references(pictures[:3]).set_thresholds(image=0, pixel=0)
        whole = detector.detect(pictures[4])[0]
        detector.roi = LEFT
        found = detector.detect(pictures[4])[0]
        inside = LEFT.inside((whole.anomaly_map.shape[1], whole.anomaly_map.shape[0]))
        assert np.array_equal(found.anomaly_map[inside], whole.anomaly_map[inside])
        assert set(found.anomaly_map[~inside].tolist()) == {detector.fixed_range.low}
        assert found.score == whole.anomaly_map[inside].max()
        assert found.regions
        assert not found.mask()[~LEFT.inside(found.image_size)].any()

    def test_references_are_scored_alike(self, detector: Detector, pictures: Pictures) -> None:
        detector.add_references(pictures[:4]).roi = LEFT
        calibration = detector.calibration()
        assert calibration is not None
        assert calibration.scores == calibration.peaks  # a score is the largest value of a map
        for left_out, score in enumerate(calibration.scores):
            others = Detector(detector.name, detector.method)
            others.add_references([each for number, each in enumerate(pictures[:4]) if number != left_out]).roi = LEFT
            assert others.detect(pictures[left_out])[0].score == pytest.approx(score, abs=1e-6)

    def test_what_is_usual_is_usual_inside(self, detector: Detector, pictures: Pictures) -> None:
        detector.add_references(pictures[:4]).roi = RegionOfInterest(include=(((0, 0), (0.3, 0), (0.3, 1), (0, 1)),))
        calibration = detector.calibration()
        assert calibration is not None
        assert calibration.usual > detector.fixed_range.low  # as most of a map is

    def test_good_images_are_scored_alike(self, detector: Detector, pictures: Pictures) -> None:
        detector.roi = RIGHT
        calibration = detector.calibrate(pictures[:3])
        assert calibration.scores == tuple(found.score for found in detector.detect(pictures[:3]))

    def test_another_one_drops_a_calibration_and_is_another_identity(
        self, detector: Detector, pictures: Pictures
    ) -> None:
        before = detector.identity
        assert "roi" not in before.to_dict()
        detector.calibrate(pictures[:3])
        with pytest.warns(
            OddlensWarning, match="the calibration was made with another region of interest and is dropped"
        ):
            detector.roi = LEFT
        assert detector.calibration() is None
        assert detector.identity.to_dict()["roi"] == LEFT.to_dict()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            detector.calibrate(pictures[:3])
            detector.roi = LEFT  # the same
        assert detector.calibration() is not None
        detector.roi = None
        assert detector.identity == before

    def test_it_holds_for_other_references_and_other_recipes(self, detector: Detector, pictures: Pictures) -> None:
        detector.roi, detector.marking = LEFT, Marking(min_area=3)
        other = detector.with_references(detector.encode(pictures[:2]))
        assert (other.roi, other.marking) == (LEFT, Marking(min_area=3))
        encoded = detector.encode(pictures[4])
        found = detector.predict(encoded, temperature=0.5)[0]
        assert (found.roi, found.marking) == (LEFT, Marking(min_area=3))
        detector.roi = RIGHT
        again = detector.predict(encoded, temperature=0.5)[0]
        assert again.roi == RIGHT
        assert again.score != found.score


def test_marking_changes_no_score_and_says_so_in_the_identity(detector: Detector, pictures: Pictures) -> None:
    detector.set_thresholds(image=0, pixel=0)
    plain = detector.detect(pictures[0])[0]
    assert "marking" not in detector.identity.to_dict()
    detector.marking = Marking(mm_per_pixel=0.5)
    found = detector.detect(pictures[0])[0]
    assert found.score == plain.score
    assert [region.area_mm2 for region in found.regions] == [region.area / 4 for region in plain.regions]
    assert detector.identity.to_dict()["marking"] == {"min_area": 0, "unit": "px", "mm_per_pixel": 0.5}
