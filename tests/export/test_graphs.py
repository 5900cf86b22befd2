"""Graphs against the methods that they come from: the same features, scores and maps, in any number and size of images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from oddlens.detector import Detector
from oddlens.export.folder import write_graphs
from oddlens.export.run_graphs import Array, Arrays, GraphFolder
from tests.contract.loaded import load_tiny

EXPORTED: Mapping[str, Mapping[str, Any]] = {
    "winclip": {"image_size": 48},  # positions of another size than the tower's own
    "patch-knn": {"aspect": False},
    "april-gan": {},
    "anomalyclip": {},
    "anovl": {"adapt": False},
}


@dataclass(frozen=True)
class Exported:
    """A method, and its graphs."""

    detector: Detector
    graphs: GraphFolder

    def features(self, image: Array) -> Arrays:
        """Of one image, as the graph has them."""
        return self.graphs.run("encoder", {"pixels": self.pixels([image])})

    def pixels(self, images: list[Array]) -> Array:
        request, backbone = self.detector.method.request, self.detector.method.backbone
        views = [request.view(image) for image in images]
        return backbone.to_pixels(views, views[0].shape[:2], request.interpolation).numpy()


@pytest.fixture(scope="module", params=EXPORTED)
def exported(
    request: pytest.FixtureRequest, open_clip_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    folder = tmp_path_factory.mktemp("graphs")
    detector = load_tiny(request.param, open_clip_folder, folder, **EXPORTED[request.param])
    write_graphs(detector.method, folder, objects=["part"])
    return Exported(detector, GraphFolder(folder))


def images(count: int, seed: int = 0) -> list[Array]:
    """Coarse noise, wider than high."""
    rng = np.random.default_rng(seed)
    return [np.kron(rng.integers(0, 256, (6, 9, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(count)]


@torch.inference_mode()
@pytest.mark.parametrize("references", [0, 1, 3])
def test_graphs_give_what_the_method_gives(exported: Exported, references: int) -> None:
    detector, method, graphs = exported.detector, exported.detector.method, exported.graphs
    needs = method.card.needs.references
    if needs == ("required" if references == 0 else "no"):
        pytest.skip(f"{detector.name} {'needs' if references == 0 else 'takes no'} references")
    text, good = method.encode_prompts("part"), images(references, seed=1)
    memory = None
    if references:
        encoded = detector.encode_references(good)
        memory, _ = method.fit_prompts(method.fit(encoded.features), encoded.features, text)
    words = {name: value.numpy() for name, value in text.items()}
    fitted = graphs.fitted([exported.features(image) for image in good], words)
    for count in (1, 3):
        batch = images(count, seed=count + 1)
        expected = detector.encode(batch).features
        features = graphs.run("encoder", {"pixels": exported.pixels(batch)})
        for name, value in features.items():
            assert value == pytest.approx(expected[name].numpy(), abs=1e-4)
        found, scores = graphs.scores(features, words, fitted), method.score(expected, text, memory)
        assert found["scores"] == pytest.approx(scores.scores.numpy(), abs=1e-4)
        assert found["maps"] == pytest.approx(torch.stack(list(scores.maps)).numpy(), abs=1e-4)
        for name, value in scores.parts.items():
            assert found[f"part:{name}"] == pytest.approx(value.numpy(), abs=1e-4)
