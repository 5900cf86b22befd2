"""References: they change what is found, count once, add up; what is kept of them is bounded."""

import pickle
from pathlib import Path
from weakref import WeakSet

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import oddlens
from oddlens.detector import Detector
from oddlens.errors import ImageError, OddlensWarning, UsageError
from oddlens.io.images import Picture
from tests.detector.same import same

Pictures = list[NDArray[np.uint8]]


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
