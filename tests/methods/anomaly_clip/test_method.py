"""AnomalyCLIP against a plain restatement; which weights it takes, and what it refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

import oddlens
from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.detector import Detector
from oddlens.errors import ModelError, UsageError
from oddlens.methods.anomaly_clip.recipe import AnomalyCLIPRecipe
from oddlens.methods.weights import write_weights
from tests.naive_clip import NaiveClip, resized_positions
from tests.tiny_clip import SHAPE, Shape, Weights, random_weights, write_open_clip
from tests.tiny_prompts import random_prompts, write_authors, write_ours

Pictures = list[NDArray[np.uint8]]
FITTED = AnomalyCLIPRecipe(image_size=40, layers=(3,), local_from=1, prompt_depth=2)
"""The paper's recipe on the tiny model: three vision blocks, two text blocks, 40 px."""


@pytest.fixture(scope="module")
def backbone(open_clip_folder: Path) -> Backbone:
    return load_backbone(open_clip_folder, device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def authors(backbone: Backbone, folder: Path) -> Path:
    return write_authors(folder / "epoch_15.pth", random_prompts(backbone, FITTED), backbone)


@pytest.fixture(scope="module")
def ours(backbone: Backbone, folder: Path) -> Path:
    """The same prompts in our file, made with two layers."""
    recipe = replace(FITTED, layers=(2, 3))
    return write_ours(folder / "ours.safetensors", random_prompts(backbone, FITTED).state_dict(), backbone, recipe)


@pytest.fixture(scope="module")
def detector(open_clip_folder: Path, authors: Path) -> Detector:
    return oddlens.load("anomalyclip", open_clip_folder, authors, "cpu")


class NaiveAnomalyCLIP:
    """One picture, one patch at a time, in float64. texts: unit-norm prototypes, normal first."""

    def __init__(self, weights: Weights, recipe: AnomalyCLIPRecipe, texts: Tensor, patch_size: int) -> None:
        self.clip = NaiveClip(weights)
        self.recipe = recipe
        self.texts = texts.double()
        self.grid = recipe.image_size // patch_size
        self.positions = resized_positions(weights["visual.positional_embedding"], (self.grid, self.grid), "bilinear")

    def abnormal(self, feature: Tensor) -> float:
        odds = torch.exp(self.texts @ F.normalize(feature, dim=0) / self.recipe.temperature)
        return float(odds[1] / odds.sum())

    def detect(self, picture: NDArray[np.uint8]) -> tuple[float, NDArray[np.float64]]:
        size = self.recipe.image_size
        resized = np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))
        pixels = torch.tensor((resized / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.25, 0.3])
        tokens = self.clip.tokens(pixels.permute(2, 0, 1), self.positions)
        score = self.abnormal(self.clip.hidden(tokens)[-1][0] @ self.clip.w["visual.proj"])
        streams = self.clip.local(tokens, self.recipe.local_from)
        total = np.zeros((size, size))
        for layer in self.recipe.layers:
            odds = torch.tensor(
                [self.abnormal(self.clip.project(row)) for row in streams[layer][1:]], dtype=torch.float64
            )
            square = odds.view(1, 1, self.grid, self.grid)
            total += F.interpolate(square, (size, size), mode="bilinear", align_corners=False)[0, 0].numpy()
        return score, gaussian_filter(total, sigma=self.recipe.sigma)


class TestAgainstTheRestatement:
    @pytest.mark.parametrize(
        ("seed", "settings"),
        [
            (31, {}),
            (32, {"layers": (1, 2, 3)}),
            (33, {"layers": (2, 3), "local_from": 2, "temperature": 0.5}),
            (34, {"layers": (2,), "sigma": 1.5}),
            (35, {"image_size": 56, "layers": (3,), "local_from": 3}),
        ],
    )
    def test_any_model_and_any_recipe(
        self, tmp_path: Path, pictures: Pictures, seed: int, settings: dict[str, Any]
    ) -> None:
        weights = random_weights(seed)
        model = write_open_clip(tmp_path / "model", weights)
        backbone = load_backbone(model, device="cpu")
        learned = write_authors(tmp_path / "epoch_15.pth", random_prompts(backbone, FITTED, seed), backbone)
        detector = oddlens.load("anomalyclip", model, learned, "cpu", **settings)
        naive = NaiveAnomalyCLIP(
            weights, detector.recipe, detector.method.encode_prompts("nut")["prototypes"], SHAPE.patch_size
        )
        for detection, picture in zip(detector.detect(pictures[:2]), pictures, strict=False):
            score, anomaly_map = naive.detect(picture)
            assert detection.score == pytest.approx(score, abs=5e-6)
            assert np.abs(detection.anomaly_map - anomaly_map).max() < 1e-5


class TestRecipes:
    def test_the_papers_is_fitted_to_the_model_and_reported(self, detector: Detector) -> None:
        assert detector.recipe == FITTED
        assert [note.split(",")[0] for note in detector.notes] == [
            "image_size 40", "layers (3", "local_from 1 for the 3 vision blocks of this model",
            "prompt_depth 2 for the 2 text blocks of this model",
        ]  # fmt: skip

    def test_multilayer_takes_a_quarter_of_the_tower_each(self, open_clip_folder: Path, authors: Path) -> None:
        found = oddlens.load("anomalyclip", open_clip_folder, authors, "cpu", recipe="multilayer")
        assert found.recipe == replace(FITTED, layers=(1, 2, 3))
        assert found.method.value_range(with_references=False) == (0, 3)

    def test_a_model_of_the_papers_own_size_gets_the_papers_pictures(self, tmp_path: Path) -> None:
        shape = Shape(image_size=336, patch_size=112, layers=1, text_layers=2)
        model = write_open_clip(tmp_path / "model", random_weights(3, shape), shape)
        backbone = load_backbone(model, device="cpu")
        learned = write_authors(tmp_path / "epoch_15.pth", random_prompts(backbone, FITTED), backbone)
        assert oddlens.load("anomalyclip", model, learned, "cpu").recipe.image_size == 518

    def test_our_weights_bring_the_recipe_they_were_trained_with(self, open_clip_folder: Path, ours: Path) -> None:
        trained = oddlens.load("anomalyclip", open_clip_folder, ours, "cpu")
        assert (trained.recipe.layers, trained.notes) == ((2, 3), ())
        named = oddlens.load("anomalyclip", open_clip_folder, ours, "cpu", recipe="published")
        assert named.recipe.layers == (3,)
        given = oddlens.load("anomalyclip", open_clip_folder, ours, "cpu", recipe="published", layers=[1])
        assert given.recipe.layers == (1,)

    @pytest.mark.parametrize(("layers", "told"), [((4,), "layer 4 does not exist"), ((1, 2), "starts at block 2")])
    def test_layers_that_the_local_stream_does_not_have_are_refused(
        self, open_clip_folder: Path, authors: Path, pictures: Pictures, layers: tuple[int, ...], told: str
    ) -> None:
        detector = oddlens.load("anomalyclip", open_clip_folder, authors, "cpu", layers=layers, local_from=2)
        with pytest.raises(UsageError, match=told):
            detector.detect(pictures[0])


class TestWeights:
    def test_the_authors_file_and_ours_find_the_same(
        self, open_clip_folder: Path, authors: Path, ours: Path, pictures: Pictures
    ) -> None:
        """To the last bit."""
        both = [
            oddlens.load("anomalyclip", open_clip_folder, weights, "cpu", layers=[2, 3], local_from=1).detect(pictures)
            for weights in (authors, ours)
        ]
        for one, other in zip(*both, strict=True):
            assert one.score == other.score
            assert np.array_equal(one.anomaly_map, other.anomaly_map)

    def test_without_any_it_says_how_to_get_some(self, open_clip_folder: Path) -> None:
        with pytest.raises(
            UsageError,
            match=r"needs learned prompts: .*oddlens train anomalyclip.*9_12_4_multiscale_visa/epoch_15\.pth",
        ):
            oddlens.load("anomalyclip", open_clip_folder, device="cpu")

    def test_those_of_another_method_are_refused(self, open_clip_folder: Path, tmp_path: Path) -> None:
        """Whether the file says so or only looks so."""
        made = {"method": "april-gan", "recipe": {"states": "april_gan"}, "model": "x", "model_fingerprint": "x"}
        write_weights(tmp_path / "linear.safetensors", {"fc.0.weight": torch.zeros(1)}, made)
        with pytest.raises(ModelError, match=r"linear\.safetensors holds weights of april-gan, not of anomalyclip"):
            oddlens.load("anomalyclip", open_clip_folder, tmp_path / "linear.safetensors", "cpu")
        torch.save({"trainable_linearlayer": {"fc.0.weight": torch.zeros(1)}}, tmp_path / "mvtec_pretrained.pth")
        with pytest.raises(ModelError, match=r"mvtec_pretrained\.pth does not hold prompts of AnomalyCLIP"):
            oddlens.load("anomalyclip", open_clip_folder, tmp_path / "mvtec_pretrained.pth", "cpu")

    def test_those_of_another_model_are_refused(
        self, open_clip_folder: Path, embedded_folder: Path, authors: Path, ours: Path, tmp_path: Path
    ) -> None:
        twin = write_open_clip(tmp_path / "twin", random_weights(seed=5))
        with pytest.raises(
            ModelError, match=r"ours\.safetensors was trained on the model open-clip, .* not those of twin"
        ):
            oddlens.load("anomalyclip", twin, ours, "cpu")
        with pytest.raises(ModelError, match=r"epoch_15\.pth was trained on another model than twin"):
            oddlens.load("anomalyclip", twin, authors, "cpu")
        with pytest.raises(
            ModelError, match=r"epoch_15\.pth was trained with a text tower 64 wide, and that of own is 32"
        ):
            oddlens.load("anomalyclip", embedded_folder, authors, "cpu")


class TestUse:
    def test_the_objects_name_plays_no_part(self, detector: Detector, pictures: Pictures) -> None:
        (one,), (other,) = (detector.detect(pictures[0], name) for name in ("bottle", "a road"))
        assert one.score == other.score
        assert np.array_equal(one.anomaly_map, other.anomaly_map)

    def test_smoothing_and_temperature_may_change_between_questions(
        self, open_clip_folder: Path, authors: Path, detector: Detector, pictures: Pictures
    ) -> None:
        changes = {"sigma": 1.0, "temperature": 0.3}
        (query_field,) = detector.predict(detector.encode(pictures[0]), **changes)
        (loaded,) = oddlens.load("anomalyclip", open_clip_folder, authors, "cpu", **changes).detect(pictures[0])
        assert query_field.score == loaded.score
        assert np.array_equal(query_field.anomaly_map, loaded.anomaly_map)

    @pytest.mark.parametrize("temperature", [1e-6, 1e-4, 1.0, 1e6])
    def test_maps_and_scores_are_finite_and_within_their_range(
        self, open_clip_folder: Path, authors: Path, pictures: Pictures, temperature: float
    ) -> None:
        detector = oddlens.load(
            "anomalyclip", open_clip_folder, authors, "cpu", recipe="multilayer", temperature=temperature
        )
        low, high = detector.method.value_range(with_references=False)
        for detection in detector.detect(pictures[:2]):
            assert 0 <= detection.score <= 1
            assert low <= detection.anomaly_map.min()
            assert detection.anomaly_map.max() <= high + 1e-5

    def test_in_the_last_block_only_cls_is_fed_forward(self, detector: Detector, pictures: Pictures) -> None:
        seen = []
        blocks = detector.method.backbone.vision.blocks
        hooks = [
            block.fc_1.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[1])) for block in blocks
        ]
        detector.detect(pictures[0])
        for hook in hooks:
            hook.remove()
        assert seen == [26, 26, 1]

    def test_the_embedded_model_takes_prompts_of_its_own(self, tmp_path: Path, pictures: Pictures) -> None:
        """Four vision blocks, three text blocks, whole words: the recipe is fitted, the prompts have their room."""
        backbone = load_backbone(device="cpu")
        fitted = AnomalyCLIPRecipe(image_size=224, layers=(4,), local_from=1, prompt_depth=3)
        weights = write_ours(
            tmp_path / "mini.safetensors", random_prompts(backbone, fitted).state_dict(), backbone, fitted
        )
        detector = oddlens.load("anomalyclip", weights=weights, device="cpu")
        assert detector.recipe == fitted
        found = detector.detect(pictures[:2])
        assert {detection.anomaly_map.shape for detection in found} == {(224, 224)}
        assert found[0].score != found[1].score
