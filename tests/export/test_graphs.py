"""Graphs against the methods that they come from: the same features, scores and maps, in any number and size of images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oddlens
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.export.folder import write_graphs
from oddlens.export.graphs import torch_method
from oddlens.export.station import export_station
from oddlens.io.pixels import Pixels
from oddlens.runtime import GraphMethod
from tests.contract.loaded import load_tiny

EXPORTED: Mapping[str, Mapping[str, Any]] = {
    "april-gan": {"image_size": 48},  # positions of another size than the tower's own
    "anomalyclip": {},
    "anovl": {"adapt": False},
}
"""Each takes seconds to trace. winclip and patch-knn are held against torch as they ship, see `test_mini_graphs`."""


@dataclass(frozen=True)
class Pair:
    """A method on torch and as graphs, without references."""

    torch: Detector
    graphs: Detector

    def with_references(self, count: int) -> tuple[Detector, Detector]:
        good = images(count, seed=1)
        one, other = (each.with_references(None) for each in (self.torch, self.graphs))
        return (one.add_references(good), other.add_references(good)) if count else (one, other)


@pytest.fixture(scope="module", params=EXPORTED)
def pair(request: pytest.FixtureRequest, open_clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("graphs")
    load_tiny(request.param, open_clip_folder, folder, **EXPORTED[request.param]).save(folder / "station")
    made = export_station(folder / "station", folder / "exported", objects=["bottle"])
    assert made.parity.within()
    return Pair(oddlens.open_station(folder / "station"), oddlens.open_station(folder / "exported"))


def images(count: int, seed: int = 0) -> list[Pixels]:
    """Coarse noise, wider than high."""
    rng = np.random.default_rng(seed)
    return [np.kron(rng.integers(0, 256, (6, 9, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(count)]


@pytest.mark.parametrize("references", [0, 1, 4, 50])
def test_graphs_give_what_the_method_gives(pair: Pair, references: int) -> None:
    needs = pair.torch.method.card.needs.references
    if needs == ("required" if references == 0 else "no"):
        pytest.skip(f"{pair.torch.name} {'needs' if references == 0 else 'takes no'} references")
    torch, graphs = pair.with_references(references)
    for count in (1, 3, 8):
        batch = images(count, seed=count + 1)
        ours, theirs = torch.encode(batch), graphs.encode(batch)
        for name, value in theirs.features.items():
            assert value == pytest.approx(ours.features[name].numpy(), abs=1e-4)
        for expected, found in zip(torch.predict(ours), graphs.predict(theirs), strict=True):
            assert found.score == pytest.approx(expected.score, abs=1e-4)
            assert found.anomaly_map == pytest.approx(expected.anomaly_map, abs=1e-4)
            assert found.parts == pytest.approx(expected.parts, abs=1e-4)
    if references == 4:
        expected, found = torch.calibration("part"), graphs.calibration("part")
        assert expected is not None
        assert found is not None
        assert found.thresholds.image == pytest.approx(expected.thresholds.image, abs=1e-4)
        assert found.thresholds.pixel == pytest.approx(expected.thresholds.pixel, abs=1e-4)


def test_an_export_takes_no_model_along_and_knows_the_objects_that_were_named(pair: Pair) -> None:
    method = pair.graphs.method
    assert isinstance(method, GraphMethod)
    assert set(method.folder.outputs("encoder")) == set(pair.torch.encode(images(1)).features)
    assert pair.graphs.identity == pair.torch.identity
    folder = method.folder.path.parents[2]
    assert not [path for path in folder.rglob("*") if path.name in ("open_clip_config.json", "text.onnx")]
    encoded = pair.graphs.with_references(None).encode(images(1))
    pair.graphs.predict(encoded, "bottle")
    if method.folder.document["objects"] is None:  # the words are the same for all
        pair.graphs.predict(encoded, "screw")
    else:
        with pytest.raises(UsageError, match="know no words of 'screw': give one of part, bottle"):
            pair.graphs.predict(encoded, "screw")


@pytest.mark.parametrize(
    ("name", "recipe", "sentence"),
    [
        ("anovl", {"adapt": True}, "anovl trains on every image"),
        ("musc", {}, "musc"),
        ("subspacead", {}, "subspacead"),
        ("patch-knn", {}, "give aspect=False"),
        ("patch-knn", {"aspect": False, "flips": True}, "turned or mirrored copies"),
        ("anomalydino", {}, "takes images at their own size"),
        ("vl4ad", {}, "takes images at their own size"),
        ("vl4ad", {"short_side": 80}, "takes images at their own size"),
    ],
)
def test_what_has_no_graphs_is_refused_by_name(
    name: str, recipe: Mapping[str, Any], sentence: str, open_clip_folder: Path, tmp_path: Path
) -> None:
    detector = load_tiny(name, open_clip_folder, tmp_path, **recipe)
    with pytest.raises(UsageError, match=sentence):
        write_graphs(torch_method(detector.method), tmp_path / "graphs")
    assert not (tmp_path / "graphs").exists()
