"""A small method that learns over frozen features, and a small data set to learn from: what the tests of the loop stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.methods.base import Features

SIZE = 40


@dataclass(frozen=True)
class FakeRecipe:
    """The one setting of the fake method."""

    image_size: int = SIZE


@dataclass(frozen=True)
class FakeTraining:
    """What the loop wants of every method's settings."""

    epochs: int = 3
    batch: int = 3
    learning_rate: float = 1e-2
    betas: tuple[float, float] = (0.5, 0.999)
    seed: int = 5
    mosaic: float = 0.0


class FakeTrainable:
    """One linear layer from the tower's last block to two states, for the image and for every patch.

    encoded: how many images went through the tower. fail_at: the step from which on the losses are not numbers.
    """

    name = "fake"

    def __init__(self, backbone: Backbone, seed: int = 0) -> None:
        self.backbone = backbone
        self.recipe = FakeRecipe()
        self.encoded = 0
        self.steps = 0
        self.fail_at: int | None = None
        generator = torch.Generator().manual_seed(seed)
        width = backbone.vision.config.width
        self.weight = nn.Parameter(0.1 * torch.randn(2, width, generator=generator))
        self.unused = nn.Parameter(torch.ones(1))

    @property
    def request(self) -> FeatureRequest:
        return FeatureRequest(SIZE, taps=(self.backbone.vision.config.layers,))

    def encode(self, vision_pass: VisionPass) -> Features:
        features = vision_pass.features
        self.encoded += len(features.image)
        (tokens,) = features.taps.values()
        return {"image": features.image, "patches/last": tokens[:, 1:]}

    def parameters(self) -> Sequence[nn.Parameter]:
        return [self.weight, self.unused]

    def shared(self) -> dict[str, Tensor]:
        self.steps += 1
        return {"weight": 1 * self.weight}

    def losses(
        self,
        features: Mapping[str, Tensor],
        masks: Tensor,
        labels: Tensor,
        object_names: Sequence[str],
        shared: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        grid = masks.unfold(1, 8, 8).unfold(2, 8, 8).flatten(3).float().mean(dim=3).flatten(1)
        logits = features["patches/last"] @ shared["weight"].T
        parts = {
            "image": F.cross_entropy(features["image"] @ self.weight.T, labels),
            "patch": F.cross_entropy(logits.flatten(0, 1), (grid.flatten() > 0.5).long()),
        }
        if self.fail_at is not None and self.steps >= self.fail_at:
            parts["patch"] = parts["patch"] * torch.nan
        return parts

    def tensors(self) -> dict[str, Tensor]:
        return {"weight": self.weight.detach().clone(), "unused": self.unused.detach().clone()}

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        self.weight.copy_(tensors["weight"])
        self.unused.copy_(tensors["unused"])


def write_category(folder: Path, good: int, bad: int, seed: int = 0, size: tuple[int, int] = (48, 40)) -> Path:
    """A category in MVTec's layout: images of noise, the bad ones with a bright square that the mask tells."""
    generator = np.random.default_rng(seed)
    for number in range(good):
        _save(folder / "test" / "good" / f"{number}.png", _noise(generator, size))
    for number in range(bad):
        pixels = _noise(generator, size)
        mask = np.zeros(pixels.shape[:2], np.uint8)
        mask[8 : 8 + 8 * (1 + number % 3), 8:24] = 255
        pixels[mask > 0] |= 0xC0
        _save(folder / "test" / "spot" / f"{number}.png", pixels)
        _save(folder / "ground_truth" / "spot" / f"{number}_mask.png", mask)
    _save(folder / "train" / "good" / "0.png", _noise(generator, size))
    return folder


def _noise(generator: np.random.Generator, size: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = size
    return generator.integers(0, 256, (height, width, 3), dtype=np.uint8)


def _save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
