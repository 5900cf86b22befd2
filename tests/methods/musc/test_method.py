"""MuSc's behaviour: a pool makes scores an image's own, a set makes them each other's."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import oddlens
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.methods.musc.method import _nearest
from oddlens.methods.musc.neighbourhoods import averaged
from oddlens.methods.musc.rscin import neighbours_mean
from tests.tiny_dinov2 import write_dinov2

Pictures = list[NDArray[np.uint8]]


def load(model: Path, **recipe: object) -> Detector:
    return oddlens.load("musc", model, device="cpu", **recipe)


def scores(detector: Detector, pictures: Pictures) -> list[float]:
    return [found.score for found in detector.detect(pictures)]


class TestAPool:
    def test_a_score_does_not_depend_on_the_other_images(self, open_clip_folder: Path, pictures: Pictures) -> None:
        detector = load(open_clip_folder).add_references(pictures[:5])
        together = scores(detector, pictures[5:])
        alone = [scores(detector, [picture])[0] for picture in pictures[5:]]
        assert together == pytest.approx(alone, abs=1e-5)

    def test_an_image_of_the_pool_is_not_far_from_it(self, open_clip_folder: Path, pictures: Pictures) -> None:
        detector = load(open_clip_folder).add_references(pictures[:3])
        known, unknown = scores(detector, [pictures[0], pictures[6]])
        assert known < 1e-5 < unknown  # of three images one counts

    def test_a_pool_of_defects_alone_is_no_promise(self, open_clip_folder: Path, pictures: Pictures) -> None:
        calibration = load(open_clip_folder).add_references(pictures[:3]).calibration()
        assert calibration is not None
        assert "promises no false-alarm rate: musc's pool may hold defects" in calibration.statement

    def test_the_lowest_share_counts(self, open_clip_folder: Path, pictures: Pictures) -> None:
        """With all of the pool, the score of a patch is its mean distance; it falls with the share."""
        found = [
            scores(load(open_clip_folder, share=share).add_references(pictures[:5]), pictures[6:7])[0]
            for share in (0.2, 0.6, 1.0)
        ]
        assert found[0] < found[1] < found[2]

    def test_it_is_kept_with_the_station(self, open_clip_folder: Path, pictures: Pictures, tmp_path: Path) -> None:
        detector = load(open_clip_folder, memory_dtype="float16").add_references(pictures[:4])
        detector.save(tmp_path / "station")
        opened = oddlens.open_station(tmp_path / "station", device="cpu")
        assert opened.references is not None
        assert opened.references.features["patches:1"].dtype == torch.float16
        assert scores(opened, pictures[5:]) == scores(detector, pictures[5:])


class TestASet:
    def test_it_is_refused_where_images_come_alone(
        self, open_clip_folder: Path, pictures: Pictures, tmp_path: Path
    ) -> None:
        detector = load(open_clip_folder)
        sentence = "^musc needs a pool of unlabelled images: give some as references, or many images at once"
        for call in (detector.detect, detector.calibrate, lambda images: list(detector.detect_each(images))):
            with pytest.raises(UsageError, match=sentence):
                call(pictures[:2])
        with pytest.raises(UsageError, match=sentence):
            detector.save(tmp_path / "station")
        assert not (tmp_path / "station").exists()

    @pytest.mark.parametrize("subset", [None, 3])
    def test_the_order_of_the_images_does_not_matter(
        self, subset: int | None, open_clip_folder: Path, pictures: Pictures
    ) -> None:
        detector = load(open_clip_folder, subset=subset)
        one, other = detector.detect_set(pictures), detector.detect_set(pictures[::-1])[::-1]
        assert [each.score for each in one] == pytest.approx([each.score for each in other], abs=1e-5)

    def test_a_subset_is_a_pool_for_all(self, open_clip_folder: Path, pictures: Pictures) -> None:
        detector = load(open_clip_folder, subset=3, rscin=())
        found = [each.score for each in detector.detect_set(pictures)]
        chosen = detector.method._chosen(detector.encode(pictures).features["key"].tolist())  # type: ignore[attr-defined]
        assert len(chosen) == 3
        pool = load(open_clip_folder, rscin=()).add_references([pictures[number] for number in chosen])
        for number, picture in enumerate(pictures):
            if number not in chosen:
                assert found[number] == pytest.approx(scores(pool, [picture])[0], abs=1e-5)
        seeds = {tuple(load(open_clip_folder, subset=3, seed=seed).method._chosen([*range(8)])) for seed in range(1, 9)}  # type: ignore[attr-defined]
        assert len(seeds) > 1

    @pytest.mark.parametrize("count", [2, 3, 4])
    def test_of_few_images_one_counts(self, count: int, open_clip_folder: Path, pictures: Pictures) -> None:
        found = load(open_clip_folder).detect_set(pictures[:count])
        assert all(np.isfinite(each.score) for each in found)

    def test_one_image_is_no_set(self, open_clip_folder: Path, pictures: Pictures) -> None:
        with pytest.raises(UsageError, match="a set is two images or more"):
            load(open_clip_folder).detect_set(pictures[0])

    def test_rscin_leaves_the_maps_as_they_are(self, open_clip_folder: Path, pictures: Pictures) -> None:
        plain, ranked = (load(open_clip_folder, rscin=rscin).detect_set(pictures) for rscin in ((), (1, 2, 3)))
        assert all(np.array_equal(one.anomaly_map, two.anomaly_map) for one, two in zip(plain, ranked, strict=True))
        assert [each.score for each in plain] == [pytest.approx(float(each.anomaly_map.max())) for each in plain]
        assert 0 <= min(each.score for each in ranked) <= max(each.score for each in ranked) <= 1


def test_rscin_of_equal_scores_and_of_more_neighbours_than_images() -> None:
    features = torch.eye(3)
    assert neighbours_mean(torch.tensor([2.0, 2, 2]), features, (1, 2)).tolist() == [0, 0, 0]
    found = neighbours_mean(torch.tensor([1.0, 2, 3]), torch.ones(3, 1), (9,))
    assert found.tolist() == pytest.approx([0.5] * 3)


def test_two_copies_of_an_image_are_at_no_distance_at_all() -> None:
    """A distance made of cosines would be rounding alone."""
    tokens = torch.randn(2, 9, 512, generator=torch.Generator().manual_seed(0))
    both = averaged(tokens, 3)
    assert _nearest(both, tokens, 3)[0, :, 0].max() == 0


def test_what_is_compared_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = torch.randn(3, 9, 16, generator=torch.Generator().manual_seed(0))
    together = _nearest(averaged(tokens, 1), tokens, 1)
    monkeypatch.setattr("oddlens.methods.musc.method.CHUNK", 20)
    assert torch.allclose(_nearest(averaged(tokens, 1), tokens, 1), together, atol=1e-6)


def test_a_dinov2_is_read_as_the_authors_read_it(tmp_path: Path, pictures: Pictures) -> None:
    """Tokens after the final LayerNorm, and the class token as it is."""
    detector = load(write_dinov2(tmp_path / "model", registers=4), recipe="dinov2")
    method = detector.method
    assert (method.request.position, method.request.interpolation) == ("bicubic", "bilinear")
    features = detector.encode(pictures[:1]).features
    vision = method.backbone.vision
    with torch.inference_mode():
        pixels = method.backbone.to_pixels(pictures[:1], detector.recipe.image_size, "bilinear")  # type: ignore[attr-defined]
        found = vision.run_blocks(vision.embed(pixels, "bicubic"), (2,))
        assert torch.allclose(features["patches:2"], vision.normed(found.patches(2)), atol=1e-5)
        assert torch.allclose(features["image"], vision.normed(found.image), atol=1e-5)


def test_more_sizes_of_neighbourhoods_can_be_chosen(open_clip_folder: Path, pictures: Pictures) -> None:
    found = [
        scores(load(open_clip_folder, degrees=degrees).add_references(pictures[:4]), pictures[6:7])
        for degrees in ((1,), (1, 3, 5))
    ]
    assert found[0] != pytest.approx(found[1], rel=1e-3)
