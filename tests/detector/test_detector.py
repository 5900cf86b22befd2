"""The detector: encode once and predict often, streams; the same answers however it is asked."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import oddlens
from oddlens.backbone.vision import ClipTower
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.errors import Failure, ImageError, UsageError
from oddlens.methods.base import Scores
from tests.detector.same import same

Pictures = list[NDArray[np.uint8]]


class TestAsking:
    def test_encoding_then_asking_is_detecting(self, loaded: Detector, pictures: Pictures) -> None:
        encoded = loaded.encode(pictures)
        for name in ("bottle", "metal_nut"):
            for asked, detected in zip(loaded.predict(encoded, name), loaded.detect(pictures, name), strict=True):
                assert same(asked, detected)

    @pytest.mark.parametrize(
        ("other", "reason"),
        [
            ({"method": "patch-knn"}, "method 'patch-knn', and this detector has 'winclip'"),
            ({"image_size": 32}, "image_size 32, and this detector has 40"),
        ],
    )
    def test_what_another_detector_encoded_is_refused(
        self, loaded: Detector, open_clip_folder: Path, pictures: Pictures, other: dict[str, Any], reason: str
    ) -> None:
        encoded = oddlens.load(**{"method": "winclip", "model": open_clip_folder, "device": "cpu"} | other).encode(
            pictures
        )
        with pytest.raises(UsageError, match=f"the images were encoded with {reason}: encode them again"):
            loaded.predict(encoded[:1])
        with pytest.raises(UsageError, match=f"the images were encoded with {reason}: encode them again"):
            loaded.with_references(encoded)

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

    def test_the_object_of_a_detector_and_of_its_station_is_asked_for_unless_another_is_named(
        self, detector: Detector, pictures: Pictures, tmp_path: Path
    ) -> None:
        detector.object_name = "nut"
        detector.calibrate(pictures[:4])
        detector.save(tmp_path / "nuts")
        named = detector.detect(pictures[5], "nut")[0]
        assert named.verdict is not None
        for each in (detector, oddlens.open_station(tmp_path / "nuts", device="cpu")):
            encoded = each.encode(pictures[5])
            for found in (each.detect(pictures[5]), each.predict(encoded), list(each.detect_each([pictures[5]]))):
                assert same(found[0], named)
                assert (found[0].verdict, found[0].thresholds) == (named.verdict, named.thresholds)

    @pytest.mark.parametrize("name", ["", "  ", "\t\n"])
    def test_an_empty_object_name_is_refused(self, loaded: Detector, pictures: Pictures, name: str) -> None:
        with pytest.raises(UsageError, match="the object name is empty"):
            loaded.detect(pictures[0], name)

    @pytest.mark.parametrize("name", [3, ["nut"], b"nut"])
    def test_an_object_name_that_is_no_text_is_refused(
        self, loaded: Detector, pictures: Pictures, name: object
    ) -> None:
        with pytest.raises(UsageError, match=r"the object name cannot be .*: give a text that says in a word or two"):
            loaded.detect(pictures[0], name)  # type: ignore[arg-type]

    def test_a_name_too_long_for_the_model_is_refused(self, loaded: Detector, pictures: Pictures) -> None:
        with pytest.raises(UsageError, match="use a shorter object name"):
            loaded.detect(pictures[0], "7" * 100)

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


def test_earlier_names_still_work_and_say_the_new_ones(detector: Detector, pictures: Pictures) -> None:
    with pytest.warns(DeprecationWarning, match="is now called add_references"):
        detector.reference(pictures[:2])
    encoded = detector.encode(pictures[2:3])
    with pytest.warns(DeprecationWarning, match="is now called predict"):
        (old,) = detector.ask(encoded, "nut")
    (new,) = detector.predict(encoded, "nut")
    assert old.score == new.score
