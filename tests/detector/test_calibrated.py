"""Thresholds: given by hand, of references, of good images."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import oddlens
from oddlens.detector import Detector
from oddlens.errors import OddlensWarning, UsageError

Pictures = list[NDArray[np.uint8]]


class TestThresholds:
    def test_without_references_there_are_none(self, loaded: Detector, pictures: Pictures) -> None:
        (found,) = loaded.detect(pictures[0])
        assert (found.threshold, found.is_anomalous, found.regions) == (None, None, ())
        assert found.thresholds.source is None
        assert loaded.calibration() is None

    def test_one_reference_cannot_tell_how_much_good_parts_differ(self, detector: Detector, pictures: Pictures) -> None:
        (found,) = detector.add_references(pictures[1]).detect(pictures[0])
        assert (found.threshold, found.is_anomalous, found.regions) == (None, None, ())

    def test_one_that_no_map_reaches_is_taken_with_a_warning(self, loaded: Detector, recwarn) -> None:
        low, high = loaded.method.value_range(False)
        loaded.with_references(None).set_thresholds((low + high) / 2, high)
        assert [each for each in recwarn if each.category is OddlensWarning] == []
        with pytest.warns(OddlensWarning, match=rf"the threshold 99 .* from {low:g} to .* every image is ok: take one"):
            assert loaded.with_references(None).set_thresholds(image=99).thresholds.image == 99
        with pytest.warns(OddlensWarning, match="every pixel is marked"):
            loaded.with_references(None).set_thresholds(pixel=low - 0.5)

    def test_those_given_are_in_force(self, detector: Detector, pictures: Pictures) -> None:
        (bare,) = detector.detect(pictures[0])
        peak, usual = float(bare.anomaly_map.max()), float(np.median(bare.anomaly_map))
        assert detector.set_thresholds(image=bare.score - 0.01, pixel=(peak + usual) / 2) is detector
        (found,) = detector.detect(pictures[0])
        assert found.is_anomalous is True
        assert found.regions
        assert found.thresholds.source == "given"
        assert found.score == bare.score
        assert np.array_equal(found.anomaly_map, bare.anomaly_map)
        (found,) = detector.set_thresholds(image=bare.score).detect(pictures[0])
        assert (found.verdict, found.is_anomalous, found.regions) == ("ok", False, ())
        (found,) = detector.set_thresholds(image=bare.score, review=bare.score - 0.01).detect(pictures[0])
        assert (found.verdict, found.is_anomalous) == ("review", False)

    def test_they_are_calibrated_by_leaving_out_one_reference_at_a_time(
        self, detector: Detector, loaded: Detector, pictures: Pictures
    ) -> None:
        """The largest of the good examples' own scores, each against the others: so few cannot promise more."""
        good = pictures[1:5]
        scores, peaks, medians = [], [], []
        for number, picture in enumerate(good):
            others = [other for each, other in enumerate(good) if each != number]
            (one,) = Detector(loaded.name, loaded.method).add_references(others).detect(picture, "nut")
            scores.append(one.score)
            peaks.append(one.anomaly_map.max())
            medians.append(float(np.median(one.anomaly_map)))
        (found,) = detector.add_references(good).detect(pictures[0], "nut")
        assert found.thresholds.image == pytest.approx(max(scores), abs=1e-5)
        assert found.thresholds.pixel == pytest.approx(max(peaks), abs=1e-5)
        assert found.thresholds.source == "leave-one-out scores of 4 references"
        assert found.value_range.label == "calibrated on 4 references"
        assert found.value_range.low == pytest.approx(float(np.median(medians)), abs=1e-5)
        assert (found.value_range.low + found.value_range.high) / 2 == pytest.approx(found.thresholds.pixel)

    def test_a_calibration_belongs_to_its_object_and_its_references(
        self, detector: Detector, pictures: Pictures
    ) -> None:
        detector.add_references(pictures[1:3])
        encoded = detector.encode(pictures[0])
        (nut,), (cable,) = detector.predict(encoded, "nut"), detector.predict(encoded, "cable")
        assert nut.threshold != cable.threshold
        assert detector.predict(encoded, "nut")[0].threshold == nut.threshold
        detector.add_references(pictures[3])
        assert detector.predict(encoded, "nut")[0].threshold != nut.threshold

    def test_one_given_by_hand_wins_and_the_other_stays_calibrated(
        self, detector: Detector, pictures: Pictures
    ) -> None:
        detector.add_references(pictures[1:4])
        (calibrated,) = detector.detect(pictures[0])
        (image,) = detector.set_thresholds(image=0.25).detect(pictures[0])
        assert (image.thresholds.image, image.thresholds.pixel) == (0.25, calibrated.thresholds.pixel)
        assert image.thresholds.source == "image: given; the other: leave-one-out scores of 3 references"
        (pixel,) = detector.set_thresholds(pixel=0.5).detect(pictures[0])
        assert (pixel.thresholds.image, pixel.thresholds.pixel) == (calibrated.thresholds.image, 0.5)
        assert pixel.thresholds.source == "pixel: given; the other: leave-one-out scores of 3 references"
        (both,) = detector.set_thresholds(0.25, 0.5).detect(pictures[0])
        assert (both.thresholds.image, both.thresholds.pixel, both.thresholds.source) == (0.25, 0.5, "given")
        (none,) = detector.set_thresholds().detect(pictures[0])
        assert none.thresholds == calibrated.thresholds

    def test_taking_them_back_leaves_none_behind(self, detector: Detector, pictures: Pictures) -> None:
        (found,) = detector.set_thresholds(image=0.5).set_thresholds().detect(pictures[0])
        assert (found.threshold, found.thresholds.source) == (None, None)


class TestCalibrate:
    """`Detector.calibrate`: which images, which rate, and that it stays in force."""

    def test_good_images_that_are_no_references(self, detector: Detector, loaded: Detector, pictures: Pictures) -> None:
        detector.add_references(pictures[:2])
        plain = {each.source: each for each in detector.detect(pictures[2:7], "nut")}
        calibration = detector.calibrate(pictures[2:7], false_alarm_rate=0.2, object_name="nut")
        assert (calibration.kind, len(calibration), calibration.rank) == ("split", 5, 5)
        assert calibration.scores == tuple(each.score for each in plain.values())
        assert calibration.peaks == tuple(float(each.anomaly_map.max()) for each in plain.values())
        (found,) = detector.detect(pictures[7], "nut")
        assert found.thresholds == calibration.thresholds
        assert found.p_value == calibration.p_value(found.score)
        assert all(each.verdict != "ng" for each in detector.detect(pictures[2:7], "nut"))

    def test_a_method_without_references_is_calibrated_too(self, detector: Detector, pictures: Pictures) -> None:
        calibration = detector.calibrate(pictures[:4])
        (found,) = detector.detect(pictures[5])
        assert found.threshold == max(calibration.scores)
        assert found.value_range.label == "calibrated on 4 calibration images"

    def test_references_are_calibrated_at_another_rate(self, detector: Detector, pictures: Pictures) -> None:
        largest = detector.add_references(pictures).calibrate()
        assert (largest.kind, largest.rank) == ("leave-one-out", 8)
        second = detector.calibrate(false_alarm_rate=0.25)
        assert second.thresholds.image == sorted(largest.scores)[6]
        assert detector.detect(pictures[0])[0].thresholds == second.thresholds
        assert detector.detect(pictures[0], "nut")[0].thresholds.image != second.thresholds.image
        assert detector.calibrate() == largest

    def test_a_rate_that_the_images_cannot_promise_is_refused_and_changes_nothing(
        self, detector: Detector, pictures: Pictures
    ) -> None:
        before = detector.add_references(pictures[:4]).detect(pictures[5])[0].thresholds
        for good in (None, pictures[4:]):
            with pytest.raises(UsageError, match=r"a false-alarm rate of 0\.01 needs 99 good images, and there are 4"):
                detector.calibrate(good, false_alarm_rate=0.01)
        assert detector.detect(pictures[5])[0].thresholds == before

    def test_nothing_to_calibrate_on_is_refused(self, detector: Detector, pictures: Pictures) -> None:
        with pytest.raises(UsageError, match=r"nothing to calibrate on: give good images, or two references or more"):
            detector.calibrate()
        with pytest.raises(UsageError, match="no good images were given"):
            detector.calibrate([])

    def test_an_image_that_is_a_reference_or_there_twice_counts_not_or_once(
        self, detector: Detector, pictures: Pictures
    ) -> None:
        detector.add_references(pictures[:2])
        with pytest.warns(
            OddlensWarning, match="the same image is among the good images and the references more than once"
        ):
            calibration = detector.calibrate([*pictures[1:5], pictures[4].copy()])
        assert len(calibration) == 3
        with (
            pytest.warns(OddlensWarning),
            pytest.raises(UsageError, match="no good images were given that are no references"),
        ):
            detector.calibrate(pictures[:2])

    def test_what_depends_on_the_images_before_it_is_refused(self, open_clip_folder: Path, pictures: Pictures) -> None:
        kept = oddlens.load("anovl", open_clip_folder, device="cpu", recipe="released", views=1, steps=1)
        with pytest.raises(
            UsageError, match="what anovl finds depends on the images before, so that no threshold keeps"
        ):
            kept.calibrate(pictures[:4])

    def test_thresholds_given_by_hand_still_win_and_say_what_they_promise(
        self, detector: Detector, pictures: Pictures
    ) -> None:
        calibration = detector.calibrate(pictures[:6])
        (found,) = detector.set_thresholds(image=0.9).detect(pictures[7])
        assert (found.threshold, found.thresholds.promise) == (0.9, calibration.promise_at(0.9))

    def test_it_is_for_its_object_and_its_recipe_only(self, detector: Detector, pictures: Pictures) -> None:
        detector.calibrate(pictures[:4], object_name="nut")
        with pytest.warns(
            OddlensWarning, match="the thresholds were calibrated for 'nut' and are not used for 'cable'"
        ):
            (found,) = detector.detect(pictures[5], "cable")
        assert (found.threshold, found.p_value) == (None, None)
        with pytest.warns(OddlensWarning, match="calibrated with another recipe"):
            (found,) = detector.predict(detector.encode(pictures[5]), "nut", temperature=0.5)
        assert found.threshold is None

    def test_other_references_drop_it(self, detector: Detector, pictures: Pictures) -> None:
        detector.calibrate(pictures[:4])
        with pytest.warns(OddlensWarning, match="the calibration was made with other references and is dropped"):
            detector.add_references(pictures[5])
        assert detector.calibration() is None

    def test_results_name_it(self, detector: Detector, pictures: Pictures) -> None:
        assert detector.identity.calibration == {}
        detector.add_references(pictures[:4])
        assert detector.identity.calibration == {
            "kind": "leave-one-out", "false_alarm_rate": 0.2, "review_rate": 0.05,
        }  # fmt: skip
        calibration = detector.calibrate(pictures[4:])
        assert detector.identity.to_dict()["calibration"] == {
            "kind": "split", "false_alarm_rate": 0.2, "review_rate": 0.05, "sha256": calibration.sha256,
        }  # fmt: skip
