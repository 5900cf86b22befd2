"""The file that a stopped training goes on from."""

from pathlib import Path
from typing import Any

import pytest
import torch

from oddlens.backbone.backbone import Backbone
from oddlens.training.checkpoint import Checkpoint, History, write_state
from tests.training.learning import FakeTrainable

FACTS: dict[str, Any] = {"seed": 1, "recipe": {"layers": (6, 12)}, "model": "abc"}


def optimiser_of(trainable: FakeTrainable) -> torch.optim.Optimizer:
    optimiser = torch.optim.Adam(list(trainable.parameters()))
    trainable.weight.sum().backward()
    optimiser.step()
    return optimiser


@pytest.fixture
def written(backbone: Backbone, tmp_path: Path) -> Path:
    path = tmp_path / "w.checkpoint.pt"
    trainable = FakeTrainable(backbone, seed=4)
    Checkpoint(path, FACTS).write(trainable, optimiser_of(trainable), History([{"image": 0.5}], [0.1]))
    return path


def test_everything_comes_back_to_the_bit(written: Path, backbone: Backbone) -> None:
    expected, found = FakeTrainable(backbone, seed=4), FakeTrainable(backbone, seed=9)
    before, after = optimiser_of(expected), torch.optim.Adam(list(found.parameters()))
    history = Checkpoint(written, FACTS).resume(found, after)
    assert torch.equal(found.weight, expected.weight)
    assert str(after.state_dict()) == str(before.state_dict())
    assert (history.losses, history.seconds) == ([{"image": 0.5}], [0.1])


def test_one_of_another_training_is_not_used_and_it_is_known_in_what_it_differs(
    written: Path, backbone: Backbone
) -> None:
    other = Checkpoint(written, {"recipe": {"layers": (6, 12)}, "seed": 2, "model": "abc", "new": 1})
    assert other.differs() == ["new", "seed"]
    trainable = FakeTrainable(backbone, seed=9)
    before = trainable.weight.clone()
    assert len(other.resume(trainable, torch.optim.Adam(list(trainable.parameters())))) == 0
    assert torch.equal(trainable.weight, before)


def test_of_the_same_training_it_differs_in_nothing(written: Path) -> None:
    assert Checkpoint(written, FACTS).differs() == []


@pytest.mark.parametrize("content", [None, b"", b"half a file"])
def test_without_a_file_or_with_a_damaged_one_nothing_happened_yet(
    content: bytes | None, backbone: Backbone, tmp_path: Path
) -> None:
    path = tmp_path / "w.checkpoint.pt"
    if content is not None:
        path.write_bytes(content)
    checkpoint = Checkpoint(path, FACTS)
    assert checkpoint.differs() is None
    trainable = FakeTrainable(backbone)
    assert len(checkpoint.resume(trainable, torch.optim.Adam(list(trainable.parameters())))) == 0


def test_a_cut_file_counts_as_none(written: Path) -> None:
    written.write_bytes(written.read_bytes()[:-200])
    assert Checkpoint(written, FACTS).differs() is None


def test_when_the_training_is_done_it_goes(written: Path) -> None:
    checkpoint = Checkpoint(written, FACTS)
    checkpoint.remove()
    assert not written.exists()
    checkpoint.remove()


def test_one_flipped_bit_makes_it_count_as_none(written: Path) -> None:
    data = bytearray(written.read_bytes())
    for place in (0, 40, len(data) // 2, len(data) - 1):
        data[place] ^= 4
        written.write_bytes(data)
        assert Checkpoint(written, FACTS).differs() is None
        data[place] ^= 4
    written.write_bytes(data)
    assert Checkpoint(written, FACTS).differs() == []


def test_a_torch_file_of_something_else_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "w.checkpoint.pt"
    torch.save({"facts": FACTS, "tensors": {}}, path)
    assert Checkpoint(path, FACTS).differs() is None


def test_a_whole_file_of_other_parts_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "w.checkpoint.pt"
    write_state(path, {"model": {}, "step": 3})
    assert Checkpoint(path, FACTS).differs() is None
