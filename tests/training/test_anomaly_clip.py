"""AnomalyCLIP's learning: its losses written out pixel by pixel, what learns, and what comes of it."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.methods.anomaly_clip.method import AnomalyCLIP
from oddlens.methods.anomaly_clip.recipe import AnomalyCLIPRecipe
from oddlens.methods.base import Features
from oddlens.methods.recipe import make_recipe
from oddlens.methods.weights import MethodWeights
from oddlens.training.anomaly_clip import AnomalyCLIPTraining, TrainableAnomalyCLIP

RECIPE = AnomalyCLIPRecipe(image_size=40, layers=(2, 3), local_from=1, context_length=5, prompt_depth=2, deep_tokens=2)
SETTINGS = AnomalyCLIPTraining()


@pytest.fixture(scope="module")
def backbone(open_clip_folder: Path) -> Backbone:
    return load_backbone(open_clip_folder, device="cpu")


@pytest.fixture
def trainable(backbone: Backbone) -> TrainableAnomalyCLIP:
    return TrainableAnomalyCLIP(backbone, RECIPE, SETTINGS)


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    return torch.randn(3, 3, 40, 40, generator=torch.Generator().manual_seed(8))


@pytest.fixture(scope="module")
def features(backbone: Backbone, pixels: Tensor) -> Features:
    """Of three images; the first is normal, the others have a square."""
    trainable = TrainableAnomalyCLIP(backbone, RECIPE, SETTINGS)
    with torch.no_grad():
        return trainable.encode(pass_pixels(backbone, pixels, trainable.request))


MASKS = torch.zeros(3, 40, 40, dtype=torch.int64)
MASKS[1, 8:16, 8:32] = 1
MASKS[2, 20:, :20] = 1
LABELS = torch.tensor([0, 1, 1])


def losses(trainable: TrainableAnomalyCLIP, features: Features) -> dict[str, Tensor]:
    return trainable.losses(features, MASKS, LABELS, ["nut", "nut", "carpet"], trainable.shared())


def prototypes(trainable: TrainableAnomalyCLIP) -> Tensor:
    """What the method makes of the prompts as they are."""
    method = AnomalyCLIP(trainable.backbone, RECIPE, MethodWeights("the tensors", trainable.tensors()))
    return method.encode_prompts("nut")["prototypes"]


class TestLosses:
    def test_they_are_the_formulas_of_the_released_code(
        self, trainable: TrainableAnomalyCLIP, features: Features
    ) -> None:
        texts = prototypes(trainable).double()
        expected = dict.fromkeys(("image", "focal", "dice_abnormal", "dice_normal"), 0.0)
        for feature, label in zip(features["image"].double(), LABELS.tolist(), strict=True):
            odds = (texts @ feature / 0.07).exp()
            expected["image"] -= math.log(odds[label] / odds.sum()) / 3
        for layer in RECIPE.layers:
            overlap = {0: 0.0, 1: 0.0}
            for patches, mask in zip(features[f"layer{layer}"].double(), MASKS, strict=True):
                odds = (patches @ texts.T / 0.07).exp()
                small = (odds / odds.sum(dim=1, keepdim=True)).T.view(1, 2, 5, 5)
                maps = F.interpolate(small, (40, 40), mode="bilinear", align_corners=False)[0]
                for state in (0, 1):
                    wanted = mask if state else 1 - mask
                    inside = float((maps[state] * wanted).sum())
                    overlap[state] += (2 * inside + 1) / (float(maps[state].sum()) + float(wanted.sum()) + 1) / 3
                for y in range(40):
                    for x in range(40):
                        true = float(maps[mask[y, x], y, x])
                        pt = (1 - 1e-5) * true + 1e-5 * (1 - true) + 1e-5
                        expected["focal"] -= 4 * (1 - pt) ** 2 * math.log(pt) / (3 * 1600)
            expected["dice_abnormal"] += 4 * (1 - overlap[1])
            expected["dice_normal"] += 4 * (1 - overlap[0])
        found = {name: float(value.detach()) for name, value in losses(trainable, features).items()}
        assert found == pytest.approx(expected, rel=1e-5)

    def test_the_published_weight_of_one_layer_is_four_copies_of_it(
        self, backbone: Backbone, features: Features
    ) -> None:
        """As the code of the published weights had it: its four layers were one and the same."""
        published = make_recipe(AnomalyCLIPTraining, {"recipe": "published"})
        once = TrainableAnomalyCLIP(backbone, replace(RECIPE, layers=(3,)), published)
        copies = TrainableAnomalyCLIP(backbone, replace(RECIPE, layers=(3, 3, 3, 3)), SETTINGS)
        for name, value in losses(once, features).items():
            assert float(value.detach()) == pytest.approx(float(losses(copies, features)[name].detach()), rel=1e-6)

    def test_the_objects_names_play_no_part(self, trainable: TrainableAnomalyCLIP, features: Features) -> None:
        others = trainable.losses(features, MASKS, LABELS, ["", "", ""], trainable.shared())
        assert all(torch.equal(others[name], value) for name, value in losses(trainable, features).items())


@pytest.mark.parametrize(("name", "weight"), [("released", 4.0), ("published", 16.0)])
def test_the_settings_are_the_published_ones(name: str, weight: float) -> None:
    made: Any = make_recipe(AnomalyCLIPTraining, {"recipe": name})
    assert (made.epochs, made.batch, made.learning_rate, made.betas) == (15, 8, 1e-3, (0.5, 0.999))
    assert (made.seed, made.mosaic, made.weight_local) == (111, 0, weight)
