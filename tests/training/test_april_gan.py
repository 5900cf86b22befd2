"""APRIL-GAN's learning: its losses written out pixel by pixel, what learns, and what comes of it."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.errors import ModelError
from oddlens.methods.april_gan.method import state_prototypes
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.methods.base import Features
from oddlens.methods.recipe import make_recipe
from oddlens.training.april_gan import AprilGANTraining, TrainableAprilGAN
from tests.tiny_layers import random_layers

RECIPE = AprilGANRecipe(image_size=40, layers=(1, 3))
SETTINGS = AprilGANTraining()
NAMES = ["nut", "carpet", "nut"]


@pytest.fixture
def trainable(backbone: Backbone) -> TrainableAprilGAN:
    return TrainableAprilGAN(backbone, RECIPE, SETTINGS)


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    return torch.randn(3, 3, 40, 40, generator=torch.Generator().manual_seed(8))


@pytest.fixture(scope="module")
def features(backbone: Backbone, pixels: Tensor) -> Features:
    """Of three images; the first is normal, the others have a square."""
    trainable = TrainableAprilGAN(backbone, RECIPE, SETTINGS)
    with torch.no_grad():
        return trainable.encode(pass_pixels(backbone, pixels, trainable.request))


MASKS = torch.zeros(3, 40, 40, dtype=torch.int64)
MASKS[1, 8:16, 8:32] = 1
MASKS[2, 20:, :20] = 1
LABELS = torch.tensor([0, 1, 1])


def losses(trainable: TrainableAprilGAN, features: Features) -> dict[str, Tensor]:
    return trainable.losses(features, MASKS, LABELS, NAMES, {})


class TestLosses:
    def test_they_are_the_formulas_of_the_released_code(self, trainable: TrainableAprilGAN, features: Features) -> None:
        layers, expected = trainable.tensors(), {"focal": 0.0, "dice": 0.0}
        for number, tap in enumerate(RECIPE.layers):
            weight, bias = (layers[f"fc.{number}.{part}"].double() for part in ("weight", "bias"))
            for tokens, mask, name in zip(features[f"tokens:{tap}"].double(), MASKS, NAMES, strict=True):
                texts = state_prototypes(trainable.backbone, name).double()
                logits = 100 * F.normalize(tokens @ weight.T + bias, dim=1) @ texts.T
                square = logits.T.reshape(1, 2, 5, 5)
                p = F.interpolate(square, (40, 40), mode="bilinear", align_corners=True)[0].softmax(dim=0)
                for y in range(40):
                    for x in range(40):
                        true = float(p[mask[y, x], y, x])
                        pt = (1 - 1e-5) * true + 1e-5 * (1 - true) + 1e-5
                        expected["focal"] -= (1 - pt) ** 2 * math.log(pt) / (3 * 1600)
                overlap = (2 * float((p[1] * mask).sum()) + 1) / (float(p[1].sum()) + float(mask.sum()) + 1)
                expected["dice"] += (1 - overlap) / 3
        found = {name: float(value.detach()) for name, value in losses(trainable, features).items()}
        assert found == pytest.approx(expected, rel=1e-5)

    def test_every_picture_is_held_against_its_own_object(
        self, trainable: TrainableAprilGAN, features: Features
    ) -> None:
        parts = losses(trainable, features)
        order = [2, 0, 1]
        shuffled = {name: value[order] for name, value in features.items()}
        same = trainable.losses(shuffled, MASKS[order], LABELS[order], [NAMES[number] for number in order], {})
        other = trainable.losses(features, MASKS, LABELS, ["nut", "nut", "carpet"], {})
        for name, value in parts.items():
            assert float(same[name].detach()) == pytest.approx(float(value.detach()), rel=1e-6)
            assert float(other[name].detach()) != pytest.approx(float(value.detach()), rel=1e-4)

    def test_an_objects_words_are_read_once(
        self, trainable: TrainableAprilGAN, features: Features, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = losses(trainable, features)

        def refuse(*_: object) -> None:
            raise AssertionError("the words were read again")

        monkeypatch.setattr(Backbone, "encode_text", refuse)
        assert all(torch.equal(value, before[name]) for name, value in losses(trainable, features).items())


class TestLearning:
    def test_tensors_of_other_layers_are_refused(self, trainable: TrainableAprilGAN) -> None:
        with pytest.raises(ModelError, match="needs 2 linear layers from width 128 to 32, for the blocks 1, 3"):
            trainable.load(random_layers(count=3))


@pytest.mark.parametrize(("name", "epochs", "mosaic"), [("visa", 15, 0.0), ("mvtec", 3, 0.2)])
def test_the_settings_are_the_published_ones(name: str, epochs: int, mosaic: float) -> None:
    made: Any = make_recipe(AprilGANTraining, {"recipe": name})
    assert (made.epochs, made.mosaic) == (epochs, mosaic)
    assert (made.batch, made.learning_rate, made.betas, made.seed) == (8, 1e-3, (0.5, 0.999), 111)
