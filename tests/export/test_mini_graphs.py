"""The graphs that ship with oddlens: they are those of the embedded model's default methods as they are now."""

from hashlib import sha256

import numpy as np
import pytest
import torch

from lab.graphs import GRAPHS, METHODS
from oddlens.export.graphs import torch_method
from oddlens.export.run_graphs import Array, GraphFolder
from oddlens.loading.with_torch import torch_detector
from oddlens.provenance import plain_recipe

SIZES = ((64, 64), (40, 90), (100, 60))
"""(height, width) of images."""


def images() -> list[Array]:
    rng = np.random.default_rng(4)
    return [np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((*size, 1)))[: 8 * size[0]].astype(np.uint8) for size in SIZES]


@pytest.mark.parametrize("name", METHODS)
def test_they_are_of_the_method_and_the_model_as_they_are_now(name: str) -> None:
    detector = torch_detector(name, None, None, "cpu", {})
    document = GraphFolder(GRAPHS / name).document
    assert document["recipe"] == plain_recipe(detector.recipe)
    assert document["fitted"] == list(detector.notes)
    assert document["model"]["sha256"] == detector.method.backbone.identity.sha256
    for file in document["files"].values():
        assert sha256((GRAPHS / name / file["name"]).read_bytes()).hexdigest() == file["sha256"]


@torch.inference_mode()
@pytest.mark.parametrize("name", METHODS)
def test_they_give_what_torch_gives(name: str) -> None:
    """Features, scores and maps of images of any shape, to 1e-5; prompts too."""
    detector, graphs = torch_detector(name, None, None, "cpu", {}), GraphFolder(GRAPHS / name)
    method = torch_method(detector.method)
    text = method.encode_prompts("bottle")
    words = {name: value.numpy() for name, value in text.items()}
    if method.ensemble is not None:
        normal, abnormal = method.ensemble.sentences("bottle")
        tokens = method.backbone.tokenizer([*normal, *abnormal])
        found = graphs.run("text", {"ids": tokens.ids.numpy(), "ends": tokens.ends.numpy()})["embeddings"]
        assert found == pytest.approx(method.backbone.encode_text([*normal, *abnormal]).numpy(), abs=1e-4)
    good = images()
    encoded = detector.encode_references(good)
    memory, _ = method.fit_prompts(method.fit(encoded.features), encoded.features, text)

    def features(image: Array) -> dict[str, Array]:
        view = method.request.view(image)
        pixels = method.backbone.to_pixels([view], view.shape[:2], method.request.interpolation)
        return graphs.run("encoder", {"pixels": pixels.numpy()})

    fitted = graphs.fitted([features(image) for image in good], words)
    for image in [image[::-1, ::-1] for image in good]:
        own, expected = features(image), detector.encode(image).features
        for name, value in own.items():
            assert value == pytest.approx(expected[name].numpy(), abs=1e-5)
        for known, rows in ((memory, fitted), (None, {})):
            if known is None and "scorer" not in graphs:
                continue
            found, scores = graphs.scores(own, words, rows), method.score(expected, text, known)
            assert found["scores"] == pytest.approx(scores.scores.numpy(), abs=1e-5)
            assert found["maps"] == pytest.approx(scores.maps.numpy(), abs=1e-5)
