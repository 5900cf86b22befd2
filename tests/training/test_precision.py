"""In which numbers the tower runs."""

import numpy as np
import pytest
import torch

from oddlens.backbone.backbone import Backbone
from oddlens.training import precision
from oddlens.training.precision import GAIN, TOLERANCE, Precision, choose_precision
from tests.training.learning import FakeTrainable

CPU = torch.device("cpu")
IMAGE = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)


@pytest.fixture
def trainable(backbone: Backbone) -> FakeTrainable:
    return FakeTrainable(backbone)


def found(monkeypatch: pytest.MonkeyPatch, trainable: FakeTrainable, **seconds: float) -> Precision:
    """What is chosen on a device that takes so long."""
    monkeypatch.setattr(
        precision, "_product_seconds", lambda device, dtype, *_: seconds[str(dtype).removeprefix("torch.")]
    )
    return choose_precision("auto", trainable, IMAGE)


def differing(monkeypatch: pytest.MonkeyPatch, **differences: float) -> None:
    monkeypatch.setattr(precision, "_difference", lambda trainable, image, name: differences[name])


def test_what_is_named_is_taken(trainable: FakeTrainable) -> None:
    assert choose_precision("float32", trainable, IMAGE) == Precision("float32", {})
    assert choose_precision("bfloat16", trainable, IMAGE) == Precision("bfloat16", {})
    assert trainable.encoded == 0


def test_auto_takes_fewer_bits_only_where_they_were_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch, trainable: FakeTrainable
) -> None:
    differing(monkeypatch, bfloat16=0.01, float16=0.001)
    assert found(monkeypatch, trainable, float32=1.0, bfloat16=0.2, float16=0.1).name == "bfloat16"
    assert found(monkeypatch, trainable, float32=1.0, bfloat16=3.0, float16=0.2).name == "float16"
    assert found(monkeypatch, trainable, float32=1.0, bfloat16=3.0, float16=2.0).name == "float32"
    assert found(monkeypatch, trainable, float32=1.0, bfloat16=1.01 / GAIN, float16=1.0).name == "float32"


def test_auto_takes_fewer_bits_only_where_the_features_stay_what_they_are(
    monkeypatch: pytest.MonkeyPatch, trainable: FakeTrainable
) -> None:
    faster = {"float32": 1.0, "bfloat16": 0.5, "float16": 0.5}
    differing(monkeypatch, bfloat16=1.01 * TOLERANCE, float16=0.001)
    chosen = found(monkeypatch, trainable, **faster)
    assert (chosen.name, chosen.difference) == ("float16", {"bfloat16": 1.01 * TOLERANCE, "float16": 0.001})
    differing(monkeypatch, bfloat16=0.5, float16=float("nan"))
    assert found(monkeypatch, trainable, **faster).name == "float32"


def test_features_are_compared_with_those_in_float32(trainable: FakeTrainable) -> None:
    assert precision._difference(trainable, IMAGE, "float32") == 0
    fewer = {name: precision._difference(trainable, IMAGE, name) for name in ("bfloat16", "float16")}
    assert 1e-5 < fewer["float16"] < fewer["bfloat16"] / 3 < 0.1


def test_auto_measures_on_this_machine(trainable: FakeTrainable) -> None:
    chosen = choose_precision("auto", trainable, IMAGE)
    assert set(chosen.speed) == {"bfloat16", "float16"}
    fast = {name for name, speed in chosen.speed.items() if speed >= GAIN}
    assert set(chosen.difference) <= fast
    near = {name for name, difference in chosen.difference.items() if difference <= TOLERANCE}
    assert near == ({chosen.name} if chosen.name != "float32" else set())


def test_products_run_in_what_was_chosen(trainable: FakeTrainable) -> None:
    a = torch.ones(4, 4)
    for name, dtype in precision.PRECISIONS.items():
        with choose_precision(name, trainable, IMAGE).lowered(CPU):
            assert (a @ a).dtype == dtype
