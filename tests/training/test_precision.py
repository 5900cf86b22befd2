"""In which numbers the tower runs."""

import pytest
import torch

from oddlens.backbone.backbone import Backbone
from oddlens.training import precision
from oddlens.training.precision import GAIN, choose_precision

CPU = torch.device("cpu")


def found(monkeypatch: pytest.MonkeyPatch, backbone: Backbone, **seconds: float) -> str:
    """What is chosen on a device that takes so long."""
    monkeypatch.setattr(
        precision, "_product_seconds", lambda device, dtype, *_: seconds[str(dtype).removeprefix("torch.")]
    )
    return choose_precision("auto", backbone, 40).name


def test_what_is_named_is_taken(backbone: Backbone) -> None:
    assert choose_precision("float32", backbone, 40).name == "float32"
    assert choose_precision("bfloat16", backbone, 40).name == "bfloat16"


def test_auto_takes_fewer_bits_only_where_they_were_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch, backbone: Backbone
) -> None:
    assert found(monkeypatch, backbone, float32=1.0, bfloat16=0.2, float16=0.1) == "bfloat16"
    assert found(monkeypatch, backbone, float32=1.0, bfloat16=3.0, float16=0.2) == "float16"
    assert found(monkeypatch, backbone, float32=1.0, bfloat16=3.0, float16=2.0) == "float32"
    assert found(monkeypatch, backbone, float32=1.0, bfloat16=1.01 / GAIN, float16=1.0) == "float32"


def test_auto_measures_on_this_machine(backbone: Backbone) -> None:
    chosen = choose_precision("auto", backbone, 40)
    best = max(chosen.speed.values())
    assert set(chosen.speed) == {"bfloat16", "float16"}
    assert (chosen.name == "float32") == (best < GAIN)


def test_products_run_in_what_was_chosen(backbone: Backbone) -> None:
    a = torch.ones(4, 4)
    for name, dtype in precision.PRECISIONS.items():
        with choose_precision(name, backbone, 40).lowered(CPU):
            assert (a @ a).dtype == dtype
