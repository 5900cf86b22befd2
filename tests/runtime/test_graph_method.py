"""A method on graphs by itself."""

from collections.abc import Sequence

import numpy as np
import pytest

from oddlens.backbone.files import MINI_FOLDER
from oddlens.io.pixels import Pixels
from oddlens.methods.scoring import Numbers
from oddlens.runtime.graph_folder import ENCODER, GraphFolder
from oddlens.runtime.graph_method import GraphMethod
from oddlens.runtime.session import Graph


def test_images_run_through_the_encoder_one_after_another_and_do_not_know_their_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method = GraphMethod(GraphFolder.read(MINI_FOLDER / "graphs" / "winclip"))
    images = list(np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8))
    lengths: list[int] = []
    run = Graph.run

    def watched(graph: Graph, given: dict[str, np.ndarray], outputs: list[str]) -> dict[str, np.ndarray]:
        lengths.extend(len(each) for each in given.values())
        return run(graph, given, outputs)

    monkeypatch.setattr(Graph, "run", watched)
    together = _encoded(method, images)
    assert lengths == [1, 1, 1]
    assert list(together) == method.folder.outputs(ENCODER)
    for number, image in enumerate(images):
        alone = _encoded(method, [image])
        for name, value in alone.items():
            assert np.array_equal(together[name][number], value[0])


def test_images_are_scored_one_after_another_too(monkeypatch: pytest.MonkeyPatch) -> None:
    method = GraphMethod(GraphFolder.read(MINI_FOLDER / "graphs" / "patch-knn"))
    images = list(np.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), dtype=np.uint8))
    features = _encoded(method, images)
    memory = method.fit({name: value[:2] for name, value in features.items()})
    memory, _ = method.fit_prompts(memory, {name: value[:2] for name, value in features.items()}, {})
    calls: list[int] = []
    run = Graph.run

    def watched(graph: Graph, given: dict[str, np.ndarray], outputs: list[str]) -> dict[str, np.ndarray]:
        found = run(graph, given, outputs)
        calls.append(len(found["scores"]))
        return found

    monkeypatch.setattr(Graph, "run", watched)
    scores = method.score(features, {}, memory)
    assert calls == [1] * 5
    assert scores.scores.shape == (5,)
    assert len(scores.maps) == 5


def test_images_that_keep_their_aspect_are_resized_once() -> None:
    """A size that was rounded need not stay the same where it is rounded again."""
    method = GraphMethod(GraphFolder.read(MINI_FOLDER / "graphs" / "patch-knn"))
    view = method.request.view(np.random.default_rng(0).integers(0, 256, (1000, 895, 3), dtype=np.uint8))
    assert method.request.view(view).shape != view.shape
    made = method.vision_pass([view], method.request).pixels[0].transpose(1, 2, 0)
    assert np.allclose(made * method.backbone.std + method.backbone.mean, view / 255, atol=1e-5)


def _encoded(method: GraphMethod, images: Sequence[Pixels]) -> dict[str, Numbers]:
    return method.encode(method.vision_pass([method.request.view(each) for each in images], method.request))
