"""What names of defects are made of: the embedded model's graphs give what torch gives."""

from dataclasses import replace

import numpy as np
import pytest

import oddlens
from oddlens.errors import UsageError
from oddlens.loading.embedded import graphs_of
from oddlens.runtime.graph_folder import GraphFolder
from oddlens.runtime.graph_method import GraphMethod
from oddlens.station.defects import NamedRegions
from oddlens.teaching.graph_tower import GraphTower
from oddlens.teaching.namer import Namer, crop_tower
from tests.teaching.test_region_crops import region

IMAGES = list(np.random.default_rng(5).integers(0, 256, (2, 60, 80, 3), np.uint8))
PROMPTS = ["a photo of a nut with a scratch", "a photo of a nut with a dent"]

pytestmark = pytest.mark.filterwarnings("ignore::oddlens.OddlensWarning")


@pytest.mark.parametrize("method", ["winclip", "patch-knn"])
@pytest.mark.needs_torch
def test_crops_and_words_are_what_they_are_on_torch(method: str) -> None:
    torch, graphs = (
        crop_tower(oddlens.load(method, device="cpu", runtime=runtime).backbone, with_words=True)
        for runtime in ("torch", "onnx")
    )
    assert graphs.scale == pytest.approx(torch.scale, rel=1e-6)
    assert graphs.words(PROMPTS) == pytest.approx(torch.words(PROMPTS), abs=1e-4)
    expected, found = (tower.see(IMAGES, embeds=True) for tower in (torch, graphs))
    assert found.grid == expected.grid
    assert found.patches == pytest.approx(expected.patches, abs=1e-4)
    assert found.embeddings == pytest.approx(expected.embeddings, abs=1e-4)
    assert torch.see(IMAGES, embeds=False).embeddings is None
    assert graphs.see(IMAGES, embeds=False).embeddings is None


def test_graphs_name_regions() -> None:
    model = oddlens.load("patch-knn", device="cpu", runtime="onnx").backbone
    part = region(10, 10, 30, 30)
    (feature,) = Namer(model).features(IMAGES[0], [part])
    known = NamedRegions(("chip", "burn"), np.stack([feature, -feature]))
    (((best, weight), *_),) = Namer(model, ("scratch", "dent"), "nut", known).names(IMAGES[0], [part])
    assert (best, weight) == ("chip", pytest.approx(1, abs=1e-3))
    (by_words,) = Namer(model, ("scratch", "dent"), "nut").names(IMAGES[0], [part])
    assert {name for name, _ in by_words} - {"unknown"} == {"scratch", "dent"}


def test_graphs_of_another_model_are_refused() -> None:
    model = GraphMethod(GraphFolder.read(graphs_of("winclip"))).backbone
    other = replace(model, identity=replace(model.identity, fingerprint="0" * 16))
    with pytest.raises(
        UsageError, match=r"names of defects need the whole model mini, not its graphs: use the station"
    ):
        GraphTower(other)
