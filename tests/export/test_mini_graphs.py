"""The graphs that ship with oddlens: they are those of the embedded model's default methods as they are now."""

import numpy as np
import onnxruntime
import pytest

import oddlens
from lab.graphs import EARLIER, GRAPHS, METHODS
from oddlens.detector import Detector
from oddlens.export.graphs import method_graphs, torch_method
from oddlens.io.pixels import Pixels
from oddlens.provenance import plain_recipe
from oddlens.runtime.graph_folder import GraphFolder

SIZES = ((64, 64), (40, 90), (100, 60))
"""(height, width) of images."""


def images() -> list[Pixels]:
    rng = np.random.default_rng(4)
    coarse = [rng.integers(0, 256, (height // 4, width // 4, 3)) for height, width in SIZES]
    return [np.kron(each, np.ones((4, 4, 1))).astype(np.uint8) for each in coarse]


def pair(name: str) -> tuple[Detector, Detector]:
    one, other = (oddlens.load(name, device="cpu", runtime=runtime) for runtime in ("torch", "onnx"))
    return one, other


@pytest.mark.parametrize("name", METHODS)
def test_they_are_of_the_method_and_the_model_as_they_are_now(name: str) -> None:
    torch, graphs = pair(name)
    assert plain_recipe(graphs.recipe) == plain_recipe(torch.recipe)
    assert graphs.identity == torch.identity
    folder = GraphFolder.read(GRAPHS / name)
    for role in folder.document["files"]:
        folder.file(role)  # which checks its SHA-256


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in EARLIER.items() for kind in kinds])
def test_those_of_an_earlier_default_are_of_the_model_as_it_is_now(name: str, kind: str) -> None:
    folder = GraphFolder.read(GRAPHS / name, f"graphs{kind}.json")
    torch = oddlens.load(name, device="cpu", runtime="torch", **EARLIER[name][kind])
    assert (folder.recipe, folder.model) == (torch.recipe, torch.identity.model)
    assert folder.file("encoder") == GraphFolder.read(GRAPHS / name).file("encoder")  # which is the largest
    for role in folder.document["files"]:
        folder.file(role)


def test_made_anew_they_give_the_same_numbers() -> None:
    """WinCLIP's scorer, which takes seconds to make; encoders, which take longer, are held against torch below."""
    pytest.importorskip("onnx")
    shipped = GraphFolder.read(GRAPHS / "winclip")
    method = torch_method(oddlens.load("winclip", device="cpu", runtime="torch").method)
    made = method_graphs(method, roles=("scorer",)).graphs
    assert made.keys() == {"scorer"}
    rng = np.random.default_rng(7)
    for role, graph in made.items():
        assert (list(graph.inputs), list(graph.outputs)) == (shipped.inputs(role), shipped.outputs(role))
        old, new = (
            onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
            for data in (shipped.file(role)[0].read_bytes(), graph.data)
        )
        assert [each.shape[1:] for each in old.get_inputs()] == [each.shape[1:] for each in new.get_inputs()]
        given = {}
        for each in old.get_inputs():
            shape = [side if isinstance(side, int) else 3 for side in each.shape]
            given[each.name] = rng.standard_normal(shape).astype(np.float32)
        for before, after in zip(old.run(None, given), new.run(None, given), strict=True):
            assert np.isfinite(before).all()
            assert after == pytest.approx(before, abs=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_they_give_what_torch_gives(name: str) -> None:
    """Features, scores, maps and thresholds, of images of any shape, to 1e-5."""
    torch, graphs = pair(name)
    some = [image[::-1, ::-1] for image in images()]
    for references in (0, 3):
        if references:
            torch.add_references(images())
            graphs.add_references(images())
        elif torch.needs_references:
            continue
        ours, theirs = torch.encode(some), graphs.encode(some)
        for feature, value in theirs.features.items():
            assert value == pytest.approx(ours.features[feature].numpy(), abs=1e-5)
        for expected, found in zip(torch.predict(ours, "bottle"), graphs.predict(theirs, "bottle"), strict=True):
            assert found.score == pytest.approx(expected.score, abs=1e-5)
            assert found.anomaly_map == pytest.approx(expected.anomaly_map, abs=1e-5)
    expected, found = torch.calibration("bottle"), graphs.calibration("bottle")
    assert expected is not None
    assert found is not None
    assert found.thresholds.image == pytest.approx(expected.thresholds.image, abs=1e-5)
    assert found.thresholds.pixel == pytest.approx(expected.thresholds.pixel, abs=1e-5)
