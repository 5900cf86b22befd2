"""What every method that can be trained keeps: what learns, what does not, and what comes of it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import oddlens
from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.detector import Detector
from oddlens.methods.anomaly_clip.recipe import AnomalyCLIPRecipe
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.methods.base import Features, method_class
from oddlens.methods.recipe_fields import Recipe
from oddlens.methods.registry import method_card
from oddlens.methods.weights import MethodWeights, write_weights
from oddlens.training import TRAINABLE, settings_class, trainable_class
from oddlens.training.trainable import Trainable

RECIPES: Mapping[str, Recipe] = {
    "april-gan": AprilGANRecipe(image_size=40, layers=(1, 3)),
    "anomalyclip": AnomalyCLIPRecipe(
        image_size=40, layers=(2, 3), local_from=1, context_length=5, prompt_depth=2, deep_tokens=2
    ),
}
"""Small ones for the tiny CLIP of `tests/conftest.py`."""

MASKS = torch.zeros(3, 40, 40, dtype=torch.int64)
MASKS[1, 8:16, 8:32] = 1
MASKS[2, 20:, :20] = 1
LABELS = torch.tensor([0, 1, 1])
NAMES = ["nut", "carpet", "nut"]


@pytest.fixture(scope="module")
def backbone(open_clip_folder: Path) -> Backbone:
    """The tiny CLIP, of which nothing learns."""
    return load_backbone(open_clip_folder, device="cpu")


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    """Three images, already normalised; the first is normal, the others have a square."""
    return torch.randn(3, 3, 40, 40, generator=torch.Generator().manual_seed(8))


def fresh(method: str, backbone: Backbone, **settings: Any) -> Trainable:
    """New tensors to learn."""
    return trainable_class(method)(backbone, RECIPES[method], settings_class(method)(**settings))


@torch.no_grad()
def features_of(trainable: Trainable, pixels: Tensor) -> Features:
    return trainable.encode(pass_pixels(trainable.backbone, pixels, trainable.request))


def learn(trainable: Trainable, features: Features, steps: int) -> list[float]:
    """The total loss before each step. The optimiser's own state is the loop's to keep: it starts over here."""
    settings: Any = settings_class(trainable.name)()
    optimiser = torch.optim.Adam(trainable.parameters(), settings.learning_rate, settings.betas)
    totals = []
    for _ in range(steps):
        total = torch.stack(list(trainable.losses(features, MASKS, LABELS, NAMES, trainable.shared()).values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(float(total.detach()))
    return totals


@pytest.mark.parametrize("method", TRAINABLE)
class TestEveryTrainable:
    def test_steps_make_the_losses_smaller(self, method: str, backbone: Backbone, pixels: Tensor) -> None:
        trainable = fresh(method, backbone)
        totals = learn(trainable, features_of(trainable, pixels), 25)
        assert totals[-1] < 0.9 * totals[0]

    def test_every_learned_number_learns_and_the_towers_do_not(
        self, method: str, backbone: Backbone, pixels: Tensor
    ) -> None:
        trainable = fresh(method, backbone)
        before = {name: value.clone() for name, value in backbone.model.state_dict().items()}
        drawn = trainable.tensors()
        learn(trainable, features_of(trainable, pixels), 1)
        assert [name for name, value in trainable.tensors().items() if bool((value == drawn[name]).any())] == []
        assert all(torch.equal(value, before[name]) for name, value in backbone.model.state_dict().items())

    def test_the_same_seed_learns_the_same(self, method: str, backbone: Backbone, pixels: Tensor) -> None:
        runs = [fresh(method, backbone, seed=seed) for seed in (1, 1, 2)]
        one, same, other = (learn(each, features_of(each, pixels), 2) for each in runs)
        assert one == same
        assert one != other

    def test_going_on_from_tensors_is_going_on(self, method: str, backbone: Backbone, pixels: Tensor) -> None:
        first, second = (fresh(method, backbone, seed=seed) for seed in (1, 2))
        features = features_of(first, pixels)
        learn(first, features, 2)
        second.load(first.tensors())
        assert learn(second, features, 2) == learn(first, features, 2)

    def test_what_was_learned_is_what_the_method_reads(
        self, method: str, backbone: Backbone, pixels: Tensor, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        trainable = fresh(method, backbone)
        features = features_of(trainable, pixels)
        learn(trainable, features, 3)
        made = {"method": method, "recipe": asdict(RECIPES[method]), **backbone.identity.to_dict()}
        write_weights(tmp_path / "w.safetensors", trainable.tensors(), made)
        detector = oddlens.load(method, open_clip_folder, tmp_path / "w.safetensors", "cpu")
        assert detector.recipe == RECIPES[method]
        direct = method_class(method_card(method))(
            backbone, RECIPES[method], MethodWeights("tensors", trainable.tensors())
        )
        picture, good = np.full((40, 40, 3), 90, np.uint8), np.full((40, 40, 3), 60, np.uint8)
        detectors = Detector(method, direct), detector
        if method_card(method).needs.references == "required":
            for each in detectors:
                each.add_references(good)
        (expected,), (found,) = (each.detect(picture, "nut") for each in detectors)
        assert found.score == expected.score
        assert np.array_equal(found.anomaly_map, expected.anomaly_map)
        encoded = direct.encode(pass_pixels(backbone, pixels, direct.request))
        assert all(torch.equal(encoded[name], value) for name, value in features.items())
