"""Two methods as one, against the same methods alone whose scores and maps are joined by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

import oddlens
from oddlens.backbone.vision_pass import VisionPass
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.errors import UsageError

Pictures = list[NDArray[np.uint8]]
FUSED = "winclip+patch-knn"


@pytest.fixture(scope="module")
def detector(open_clip_folder: Path, pictures: Pictures) -> Detector:
    """With four references; not to be changed."""
    return oddlens.load(FUSED, open_clip_folder, device="cpu").add_references(pictures[5:9])


@pytest.fixture(scope="module")
def alone(open_clip_folder: Path, pictures: Pictures) -> tuple[Detector, Detector]:
    """Both methods, the second with the references."""
    words = oddlens.load("winclip", open_clip_folder, device="cpu")
    return words, oddlens.load("patch-knn", open_clip_folder, device="cpu").add_references(pictures[5:9])


def scores(found: list[Detection]) -> NDArray[np.float64]:
    return np.array([each.score for each in found])


def held_out(detector: Detector) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores and maps of the references, each against the others."""
    assert detector.references is not None
    assert detector.memory is not None
    _fitted, own = detector.method.fit_prompts(detector.memory, detector.references.features, {})
    assert own is not None
    return np.array(own.scores.tolist()), np.stack([each.numpy() for each in own.maps])


def rarity(good: NDArray[np.float64], values: NDArray[np.float64], *, many: bool) -> NDArray[np.float64]:
    """The natural logarithms of the p-values of values among good ones."""
    logs = np.log(good.astype(np.float64).ravel())
    deviations = np.log(values.astype(np.float64)) - logs.mean()
    if many:
        found: NDArray[np.float64] = stats.norm.logsf(deviations / logs.std(ddof=1))
    else:
        found = stats.t.logsf(deviations / logs.std(ddof=1) / np.sqrt(1 + 1 / len(logs)), len(logs) - 1)
    return found


class TestByHand:
    def test_scores(self, detector: Detector, alone: tuple[Detector, Detector], pictures: Pictures) -> None:
        words, examples = alone
        by_words = rarity(
            scores(words.detect(pictures[5:9], "nut")), scores(words.detect(pictures[:5], "nut")), many=False
        )
        by_examples = rarity(held_out(examples)[0], scores(examples.detect(pictures[:5], "nut")), many=False)
        product = by_words + by_examples
        expected = -(product + np.log1p(-product)) / np.log(10)
        assert scores(detector.detect(pictures[:5], "nut")) == pytest.approx(expected, rel=1e-3, abs=1e-3)

    def test_maps(self, detector: Detector, alone: tuple[Detector, Detector], pictures: Pictures) -> None:
        words, examples = alone
        usual = np.stack([each.anomaly_map for each in words.detect(pictures[5:9], "nut")])
        (one,), (two,) = words.detect(pictures[0], "nut"), examples.detect(pictures[0], "nut")
        assert one.anomaly_map.shape == two.anomaly_map.shape  # nothing is resized
        product = rarity(usual, one.anomaly_map, many=True) + rarity(held_out(examples)[1], two.anomaly_map, many=True)
        (found,) = detector.detect(pictures[0], "nut")
        expected = -(product + np.log1p(-product)) / np.log(10)
        assert found.anomaly_map == pytest.approx(expected, rel=1e-3, abs=1e-3)

    def test_the_smaller_p_value_on_request(
        self, detector: Detector, alone: tuple[Detector, Detector], pictures: Pictures
    ) -> None:
        words, examples = alone
        by_words = rarity(
            scores(words.detect(pictures[5:9], "nut")), scores(words.detect(pictures[:5], "nut")), many=False
        )
        by_examples = rarity(held_out(examples)[0], scores(examples.detect(pictures[:5], "nut")), many=False)
        least = np.minimum(by_words, by_examples)
        found = detector.predict(detector.encode(pictures[:5]), "nut", joining="smallest")
        assert scores(found) == pytest.approx(-(least + np.log(2 - np.exp(least))) / np.log(10), rel=1e-3, abs=1e-3)


class TestPasses:
    def count(
        self, monkeypatch: pytest.MonkeyPatch, folder: Path, picture: NDArray[np.uint8], **overrides: object
    ) -> int:
        passes: list[VisionPass] = []
        made = VisionPass.__init__

        def counted(self: VisionPass, *args: object, **kwargs: object) -> None:
            passes.append(self)
            made(self, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(VisionPass, "__init__", counted)
        oddlens.load(FUSED, folder, device="cpu", **overrides).encode(picture)
        return len(passes)

    def test_methods_that_agree_share_one(
        self, monkeypatch: pytest.MonkeyPatch, open_clip_folder: Path, pictures: Pictures
    ) -> None:
        alike = {"patch_knn_aspect": False, "patch_knn_position": "bicubic"}
        assert self.count(monkeypatch, open_clip_folder, pictures[0], **alike) == 1

    def test_others_have_one_each(
        self, monkeypatch: pytest.MonkeyPatch, open_clip_folder: Path, pictures: Pictures
    ) -> None:
        assert self.count(monkeypatch, open_clip_folder, pictures[0], winclip_image_size=48) == 2


class TestReferences:
    def test_none(self, open_clip_folder: Path, pictures: Pictures) -> None:
        with pytest.raises(UsageError, match=r"^winclip\+patch-knn needs good examples: give 2 or more as references$"):
            oddlens.load(FUSED, open_clip_folder, device="cpu").detect(pictures[0])

    def test_one(self, open_clip_folder: Path, pictures: Pictures) -> None:
        detector = oddlens.load(FUSED, open_clip_folder, device="cpu").add_references(pictures[0])
        with pytest.raises(UsageError, match=r"^winclip\+patch-knn needs good examples: give 2 or more as references$"):
            detector.detect(pictures[1])

    def test_turned_ones_are_the_second_methods(self, open_clip_folder: Path, pictures: Pictures) -> None:
        detector = oddlens.load(FUSED, open_clip_folder, device="cpu", patch_knn_turns=4).add_references(pictures[5:7])
        alone = oddlens.load("patch-knn", open_clip_folder, device="cpu", turns=4).add_references(pictures[5:7])
        words = oddlens.load("winclip", open_clip_folder, device="cpu").encode(pictures[5:7])
        assert detector.references is not None
        assert alone.references is not None
        features = detector.references.features
        for mark, expected in (("0:", words.features), ("1:", alone.references.features)):
            found = {name.removeprefix(mark): value for name, value in features.items() if name.startswith(mark)}
            assert found.keys() == expected.keys()
            assert all(torch.allclose(found[name], expected[name], atol=1e-5) for name in found)

    def test_thresholds_from_them_promise_nothing_but_those_of_other_images_do(
        self, detector: Detector, pictures: Pictures
    ) -> None:
        calibration = detector.calibration("nut")
        assert calibration is not None
        assert calibration.broken.startswith("The threshold promises no false-alarm rate: winclip+patch-knn measures")
        other = detector.with_references(detector.references)
        split = other.calibrate([np.rot90(each).copy() for each in pictures[:5]], 0.2, object_name="nut")
        assert split.broken == ""
        assert "at most" in split.promise


class TestWithTheRest:
    def test_a_station_gives_the_same(self, detector: Detector, pictures: Pictures, tmp_path: Path) -> None:
        detector.save(tmp_path / "station")
        opened = oddlens.open_station(tmp_path / "station", device="cpu")
        assert opened.recipe == detector.recipe
        for one, two in zip(opened.detect(pictures[:3]), detector.detect(pictures[:3]), strict=True):
            assert (one.score, one.verdict, one.thresholds) == (two.score, two.verdict, two.thresholds)
            assert (one.anomaly_map == two.anomaly_map).all()

    def test_tiles(self, open_clip_folder: Path, pictures: Pictures) -> None:
        detector = oddlens.load(FUSED, open_clip_folder, device="cpu", tiles="2x1").add_references(pictures[5:8])
        calibration = detector.calibration()
        assert calibration is not None
        assert len(calibration) == 3
        assert all(np.isfinite(each.score) for each in detector.detect(pictures[:2]))

    def test_tiles_by_size_are_refused_where_the_methods_sizes_differ(
        self, open_clip_folder: Path, pictures: Pictures
    ) -> None:
        detector = oddlens.load(FUSED, open_clip_folder, device="cpu", winclip_image_size=48, tiles="auto")
        with pytest.raises(UsageError, match="looks at images at two sizes, for which auto would make other tiles"):
            detector.add_references(pictures[5:8])

    def test_a_recipe_that_adapts_from_image_to_image_is_refused(self, open_clip_folder: Path) -> None:
        with pytest.raises(
            UsageError, match=r"^anovl\+patch-knn cannot be joined: with this recipe what anovl finds depends"
        ):
            oddlens.load("anovl+patch-knn", open_clip_folder, device="cpu", anovl_optimiser="kept")

    def test_maps_of_another_size_are_brought_to_the_second_methods(
        self, open_clip_folder: Path, pictures: Pictures
    ) -> None:
        detector = oddlens.load("winclip+anomalydino", open_clip_folder, device="cpu", anomalydino_rotations=2)
        detector.add_references(pictures[5:8])
        for found, picture in zip(detector.detect(pictures[:3]), pictures, strict=False):
            assert found.anomaly_map.shape == picture.shape[:2]
