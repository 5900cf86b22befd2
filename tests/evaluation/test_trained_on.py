"""Which test images the weights of a method were trained on, by what their file says."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from oddlens.data import manifest_hash
from oddlens.data.contents import Contents, TrainingImages
from oddlens.data.named import NamedDataset, open_sources
from oddlens.evaluation.trained_on import TrainedOn, trained_on
from tests.evaluation.tiny_set import write_set

torch = pytest.importorskip("torch")


@dataclass
class Measured:
    """Of a detector, all that counts here."""

    learned_from: str | None = None


def told(folder: Path, *data: dict[str, object]) -> TrainedOn:
    from oddlens.methods.weights import write_weights

    made = {"method": "april-gan", "recipe": {}, "model": "mini", "model_fingerprint": "abc"}
    write_weights(folder / "learned.safetensors", {"w": torch.zeros(1)}, made | {"data": list(data)})
    detector: Any = Measured(str(folder / "learned.safetensors"))
    return trained_on(detector)


def opened(path: Path) -> NamedDataset:
    return open_sources([path])[0]


def seen(training: TrainedOn, path: Path) -> list[str]:
    source = opened(path)
    return sorted(training.among(source, source.tests(), Contents()))


@pytest.fixture
def learned(tmp_path: Path) -> TrainedOn:
    """Weights trained on the test images of the bolts among parts, opened alone."""
    bolts = opened(write_set(tmp_path / "parts") / "bolt")
    hashes = TrainingImages(record.image for record in bolts.tests()).sha256()
    data = {"name": "bolt", "data_sha256": manifest_hash(bolts.dataset), "split": "test", "images_sha256": hashes}
    return told(tmp_path, data)


NAMES = [f"test/{folder}/{number:03}.png" for folder in ("block", "good") for number in range(3)]


def test_they_are_known_however_the_data_set_is_opened(learned: TrainedOn, tmp_path: Path) -> None:
    assert learned.names == ("bolt",)
    assert seen(learned, tmp_path / "parts" / "bolt") == NAMES
    assert seen(learned, tmp_path / "parts") == [f"bolt/{name}" for name in NAMES]
    assert seen(learned, tmp_path / "parts" / "metal_nut") == []


def test_they_are_known_in_a_copy_and_by_a_listing(learned: TrainedOn, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for number, name in enumerate(NAMES[1:4]):
        shutil.copy(tmp_path / "parts" / "bolt" / name, copy / f"{number}.png")
    listing = copy / "some.jsonl"
    rows = [{"image": f"{number}.png", "label": 0, "category": "x"} for number in range(3)]
    listing.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert seen(learned, listing) == ["0.png", "1.png", "2.png"]
    (copy / "1.png").write_bytes((copy / "1.png").read_bytes() + b" ")
    assert seen(learned, listing) == ["0.png", "2.png"]


@pytest.mark.parametrize(
    ("data", "is_seen"),
    [({"split": "test"}, True), ({"splits": ["test"]}, True), ({"split": "train"}, False), ({"splits": []}, False)],
)
def test_of_weights_without_hashes_the_whole_test_split_is_known_by_the_data_set(
    tmp_path: Path, data: dict[str, object], is_seen: bool
) -> None:
    parts = write_set(tmp_path / "parts", ["bolt"])
    training = told(tmp_path, data | {"data_sha256": manifest_hash(opened(parts).dataset)})
    assert seen(training, parts) == ([f"bolt/{name}" for name in NAMES] if is_seen else [])
    assert seen(training, parts / "bolt") == []  # another data set, to what these weights keep
    assert training.images == frozenset()


def test_no_weights_and_those_of_the_authors_say_nothing(tmp_path: Path) -> None:
    nothing: Any = Measured()
    assert trained_on(nothing) == TrainedOn()
    torch.save({"weight": torch.zeros(3)}, tmp_path / "theirs.pth")
    theirs: Any = Measured(str(tmp_path / "theirs.pth"))
    assert trained_on(theirs) == TrainedOn()
