"""The detector: encode once and ask often, good examples, thresholds; the same answers however it is asked."""

import json
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import oddlens
from oddlens.backbone.vision import ClipTower
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.errors import Failure, ImageError, OddlensWarning, UsageError
from oddlens.io.images import Picture
from oddlens.methods.base import Scores

Pictures = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def loaded(open_clip_folder: Path) -> Detector:
    """Without references or thresholds; not to be given any."""
    return oddlens.load("winclip", model=open_clip_folder, device="cpu")


@pytest.fixture
def detector(loaded: Detector) -> Detector:
    """A detector of the test's own, on the same towers."""
    return Detector(loaded.name, loaded.method)


def same(one: Detection, other: Detection, tolerance: float = 0.0) -> bool:
    return (
        abs(one.score - other.score) <= tolerance
        and bool(np.abs(one.anomaly_map - other.anomaly_map).max() <= tolerance)
        and (one.image_size, one.thresholds, one.value_range) == (other.image_size, other.thresholds, other.value_range)
    )


class TestAsking:
    def test_encoding_then_asking_is_detecting(self, loaded: Detector, pictures: Pictures) -> None:
        encoded = loaded.encode(pictures)
        for name in ("bottle", "metal_nut"):
            for asked, detected in zip(loaded.predict(encoded, name), loaded.detect(pictures, name), strict=True):
                assert same(asked, detected)

    def test_asking_again_does_not_look_at_pixels_again(
        self, loaded: Detector, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        encoded = loaded.encode(pictures[:2])

        def refuse(*_: object) -> None:
            raise AssertionError("the vision tower ran")

        monkeypatch.setattr(ClipTower, "embed", refuse)
        first, second = (loaded.predict(encoded, name)[0] for name in ("bottle", "cable"))
        assert first.score != second.score

    def test_a_question_may_change_what_only_questions_depend_on(
        self, loaded: Detector, open_clip_folder: Path, pictures: Pictures
    ) -> None:
        sharp = oddlens.load("winclip", open_clip_folder, device="cpu", temperature=0.01)
        encoded = loaded.encode(pictures)
        before = loaded.predict(encoded)
        found = loaded.predict(encoded, temperature=0.01)
        assert [each.score for each in found] == [each.score for each in sharp.predict(encoded)]
        assert [each.score for each in loaded.predict(encoded)] == [each.score for each in before]
        with pytest.raises(UsageError, match="image_size cannot change between questions"):
            loaded.predict(encoded, image_size=32)

    def test_a_changed_question_knows_the_references_and_the_thresholds(
        self, detector: Detector, pictures: Pictures
    ) -> None:
        encoded = detector.encode(pictures[:1])
        for number in (1, 2):
            detector.add_references(pictures[number]).set_thresholds(image=number)
            (plain,), (changed,) = detector.predict(encoded), detector.predict(encoded, fusion="mean")
            assert changed.score == plain.score
            assert changed.threshold == number
            assert changed.anomaly_map.max() < plain.anomaly_map.max()

    def test_an_object_is_a_part_unless_named(self, loaded: Detector, pictures: Pictures) -> None:
        assert same(loaded.detect(pictures[0])[0], loaded.detect(pictures[0], "part")[0])

    @pytest.mark.parametrize("name", ["", "  ", "\t\n"])
    def test_an_empty_object_name_is_refused(self, loaded: Detector, pictures: Pictures, name: str) -> None:
        with pytest.raises(UsageError, match="the object name is empty"):
            loaded.detect(pictures[0], name)

    @pytest.mark.parametrize("name", [3, None, ["nut"], b"nut"])
    def test_an_object_name_that_is_no_text_is_refused(
        self, loaded: Detector, pictures: Pictures, name: object
    ) -> None:
        with pytest.raises(UsageError, match=r"the object name cannot be .*: give a text that says in a word or two"):
            loaded.detect(pictures[0], name)  # type: ignore[arg-type]

    def test_a_name_too_long_for_the_model_is_refused(self, loaded: Detector, pictures: Pictures) -> None:
        with pytest.raises(UsageError, match="use a shorter object name"):
            loaded.detect(pictures[0], "very " * 80 + "long name")

    def test_threads_get_what_one_caller_gets(self, loaded: Detector, pictures: Pictures) -> None:
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda picture: loaded.detect(picture, "nut")[0], pictures))
        for found, picture in zip(together, pictures, strict=True):
            assert same(found, loaded.detect(picture, "nut")[0], 1e-6)


class TestImages:
    def test_there_is_one_detection_an_image_in_order(self, loaded: Detector, pictures: Pictures) -> None:
        found = loaded.detect([*pictures, *pictures[:3]])
        assert [each.image_size for each in found] == [(p.shape[1], p.shape[0]) for p in [*pictures, *pictures[:3]]]
        assert [each.source for each in found] == [f"image {number}" for number in range(1, 12)]
        for first, again in zip(found[:3], found[8:], strict=True):
            assert same(first, again, 1e-6)
        assert len({each.score for each in found[:8]}) == 8

    def test_how_many_run_together_changes_nothing(self, loaded: Detector, pictures: Pictures) -> None:
        for alone, together in zip((loaded.detect(p)[0] for p in pictures), loaded.detect(pictures), strict=True):
            assert same(alone, together, 1e-6)

    def test_none_gives_none(self, loaded: Detector) -> None:
        assert loaded.detect([]) == []
        assert len(loaded.encode([])) == 0

    def test_one_picture_of_any_kind_is_a_list_of_one(
        self, loaded: Detector, pictures: Pictures, tmp_path: Path
    ) -> None:
        path = tmp_path / "part.png"
        Image.fromarray(pictures[0]).save(path)
        (expected,) = loaded.detect([pictures[0]])
        for image in (path, str(path), path.read_bytes(), Image.open(path), pictures[0]):
            (found,) = loaded.detect(image)
            assert same(found, expected)

    def test_folders_and_patterns_are_their_files(self, loaded: Detector, pictures: Pictures, tmp_path: Path) -> None:
        for number, picture in enumerate(pictures[:3]):
            Image.fromarray(picture).save(tmp_path / f"{number}.png")
        names = [str(tmp_path / f"{number}.png") for number in range(3)]
        assert [each.source for each in loaded.detect(tmp_path)] == names
        assert [each.source for each in loaded.detect(str(tmp_path / "*.png"))] == names
        mixed = loaded.detect([names[2], pictures[0], tmp_path])
        assert [each.source for each in mixed] == [names[2], "image 2", *names]

    def test_a_generator_will_do(self, loaded: Detector, pictures: Pictures) -> None:
        assert len(loaded.detect(picture for picture in pictures[:3])) == 3

    def test_what_cannot_be_read_is_named(self, loaded: Detector, pictures: Pictures, tmp_path: Path) -> None:
        (tmp_path / "broken.png").write_bytes(b"no image")
        with pytest.raises(ImageError, match=r"broken\.png"):
            loaded.detect(tmp_path / "broken.png")
        with pytest.raises(ImageError, match="image 2"):
            loaded.detect([pictures[0], b"no image"])
        with pytest.raises(UsageError, match="does not exist"):
            loaded.detect(tmp_path / "none.png")

    def test_what_was_done_to_a_picture_is_noted(self, loaded: Detector) -> None:
        deep = np.full((20, 20), 40000, np.uint16)
        (found,) = loaded.detect(deep)
        assert found.note is not None
        assert "16-bit" in found.to_dict()["note"]

    def test_the_picture_is_not_written_to(self, loaded: Detector, pictures: Pictures) -> None:
        before = pictures[0].copy()
        loaded.detect(pictures[0])[0].overlay(pictures[0])
        assert np.array_equal(pictures[0], before)


class TestEach:
    """`detect_each`: a stream, in order, with a failure for each bad image."""

    def test_it_finds_what_detecting_finds_to_the_bit(self, loaded: Detector, pictures: Pictures) -> None:
        images = [*pictures, *pictures[:3]]
        each = list(loaded.detect_each(images, "nut"))
        for one, other in zip(each, loaded.detect(images, "nut"), strict=True):
            assert isinstance(one, Detection)
            assert same(one, other)

    def test_a_bad_picture_stops_no_other(self, loaded: Detector, pictures: Pictures, tmp_path: Path) -> None:
        (tmp_path / "cut.png").write_bytes(b"\x89PNG")
        missing, cut = str(tmp_path / "none.png"), str(tmp_path / "cut.png")
        found = list(loaded.detect_each([pictures[0], missing, b"none", tmp_path, pictures[1]], batch_size=2))
        assert [type(each) for each in found] == [Detection, Failure, Failure, Failure, Detection]
        failures = {each.source: each.reason for each in found if isinstance(each, Failure)}
        assert failures.keys() == {missing, "image 3", cut}
        assert failures[missing] == f"{missing} does not exist: check the path"
        assert failures["image 3"].startswith("image 3 ")
        assert found[1].to_dict() == {"path": missing, "error": failures[missing]}

    def test_all_bad_is_all_failures(self, loaded: Detector) -> None:
        assert [type(each) for each in loaded.detect_each([b"none"] * 5, batch_size=2)] == [Failure] * 5
        assert list(loaded.detect_each([])) == []

    def test_nothing_is_read_before_its_turn(self, loaded: Detector, pictures: Pictures) -> None:
        read = 0

        def endless() -> Iterator[NDArray[np.uint8]]:
            nonlocal read
            while True:
                read += 1
                yield pictures[read % 8]

        stream = loaded.detect_each(endless(), batch_size=3)
        assert read == 0
        for count, most in ((1, 3), (2, 3), (3, 3), (4, 6)):
            assert isinstance(next(stream), Detection)
            assert read == most, count

    def test_groups_are_of_consecutive_pictures_bad_ones_counted(self, loaded: Detector, pictures: Pictures) -> None:
        """So that a part of a long list, begun at a multiple of the batch size, gives the same bits."""
        images = [*pictures[:2], b"none", *pictures[2:], *pictures[:4]]
        whole = list(loaded.detect_each(images, batch_size=4))
        rest = list(loaded.detect_each(images[4:], batch_size=4))
        for one, other in zip(whole[4:], rest, strict=True):
            assert isinstance(one, Detection)
            assert isinstance(other, Detection)
            assert same(one, other)

    def test_a_wrong_call_is_refused_at_once(self, loaded: Detector, pictures: Pictures) -> None:
        with pytest.raises(UsageError, match="the object name is empty"):
            loaded.detect_each(pictures, " ")
        for size in (0, -1, 2.5, "8", True):
            with pytest.raises(UsageError, match="batch_size cannot be"):
                loaded.detect_each(pictures, batch_size=size)  # type: ignore[arg-type]
        for nothing in (None, 5, True):
            with pytest.raises(UsageError, match="images cannot be"):
                loaded.detect_each(nothing)  # type: ignore[arg-type]


class TestNotFinite:
    """A number that is not finite is never a verdict."""

    @pytest.fixture(params=["score", "map"])
    def broken(self, detector: Detector, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Detector:
        """A detector that gets NaN for the second image of every batch."""
        score = type(detector.method).score

        def damaged(*arguments: Any) -> Scores:
            found = score(*arguments)
            (found.scores if request.param == "score" else found.maps)[1].fill_(torch.nan)  # type: ignore[union-attr]
            return found

        monkeypatch.setattr(type(detector.method), "score", damaged)
        return detector.set_thresholds(image=0.1)

    def test_it_is_a_failure_in_a_stream(self, broken: Detector, pictures: Pictures) -> None:
        good, bad, also_good = broken.detect_each(pictures[:3])
        assert isinstance(good, Detection)
        assert isinstance(also_good, Detection)
        assert isinstance(bad, Failure)
        assert bad.source == "image 2"
        assert bad.reason.startswith("image 2 has a score or a map that is not finite")

    def test_it_is_an_error_where_all_are_wanted(self, broken: Detector, pictures: Pictures) -> None:
        with pytest.raises(ImageError, match="image 2 has a score or a map that is not finite"):
            broken.detect(pictures[:3])
        with pytest.raises(ImageError, match="image 2 has a score or a map that is not finite"):
            broken.predict(broken.encode(pictures[:3]))


class TestReferences:
    def test_another_detector_with_other_references_keeps_all_else(self, loaded: Detector, pictures: Pictures) -> None:
        plain = loaded.with_references(None).set_thresholds(pixel=0.75)
        other = plain.with_references(loaded.encode(pictures[:2]))
        assert plain.references is None
        assert other.references is not None
        assert (other.method, other.thresholds, other.notes) == (plain.method, plain.thresholds, plain.notes)
        assert other.with_references(None).identity == plain.identity

    def test_they_change_what_is_found_and_can_be_chained(self, detector: Detector, pictures: Pictures) -> None:
        (before,) = detector.detect(pictures[0])
        assert detector.add_references(pictures[1]) is detector
        (after,) = detector.detect(pictures[0])
        assert before.score != after.score
        assert before.value_range.label == "fixed range 0 to 1"
        assert after.value_range.label == "fixed range 0 to 2"

    def test_they_add_up(self, detector: Detector, loaded: Detector, pictures: Pictures) -> None:
        together = Detector(loaded.name, loaded.method).add_references(pictures[1:4])
        detector.add_references(pictures[1]).add_references(pictures[2:4])
        assert detector.references is not None
        assert len(detector.references) == 3
        (one,), (other,) = (each.detect(pictures[0]) for each in (detector, together))
        assert same(one, other, 1e-6) or one.score == pytest.approx(other.score, abs=1e-6)
        assert np.abs(one.anomaly_map - other.anomaly_map).max() < 1e-6

    def test_a_folder_of_good_examples_will_do(self, detector: Detector, pictures: Pictures, tmp_path: Path) -> None:
        for number, picture in enumerate(pictures[:2]):
            Image.fromarray(picture).save(tmp_path / f"{number}.png")
        detector.add_references(tmp_path)
        assert detector.references is not None
        assert detector.references.sources == (str(tmp_path / "0.png"), str(tmp_path / "1.png"))

    def test_the_same_picture_counts_once(self, detector: Detector, pictures: Pictures, tmp_path: Path) -> None:
        """By its pixels: under another name, in another format, by another call."""
        for name in ("a.png", "a copy.bmp", "b.png"):
            Image.fromarray(pictures["b" in name[:1]]).save(tmp_path / name)
        with pytest.warns(OddlensWarning, match=r"the same image .* counts once: .*a\.png is .*a copy\.bmp$") as told:
            detector.add_references(tmp_path)
        assert told[0].filename == __file__
        once = detector.references
        assert once is not None
        assert [Path(source).name for source in once.sources] == ["a copy.bmp", "b.png"]
        assert len(set(once.digests)) == 2
        with pytest.warns(OddlensWarning, match=r"counts once: image 1 is .*b\.png$"):
            detector.add_references([pictures[1], pictures[2]])
        assert detector.references is not None
        assert detector.references.sources == (*once.sources, "image 2")
        with pytest.warns(OddlensWarning, match="and 1 more$"):
            detector.add_references([*pictures[:3], pictures[0]])
        assert len(detector.references) == 3
        with pytest.warns(OddlensWarning, match=r"counts once: [^,]*b\.png$"):  # a cell of a notebook that runs again
            detector.add_references(tmp_path / "b.png")

    def test_the_same_picture_twice_is_no_pair_to_calibrate_on(self, detector: Detector, pictures: Pictures) -> None:
        with pytest.warns(OddlensWarning):
            detector.add_references([pictures[1], pictures[1].copy()])
        assert detector.calibration() is None

    def test_one_whose_features_are_not_finite_is_refused(self, detector: Detector, pictures: Pictures) -> None:
        encoded = detector.encode(pictures[:3])
        damaged = encoded.features["reference:patch"].clone()
        damaged[1, 0, 0] = torch.nan
        encoded.features["reference:patch"] = damaged
        with pytest.raises(ImageError, match="the reference image 2 has features that are not finite"):
            detector.references = encoded
        assert detector.references is None

    def test_none_is_refused(self, detector: Detector) -> None:
        with pytest.raises(UsageError, match="no reference images were given"):
            detector.add_references([])
        assert detector.references is None

    def test_a_method_that_takes_none_says_so_before_it_looks(
        self, open_clip_folder: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words_only = oddlens.load("anovl", open_clip_folder, device="cpu")
        monkeypatch.setattr(words_only, "encode", lambda *_: pytest.fail("it looked"))
        with pytest.raises(UsageError, match="anovl takes no good examples: leave the references out"):
            words_only.add_references(pictures[0])

    def test_one_that_cannot_be_read_leaves_the_others_as_they_were(
        self, detector: Detector, pictures: Pictures
    ) -> None:
        detector.add_references(pictures[0])
        with pytest.raises(ImageError):
            detector.add_references([pictures[1], b"no image"])
        assert detector.references is not None
        assert len(detector.references) == 1

    def test_what_was_encoded_before_can_be_asked_about_after(self, detector: Detector, pictures: Pictures) -> None:
        encoded = detector.encode(pictures[0])
        detector.add_references(pictures[1:3])
        assert same(detector.predict(encoded)[0], detector.detect(pictures[0])[0])


class TestThresholds:
    def test_without_references_there_are_none(self, loaded: Detector, pictures: Pictures) -> None:
        (found,) = loaded.detect(pictures[0])
        assert (found.threshold, found.is_anomalous, found.regions) == (None, None, ())
        assert found.thresholds.source is None
        assert loaded.calibration() is None

    def test_one_reference_cannot_tell_how_much_good_parts_differ(self, detector: Detector, pictures: Pictures) -> None:
        (found,) = detector.add_references(pictures[1]).detect(pictures[0])
        assert (found.threshold, found.is_anomalous, found.regions) == (None, None, ())

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


class TestResults:
    def test_the_map_has_the_recipes_size_and_the_heatmap_the_images(
        self, loaded: Detector, pictures: Pictures
    ) -> None:
        (found,) = loaded.detect(pictures[2])
        assert found.anomaly_map.shape == (40, 40)
        assert found.anomaly_map.dtype == np.float32
        assert found.heatmap().shape == (31, 80)
        assert isinstance(found.score, float)

    def test_everything_is_json(self, detector: Detector, pictures: Pictures) -> None:
        detector.add_references(pictures[1:4])
        (found,) = detector.set_thresholds(pixel=float(np.median(detector.detect(pictures[0])[0].anomaly_map))).detect(
            pictures[0]
        )
        told = json.loads(json.dumps(found.to_dict()))
        assert told["regions"]
        assert told["image_size"] == [40, 40]

    def test_it_can_be_drawn_with_fixed_and_with_calibrated_colours(
        self, detector: Detector, pictures: Pictures
    ) -> None:
        (before,) = detector.detect(pictures[1])
        (after,) = detector.add_references(pictures[2:5]).detect(pictures[1])
        for found in (before, after):
            drawing = found.overlay(pictures[1])
            assert drawing.width >= 50
            assert drawing.height > 60


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


class TestBounds:
    """What is kept for the next question is bounded, and the memory bank is there once."""

    def test_questions_with_other_values_share_the_memory_bank(
        self, detector: Detector, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        detector.add_references(pictures[:2])
        encoded = detector.encode(pictures[2])
        monkeypatch.setattr(type(detector.method), "fit", lambda *_: pytest.fail("the memory was made again"))
        for number in range(1, 40):
            detector.predict(encoded, temperature=number / 10)
            detector.predict(encoded, f"part {number}")
        changed = detector._changed({"temperature": 3.9})
        assert changed._memory is detector._memory
        assert len(detector._changes) <= 16
        assert len(detector._texts) <= 16
        assert len(detector._fits) <= 64

    def test_what_was_forgotten_is_made_again_the_same(self, detector: Detector, pictures: Pictures) -> None:
        encoded = detector.add_references(pictures[:2]).encode(pictures[2:4])
        before = detector.predict(encoded, "nut"), detector.predict(encoded, "nut", temperature=0.5)
        for number in range(20):
            detector.predict(encoded[:1], f"part {number}")
            detector.predict(encoded[:1], temperature=1 + number)
        after = detector.predict(encoded, "nut"), detector.predict(encoded, "nut", temperature=0.5)
        for one, other in zip(before, after, strict=True):
            assert all(map(same, one, other))

    def test_calibrating_makes_no_memory_for_each_reference(
        self, detector: Detector, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        detector.add_references(pictures)
        monkeypatch.setattr(type(detector.method), "fit", lambda *_: pytest.fail("a memory was made"))
        assert len(detector.calibrate()) == 8

    def test_no_more_than_one_picture_is_held_while_references_are_read(
        self, detector: Detector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alive: WeakSet[Picture] = WeakSet()
        most = 0

        class Camera:
            def __init__(self, number: int) -> None:
                self.number = number

            def read(self) -> Picture:
                nonlocal most
                picture = Picture(np.full((30, 30, 3), self.number, np.uint8), f"shot {self.number}")
                alive.add(picture)
                most = max(most, len(alive))
                return picture

        detector.add_references([Camera(number) for number in range(20)])
        assert most == 1

    def test_a_detector_can_be_pickled(self, detector: Detector, pictures: Pictures) -> None:
        detector.add_references(pictures[:2]).set_thresholds(image=0.5)
        encoded = detector.encode(pictures[2:4])
        expected = detector.predict(encoded, "nut", temperature=0.5)
        other = pickle.loads(pickle.dumps(detector))
        assert all(map(same, other.predict(encoded, "nut", temperature=0.5), expected))


def test_the_memory_of_the_references_is_made_once_for_all_questions(
    open_clip_folder: Path, pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = oddlens.load("winclip", open_clip_folder).add_references(pictures[:1])
    monkeypatch.setattr(type(detector.method), "fit", lambda *_: pytest.fail("the memory was made again"))
    encoded = detector.encode(pictures[1:3])
    assert len(detector.predict(encoded, "nut")) == len(detector.predict(encoded, "bolt")) == 2


def test_earlier_names_still_work_and_say_the_new_ones(detector: Detector, pictures: Pictures) -> None:
    with pytest.warns(DeprecationWarning, match="is now called add_references"):
        detector.reference(pictures[:2])
    encoded = detector.encode(pictures[2:3])
    with pytest.warns(DeprecationWarning, match="is now called predict"):
        (old,) = detector.ask(encoded, "nut")
    (new,) = detector.predict(encoded, "nut")
    assert old.score == new.score
