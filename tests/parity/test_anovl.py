"""AnoVL through the public door, held against the numbers of the authors' program: prompts, tokens, map, score, adaptation."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

import oddlens
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.detector import Detector
from oddlens.methods.anovl import method as anovl
from oddlens.methods.anovl.adapter import Adapter, Start, log_odds
from oddlens.methods.base import Features

Case = dict[str, NDArray[np.generic]]


@pytest.fixture(scope="module")
def case(parity: Path) -> Case:
    return dict(np.load(parity / "anovl" / "case.npz"))


@pytest.fixture(scope="module")
def detector(parity: Path) -> Detector:
    return oddlens.load("anovl", model=parity / "clip-12", device="cpu", views=1)


@pytest.fixture(scope="module")
def features(detector: Detector, case: Case) -> Features:
    method = detector.method
    with torch.inference_mode():
        return method.encode(pass_pixels(method.backbone, torch.tensor(case["img"]), method.request))


def gap(ours: object, theirs: NDArray[np.generic]) -> float:
    found = np.asarray(ours)
    assert found.shape == theirs.shape
    return float(np.abs(found - theirs).max())


def unit(values: NDArray[np.generic], axis: int = -1) -> NDArray[np.generic]:
    return values / np.linalg.norm(values, axis=axis, keepdims=True)


def test_prototypes(detector: Detector, case: Case) -> None:
    assert gap(detector.method.encode_prompts("bottle")["prototypes"], case["text"].T) < 1e-5


def test_sentences_in_their_order(detector: Detector, case: Case) -> None:
    found = detector.method.encode_prompts("bottle")["sentences"]
    theirs = case["text_list"].transpose(2, 0, 1).reshape(924, 64)
    assert gap(found, theirs) < 1e-5


def test_pixels(detector: Detector, case: Case) -> None:
    assert gap(detector.method.backbone.to_pixels(list(case["raw_uint8"]), 80, "bilinear"), case["img"]) < 1e-5


def test_local_tokens_and_the_pictures_embedding(features: Features, case: Case) -> None:
    local = features["local"].view(1, 5, 5, 64)
    assert gap(local, case["tokens_vv"]) < 1e-4
    assert gap(F.normalize(local, dim=-1), unit(case["tokens_vv"])) < 1e-5
    assert gap(features["views"][:, 0], unit(case["image_features"][:, 0])) < 1e-5


def test_the_score_of_one_view(detector: Detector, case: Case) -> None:
    found = detector.detect(list(case["raw_uint8"]), "bottle")
    assert gap([each.score for each in found], case["image_score"]) < 1e-4


def test_the_map_without_adaptation(detector: Detector, case: Case) -> None:
    encoded = detector.encode(list(case["raw_uint8"]))
    found = detector.predict(encoded, "bottle", adapt=False)
    assert gap([each.anomaly_map for each in found], case["map_tfa"][:, 0]) < 1e-4


@pytest.fixture
def start(case: Case) -> Start:
    return Start(torch.tensor(case["ad_w0"]), torch.tensor(case["ad_b0"]))


@pytest.fixture
def noise(case: Case) -> Tensor:
    return torch.tensor(case["noise"]).view(5, 25, 64)


def test_adaptation_from_their_first_adapter_with_their_noise(
    detector: Detector, features: Features, case: Case, start: Start, noise: Tensor
) -> None:
    text = detector.method.encode_prompts("bottle")
    learner = Adapter(start, 1, text["sentences"], ratio=0.5, learning_rate=1e-3)
    losses = learner.adapt(features["local"], noise, lambda t: log_odds(t, text["prototypes"], 1.0), hard_weight=0.5)
    assert gap(losses[:, 0], case["losses"]) < 1e-6
    assert gap(learner.weight[0].detach(), case["ad_w"]) < 1e-4
    assert gap(learner.bias[0].detach(), case["ad_b"]) < 1e-4
    assert gap(case["ad_w"], case["ad_w0"]) > 3e-3


def test_the_map_that_it_gives(
    detector: Detector, case: Case, start: Start, noise: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anovl, "draw_start", lambda *_: start)
    monkeypatch.setattr(anovl, "draw_noise", lambda *_: noise)
    found = detector.detect(list(case["raw_uint8"]), "bottle")
    assert gap([each.anomaly_map for each in found], case["map_tta"][:, 0]) < 1e-5
    assert gap(case["map_tta"], case["map_tfa"]) > 1e-3
