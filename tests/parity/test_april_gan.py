"""APRIL-GAN through the public door, and one step of its training, held against the numbers of the authors' program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.detector import Detector
from oddlens.evaluation.set_scores import transductive_scores
from oddlens.methods.april_gan.method import AprilGAN
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.methods.common.maps import upsample
from oddlens.methods.weights import read_weights
from oddlens.training.april_gan import AprilGANTraining, TrainableAprilGAN

Case = dict[str, NDArray[np.generic]]
LAYERS = (6, 12, 18, 24)
WEIGHTS = Path("april_gan") / "official_layout.pth"


@pytest.fixture(scope="module")
def case(parity: Path) -> Case:
    return dict(np.load(parity / "april_gan" / "case.npz"))


def load(parity: Path, **changes: object) -> Detector:
    return oddlens.load("april-gan", parity / "clip-24", parity / WEIGHTS, "cpu", image_size=70, **changes)


@pytest.fixture(scope="module")
def zero_shot(parity: Path) -> Detector:
    return load(parity)


@pytest.fixture(scope="module")
def few_shot(parity: Path, case: Case) -> Detector:
    return load(parity).add_references(list(case["raw_uint8"][1:]))


def gap(ours: object, theirs: NDArray[np.generic]) -> float:
    found = np.asarray(ours)
    assert found.shape == theirs.shape
    return float(np.abs(found - theirs).max())


class TestDetection:
    def test_the_recipe_is_the_papers_and_only_the_size_was_given(self, zero_shot: Detector) -> None:
        assert zero_shot.recipe == AprilGANRecipe(image_size=70)
        assert zero_shot.notes == ()

    def test_text_features(self, zero_shot: Detector, case: Case) -> None:
        for name, theirs in zip(("bottle", "carpet"), case["text_features"], strict=True):
            assert gap(zero_shot.method.encode_prompts(name)["prototypes"].T, theirs) < 1e-6

    def test_zero_shot_probability_and_map(self, zero_shot: Detector, case: Case) -> None:
        (found,) = zero_shot.detect(case["raw_uint8"][0], "bottle")
        assert found.score == pytest.approx(case["probabilities"][0, 1], abs=1e-5)
        assert gap(found.anomaly_map, case["zero_map"][0]) < 1e-5

    def test_few_shot_map(self, few_shot: Detector, case: Case) -> None:
        (found,) = few_shot.detect(case["raw_uint8"][0], "bottle")
        assert gap(found.anomaly_map, case["final_map"][0]) < 1e-5

    @torch.inference_mode()
    def test_both_maps_layer_by_layer(self, few_shot: Detector, case: Case) -> None:
        method, references = few_shot.method, few_shot.references
        assert isinstance(method, AprilGAN)
        assert references is not None
        features, memory = few_shot.encode(case["raw_uint8"][0]).features, method.fit(references.features)
        words = list(method.layers.maps(features, method.encode_prompts("bottle")["prototypes"], 0.01, 70))
        for layer, zero, few, ours in zip(LAYERS, case["layer_maps"], case["few_layer_maps"], words, strict=True):
            assert gap(ours, zero) < 1e-5
            distance = memory.distance(f"tokens:{layer}", features[f"tokens:{layer}"]).view(1, 5, 5)
            assert gap(upsample(distance, (70, 70), align_corners=True), few) < 1e-5

    def test_the_transductive_score_is_their_formula(self, parity: Path, case: Case) -> None:
        detector = load(parity).add_references(list(case["raw_uint8"][1:]))
        found = detector.detect(list(case["raw_uint8"]), "bottle")
        peaks = [each.anomaly_map.max() for each in found]
        scaled = (case["final_map"].max() - min(peaks)) / (max(peaks) - min(peaks))
        query, *_ = transductive_scores([each.parts for each in found])
        assert query == pytest.approx((case["probabilities"][0, 1] + scaled) / 2, abs=1e-5)


class TestTrainingStep:
    """Two pictures, one of a bottle and one of a carpet."""

    @pytest.fixture
    def stepped(self, parity: Path, case: Case) -> tuple[TrainableAprilGAN, dict[str, float]]:
        """The layers after one step, with the gradients of that step, and its losses."""
        backbone = load_backbone(parity / "clip-24", device="cpu", activation="gelu")
        settings = AprilGANTraining()
        trainable = TrainableAprilGAN(backbone, AprilGANRecipe(image_size=70), settings)
        trainable.load(read_weights(parity / WEIGHTS).tensors)
        with torch.no_grad():
            features = trainable.encode(pass_pixels(backbone, torch.tensor(case["train_img"]), trainable.request))
        masks = torch.tensor(case["train_gt"]).long()
        optimiser = torch.optim.Adam(trainable.parameters(), settings.learning_rate, settings.betas)
        parts = trainable.losses(
            features, masks, masks.flatten(1).amax(dim=1), ["bottle", "carpet"], trainable.shared()
        )
        torch.stack(list(parts.values())).sum().backward()
        optimiser.step()
        return trainable, {name: float(value.detach()) for name, value in parts.items()}

    def test_losses(self, stepped: tuple[TrainableAprilGAN, dict[str, float]], case: Case) -> None:
        _, parts = stepped
        focal, dice = case["train_parts"].sum(axis=0)
        assert parts == pytest.approx({"focal": float(focal), "dice": float(dice)}, abs=1e-5)
        assert sum(parts.values()) == pytest.approx(float(case["train_loss"]), abs=1e-5)

    def test_gradients(self, stepped: tuple[TrainableAprilGAN, dict[str, float]], case: Case) -> None:
        trainable, _ = stepped
        for name, parameter in zip(trainable.tensors(), trainable.parameters(), strict=True):
            assert parameter.grad is not None
            assert gap(parameter.grad, case[f"train_grad/{name}"]) < 1e-5

    def test_updated_parameters(self, stepped: tuple[TrainableAprilGAN, dict[str, float]], case: Case) -> None:
        trainable, _ = stepped
        for name, value in trainable.tensors().items():
            assert gap(value, case[f"train_after/{name}"]) < 1e-5
