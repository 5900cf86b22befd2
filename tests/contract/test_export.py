"""Every method as a graph: `torch.export` takes `encode` and `score` with any number of images and of good examples."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim, export

from oddlens.backbone.vision_pass import pass_pixels
from oddlens.detector import Detector
from oddlens.methods.base import AnyMethod
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.registry import method_cards
from oddlens.methods.vl4ad.scores import SCORES
from tests.contract.loaded import load_tiny

EXPORTABLE = {name: {} for name in method_cards()} | {"anovl": {"adapt": False}}
ZERO_SHOT = [name for name, card in method_cards().items() if card.needs.references != "required"]
FEW_SHOT = [name for name, card in method_cards().items() if card.needs.references != "no"]


class Graph(nn.Module):
    """Normalised pixels [batch, 3, side, side], or features of `encode`, to scores and maps; rows: the memory bank's, by name."""

    def __init__(self, method: AnyMethod, text: Mapping[str, Tensor], unit: bool = True) -> None:
        super().__init__()
        self.unit = unit
        self.tower = method.backbone.vision
        self.method, self.text = method, dict(text)

    def forward(
        self, given: dict[str, Tensor], rows: dict[str, Tensor], values: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        features = given
        if "pixels" in given:
            features = self.method.encode(pass_pixels(self.method.backbone, given["pixels"], self.method.request))
        memory = MemoryBank.of_rows(rows, values, unit=self.unit) if rows else None
        result = self.method.score(features, self.text, memory)
        assert isinstance(result.maps, Tensor)
        return result.scores, result.maps


Parts = tuple[dict[str, Tensor], dict[str, Tensor]]


def parts_of(memory: MemoryBank | None) -> Parts:
    """What a graph is given of a memory."""
    return ({}, {}) if memory is None else ({name: memory.rows(name) for name in memory.names}, dict(memory.values))


@torch.no_grad()
def exported(
    detector: Detector, given: dict[str, Tensor], memory: MemoryBank | None
) -> Callable[..., tuple[Tensor, Tensor]]:
    """The graph of a detector, made with some images and a memory, to be run with others."""
    method, (rows, values) = detector.method, parts_of(memory)
    shapes = (
        {name: {0: Dim("images")} for name in given},
        {name: {0: Dim.DYNAMIC} for name in rows},
        {name: {} for name in values},
    )
    graph = Graph(method, method.encode_prompts("part"), memory is None or memory.unit)
    return export(graph, (given, rows, values), dynamic_shapes=shapes).module()


def images(detector: Detector, count: int) -> list[NDArray[np.uint8]]:
    """Noise of the size that the method's tower takes."""
    side = detector.method.request.image_size
    return list(np.random.default_rng(3).integers(0, 256, (count, side, side, 3), dtype=np.uint8))


def pixels_of(detector: Detector, pictures: list[NDArray[np.uint8]]) -> dict[str, Tensor]:
    request = detector.method.request
    return {"pixels": detector.method.backbone.to_pixels(pictures, request.image_size, request.interpolation)}


@pytest.mark.parametrize("name", ZERO_SHOT)
def test_zero_shot_with_any_number_of_images(name: str, open_clip_folder: Path, tmp_path: Path) -> None:
    detector = load_tiny(name, open_clip_folder, tmp_path, **EXPORTABLE[name])
    assert detector.method.no_export is None
    pictures = images(detector, 5)
    run = exported(detector, pixels_of(detector, pictures[:2]), None)
    for some in (pictures[:1], pictures):
        scores, maps = run(pixels_of(detector, some), {}, {})
        for found, score, anomaly_map in zip(detector.detect(some), scores, maps, strict=True):
            assert found.score == pytest.approx(float(score), abs=1e-5)
            assert np.abs(found.anomaly_map - anomaly_map.numpy()).max() < 1e-5


@pytest.mark.parametrize("name", FEW_SHOT)
def test_few_shot_with_any_number_of_images_and_of_good_examples(
    name: str, open_clip_folder: Path, tmp_path: Path
) -> None:
    """Where zero-shot shows that `encode` is a graph, `score` alone is one here."""
    detector = load_tiny(name, open_clip_folder, tmp_path, **EXPORTABLE[name])
    pictures, method = images(detector, 9), detector.method

    def given(some: list[NDArray[np.uint8]]) -> dict[str, Tensor]:
        return dict(detector.encode(some).features) if name in ZERO_SHOT else pixels_of(detector, some)

    text = method.encode_prompts("part")
    memories = []
    for count in (2, 4):
        references = detector.encode_references(pictures[5 : 5 + count]).features
        memories.append(method.fit_prompts(method.fit(references), references, text)[0])
    run = exported(detector, given(pictures[:2]), memories[0])
    for memory, count in zip(memories, (5, 3), strict=True):
        scores, maps = run(given(pictures[:count]), *parts_of(memory))
        expected = method.score(detector.encode(pictures[:count]).features, text, memory)
        assert (scores - expected.scores).abs().max() < 1e-5
        assert (maps - expected.maps).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("name", "recipe", "sentence"),
    [
        ("anovl", {"adapt": True}, "anovl trains on every image, which no exported graph can: give adapt=False"),
        ("anovl", {"adapt": False, "tiles": "wide"}, "anovl with tiles cannot be exported: give tiles='none'"),
        ("vl4ad", {"short_side": 80}, "vl4ad exports images of one window, 40 pixels square: leave short_side 80 out"),
    ],
)
def test_what_cannot_be_a_graph_says_why(
    name: str, recipe: dict[str, Any], sentence: str, open_clip_folder: Path, tmp_path: Path
) -> None:
    assert load_tiny(name, open_clip_folder, tmp_path, **recipe).method.no_export == sentence


@pytest.mark.parametrize(
    "recipe", [{"score": name} for name in SCORES] + [{"ood": "dog, cat", "merging": "sum"}, {"merge": "cityscapes7"}]
)
def test_every_score_of_streets_is_a_graph(recipe: dict[str, Any], open_clip_folder: Path, tmp_path: Path) -> None:
    """Without a tower, which is the same for all: a batch of frames at once gives what they give one by one."""
    detector = load_tiny("vl4ad", open_clip_folder, tmp_path, **recipe)
    method, encoded = detector.method, detector.encode(images(detector, 3))
    text = method.encode_prompts("part")

    class Scoring(nn.Module):
        def forward(self, embeddings: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            result = method.score({"embeddings": embeddings}, text, None)
            assert isinstance(result.maps, Tensor)
            assert isinstance(result.labels, Tensor)
            return result.scores, result.maps, result.labels

    embeddings = encoded.features["embeddings"]
    with torch.no_grad():
        program = export(Scoring(), (embeddings[:2],), dynamic_shapes=({0: Dim("images")},))
        scores, maps, labels = program.module()(embeddings)
        expected = method.score(encoded.features, text, None)
    assert (scores - expected.scores).abs().max() < 1e-5
    assert (maps - torch.stack(list(expected.maps))).abs().max() < 1e-5
    assert expected.labels is not None
    assert (labels == torch.stack(list(expected.labels))).float().mean() > 0.99  # a tie may go to either
