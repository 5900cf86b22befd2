"""patch-knn against a plain restatement: every cell looked up alone, everything divided and smoothed by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.backbone.normalisation import LITE_MEAN, LITE_STD
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.patch_knn.method import PatchKNN
from oddlens.methods.patch_knn.recipe import PatchKNNRecipe
from tests.tiny_dinov2 import write_dinov2
from tests.tiny_siglip import write_siglip

Pictures = list[NDArray[np.uint8]]
STAGES = ("s3", "s5", "s6")


class NaivePatchKNN:
    """The steps of docs/methods/patch-knn.md on the embedded model's stem, image by image, at 64 x 64 pixels."""

    def __init__(self, folder: Path, *, place: float = 0, divide: str = "map", scored: int = 0) -> None:
        self.vision = load_backbone(folder, device="cpu").vision
        self.place, self.divide, self.scored = place, divide, scored

    def cells(self, picture: NDArray[np.uint8]) -> list[Tensor]:
        """[rows, columns, channels] of each stage, of unit length, with the places behind."""
        squeezed = np.asarray(Image.fromarray(picture).resize((64, 64), Image.Resampling.BICUBIC))
        pixels = torch.tensor((squeezed / 255 - LITE_MEAN) / LITE_STD).permute(2, 0, 1)[None].float()
        with torch.inference_mode():
            raw = self.vision.embed(pixels).raw
            maps = [self.vision.stem.tap(name, raw)[0].permute(1, 2, 0) for name in STAGES]
        return [
            torch.stack(
                [torch.stack([self.cell(row, i, j) for j, row in enumerate(line)]) for i, line in enumerate(each)]
            )
            for each in maps
        ]

    def cell(self, features: Tensor, row: int, column: int) -> Tensor:
        return features / features.norm()

    def distances(
        self, picture: NDArray[np.uint8], references: Pictures
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the score is made of and what the map is made of, on the grid of the first stage (8 x 8)."""
        known = [self.cells(each) for each in references]
        fields = []
        for stage, own in enumerate(self.cells(picture)):
            rows, columns = own.shape[:2]
            field = torch.zeros(rows, columns)
            for i in range(rows):
                for j in range(columns):
                    field[i, j] = min(
                        float(
                            1
                            - own[i, j] @ other[stage][k, m]
                            + self.place / 2 * (((i - k) / rows) ** 2 + ((j - m) / columns) ** 2)
                        )
                        for other in known
                        for k in range(rows)
                        for m in range(columns)
                    )
            fields.append(F.interpolate(field[None, None], (8, 8), mode="bilinear")[0, 0].double().numpy())
        return np.mean(fields[self.scored :], axis=0), np.mean(fields, axis=0)

    def usual(self, references: Pictures, which: int) -> Any:
        if len(references) < 2:
            return 1
        mean = np.mean(
            [self.distances(each, references[:n] + references[n + 1 :])[which] for n, each in enumerate(references)],
            axis=0,
        )
        usual = gaussian_filter(mean, 4)
        usual += usual.mean() / 2
        return usual / usual.mean()

    def detect(self, picture: NDArray[np.uint8], references: Pictures) -> tuple[float, NDArray[np.float64]]:
        scored, field = self.distances(picture, references)
        if self.divide == "both":
            scored = scored / self.usual(references, 0)
        if self.divide != "none":
            field = field / self.usual(references, 1)
        whole = F.interpolate(torch.tensor(field)[None, None], (64, 64), mode="bilinear")[0, 0].numpy()
        return float(scored.max()), gaussian_filter(whole, 8)


def pictures_of(seed: int, count: int, size: tuple[int, int] = (64, 64)) -> Pictures:
    """Smooth noise, which has structure at several scales."""
    rng = np.random.default_rng(seed)
    small = [rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for _ in range(count)]
    return [np.asarray(Image.fromarray(each).resize(size, Image.Resampling.BICUBIC)) for each in small]


def load(folder: Path, **recipe: Any) -> Detector:
    return oddlens.load("patch-knn", folder, device="cpu", **recipe)


class TestAgainstTheRestatement:
    @pytest.mark.parametrize(
        ("count", "recipe", "naive"),
        [
            (1, {}, {}),
            (3, {}, {}),
            (2, {"recipe": "plain"}, {"divide": "none"}),
            (3, {"recipe": "aligned"}, {"divide": "both", "place": 3}),
            (2, {"score_taps": "coarse"}, {"scored": 1}),
        ],
    )
    def test_scores_and_maps(
        self, embedded_folder: Path, count: int, recipe: dict[str, Any], naive: dict[str, Any]
    ) -> None:
        references, (first, second) = pictures_of(1, count, (80, 80)), pictures_of(2, 2, (48, 48))
        restated = NaivePatchKNN(embedded_folder, **naive)
        detector = load(embedded_folder, **recipe).add_references(references)
        for found, picture in zip(detector.detect([first, second]), (first, second), strict=True):
            score, expected = restated.detect(picture, references)
            assert found.score == pytest.approx(score, abs=1e-5)
            assert np.abs(found.anomaly_map - expected).max() < 1e-5

    def test_the_score_is_the_mean_of_the_most_anomalous_cells(self, embedded_folder: Path) -> None:
        references, (picture,) = pictures_of(1, 2), pictures_of(2, 1)
        scored, _ = NaivePatchKNN(embedded_folder).distances(picture, references)
        detector = load(embedded_folder).add_references(references)
        encoded = detector.encode(picture)
        for top, cells in ((0.01, 1), (0.1, 6), (1, 64)):
            expected = np.sort(scored.ravel())[-cells:].mean()
            assert detector.predict(encoded, top=top)[0].score == pytest.approx(expected, abs=1e-5)


class TestReferences:
    def test_they_are_needed(self, embedded_folder: Path) -> None:
        with pytest.raises(UsageError, match=r"^patch-knn needs good examples: give some as references$"):
            load(embedded_folder).detect(pictures_of(1, 1))

    def test_one_of_them_is_at_no_distance(self, embedded_folder: Path) -> None:
        references = pictures_of(1, 3)
        found = load(embedded_folder).add_references(references).detect(references[1])[0]
        assert found.score < 1e-5
        assert found.anomaly_map.max() < 1e-5

    @settings(max_examples=15)
    @given(seed=st.integers(0, 10**6), count=st.integers(2, 5))
    def test_no_score_rises_when_an_image_joins(self, embedded_folder: Path, seed: int, count: int) -> None:
        """Those of new images nor those of the references against the others, also where few rows of each are remembered."""
        references = pictures_of(seed, count + 1)
        queries = pictures_of(seed + 1, 2)
        for recipe in ({}, {"max_rows": 7}, {"place": 2.0, "max_rows": 7, "rows": "coreset"}):
            detector = load(embedded_folder, **recipe)
            encoded, known = detector.encode(queries), detector.encode(references)
            fewer, more = (detector.with_references(known[:number]) for number in (count, count + 1))
            for one, other in zip(fewer.predict(encoded), more.predict(encoded), strict=True):
                assert other.score <= one.score + 1e-6
            before, after = fewer.calibration(), more.calibration()
            assert before is not None
            assert after is not None
            assert (np.array(after.scores[:count]) <= np.array(before.scores) + 1e-6).all()

    def test_joining_later_is_joining_at_once(self, embedded_folder: Path) -> None:
        references, query = pictures_of(1, 4), pictures_of(2, 1)
        (once,) = load(embedded_folder, max_rows=5).add_references(references).detect(query)
        detector = load(embedded_folder, max_rows=5).add_references(references[:1])
        (later,) = detector.add_references(references[1:]).detect(query)
        assert later.score == pytest.approx(
            once.score, abs=1e-5
        )  # batches of other sizes: other last bits on some processors
        assert np.abs(later.anomaly_map - once.anomaly_map).max() < 1e-5

    def test_a_divided_score_is_said_to_promise_nothing(self, embedded_folder: Path) -> None:
        references = pictures_of(1, 3)
        for divide, score, maps in (("none", False, False), ("map", False, True), ("both", True, True)):
            detector = load(embedded_folder, divide=divide).add_references(references)
            calibration = detector.calibration()
            assert calibration is not None
            assert bool(calibration.unguaranteed) is score
            assert bool(detector.method.unguaranteed_maps) is maps


class TestRows:
    def bank(self, folder: Path, **recipe: Any) -> MemoryBank:
        detector = load(folder, **recipe)
        return detector.method.fit(detector.encode_references(pictures_of(1, 3)).features)

    def test_all_cells_of_every_stage_are_remembered(self, embedded_folder: Path) -> None:
        bank = self.bank(embedded_folder)
        assert {name: tuple(bank.rows(name).shape) for name in bank.names} == {
            "stage:s3": (3 * 64, 40), "stage:s5": (3 * 16, 112), "stage:s6": (3 * 4, 192)
        }  # fmt: skip

    @pytest.mark.parametrize("rows", ["sampled", "coreset"])
    def test_so_many_of_each_reference(self, embedded_folder: Path, rows: str) -> None:
        whole, bank = self.bank(embedded_folder), self.bank(embedded_folder, max_rows=6, rows=rows)
        for name, most in (("stage:s3", 6), ("stage:s5", 6), ("stage:s6", 4)):
            assert bank.owners(name).tolist() == [owner for owner in range(3) for _ in range(most)]
            assert float(whole.distance(name, bank.rows(name)[None]).max()) < 1e-6

    def test_turned_and_mirrored_ones_too(self, embedded_folder: Path) -> None:
        detector = load(embedded_folder, turns=4, flips=True)
        picture, other = pictures_of(1, 2)
        detector.add_references([picture, other])
        plain = load(embedded_folder).add_references([picture, other])
        for changed in (np.rot90(picture, 2), picture[:, ::-1], picture[::-1]):
            known, unknown = (each.detect(np.ascontiguousarray(changed))[0].score for each in (detector, plain))
            assert known < unknown / 2
        assert detector.references is not None
        assert len(detector.references) == 2
        calibration = detector.calibration()
        assert calibration is not None
        assert min(calibration.scores) > 0.01  # no view of an image stands for it when it is left out


class TestSizes:
    def test_images_keep_their_aspect(self, embedded_folder: Path) -> None:
        detector = load(embedded_folder, image_size=96)
        long, square = pictures_of(1, 1, (200, 100))[0], pictures_of(2, 1, (70, 70))[0]
        grids = [detector.encode(each).features["grid:s3"].tolist() for each in (long, square)]
        assert grids == [[[8, 16]], [[12, 12]]]
        assert load(embedded_folder, image_size=96, aspect=False).encode(long).features["grid:s3"].tolist() == [
            [12, 12]
        ]

    def test_what_is_found_does_not_depend_on_the_images_beside(self, embedded_folder: Path, tmp_path: Path) -> None:
        """Neither among queries nor among references, nor in a station."""
        sizes = [(96, 96), (200, 100), (90, 97), (80, 190), (64, 64)]
        references = [pictures_of(number, 1, size)[0] for number, size in enumerate(sizes)]
        queries = [pictures_of(10 + number, 1, size)[0] for number, size in enumerate(sizes)]
        detector = load(embedded_folder, image_size=96)
        for each in references:
            detector.add_references(each)
        together = load(embedded_folder, image_size=96).add_references(references)
        together.save(tmp_path / "station")
        opened = oddlens.open_station(tmp_path / "station", device="cpu")
        alone = [found for query in queries for found in detector.detect(query)]
        for other in (detector.detect(queries), together.detect(queries), opened.detect(queries[::-1])[::-1]):
            for one, two in zip(alone, other, strict=True):
                assert one.anomaly_map.shape == (96, 96)
                assert one.score == pytest.approx(two.score, abs=1e-5)
                assert np.abs(one.anomaly_map - two.anomaly_map).max() < 1e-5
        first, second = detector.calibration(), opened.calibration()
        assert first is not None
        assert second is not None
        assert first.scores == pytest.approx(second.scores, abs=1e-5)

    def test_a_long_image_is_matched_cell_by_cell(self, embedded_folder: Path) -> None:
        """A reference with a corner changed: the map is highest at that corner."""
        good = pictures_of(1, 1, (200, 100))[0]
        changed = good.copy()
        changed[60:, 160:] = 255 - changed[60:, 160:]
        (found,) = load(embedded_folder, image_size=96).add_references(good).detect(changed)
        row, column = np.unravel_index(found.anomaly_map.argmax(), found.anomaly_map.shape)
        assert row > 48
        assert column > 64

    def test_a_side_is_a_multiple_of_the_coarsest_cell(self, embedded_folder: Path) -> None:
        (found,) = load(embedded_folder, image_size=70).add_references(pictures_of(1, 1)).detect(pictures_of(2, 1))
        assert found.anomaly_map.shape == (64, 64)


class TestTiles:
    def test_nothing_is_divided(self, embedded_folder: Path) -> None:
        """Tiles show different places of an image."""
        references, query = pictures_of(1, 3, (128, 128)), pictures_of(2, 1, (128, 128))
        maps = {}
        for tiles in (None, "2x2"):
            for divide in ("none", "map"):
                detector = load(embedded_folder, image_size=64, divide=divide, tiles=tiles).add_references(references)
                maps[tiles, divide] = detector.detect(query)[0].anomaly_map
        assert (maps["2x2", "none"] == maps["2x2", "map"]).all()
        assert (maps[None, "none"] != maps[None, "map"]).any()

    def test_a_reference_is_left_out_with_all_its_tiles(self, embedded_folder: Path) -> None:
        detector = load(embedded_folder, tiles="2x2").add_references(pictures_of(1, 3, (128, 128)))
        calibration = detector.calibration()
        assert calibration is not None
        assert min(calibration.scores) > 0.01


class TestTowers:
    def test_a_vit_is_compared_after_half_three_quarters_and_all_of_its_blocks(self, tmp_path: Path) -> None:
        folder = write_dinov2(tmp_path, registers=4)
        detector = load(folder)
        method = detector.method
        assert isinstance(method, PatchKNN)
        depth = method.backbone.vision.config.layers
        assert method.request.taps == tuple(dict.fromkeys((-(-depth // 2), -(-3 * depth // 4), depth)))
        good, other = pictures_of(1, 2)
        known, unknown = detector.add_references(good).detect([good, other])
        assert known.score < 1e-4 < unknown.score

    def test_a_siglip(self, tmp_path: Path) -> None:
        folder = write_siglip(tmp_path, "siglip")
        good, other = pictures_of(1, 2)
        known, unknown = load(folder).add_references(good).detect([good, other])
        assert known.score < 1e-4 < unknown.score

    def test_taps_can_be_named(self, embedded_folder: Path) -> None:
        features = load(embedded_folder, taps=["s5", 2]).encode(pictures_of(1, 1)).features
        assert features["stage:s5"].shape == (1, 4, 4, 112)
        assert features["stage:2"].shape == (1, 4, 4, 32)
        with pytest.raises(UsageError, match="it has stem, s3, s5, s6"):
            load(embedded_folder, taps=["s4"]).encode(pictures_of(1, 1))

    def test_stage_6_is_not_loaded_for_others(self, embedded_folder: Path) -> None:
        for method, loaded in (("winclip", False), ("patch-knn", True)):
            backbone = load_backbone(embedded_folder, device="cpu")
            if method == "patch-knn":
                PatchKNN(backbone, PatchKNNRecipe(image_size=64))
            assert (backbone.vision.stem.stage_6 is not None) is loaded
