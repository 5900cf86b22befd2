import pytest
import torch

from lab.mini.training import MiniTraining, build_model
from lab.small_clip import Schedule, _groups

COURSE = Schedule(steps=100, learning_rate=2.0, weight_decay=0.1, warm_up=10, decay_from=0.5)


def test_the_learning_rate_rises_stays_and_falls_to_a_hundredth() -> None:
    rates = [COURSE.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9:51] == [2.0] * 42
    assert rates[75] == pytest.approx(1.0)
    assert rates == sorted(rates[:10]) + [2.0] * 41 + sorted(rates[51:], reverse=True)
    assert Schedule(100, 2.0, 0.1, 10, 0.5).rate(99) == pytest.approx(0.04)
    assert Schedule(10_000, 2.0, 0.1, 10, 0.5).rate(9_999) == pytest.approx(0.02)


def test_only_matrices_decay_and_neither_stem_nor_scale_learns() -> None:
    model = build_model(MiniTraining(width=64, layers=2, heads=1, mlp_width=64))
    decayed, spared = _groups(model, 0.1)
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    learning = {id(p) for group in (decayed, spared) for p in group["params"]}  # type: ignore[attr-defined]
    assert all(p.ndim > 1 for p in decayed["params"])  # type: ignore[attr-defined]
    for name, parameter in model.named_parameters():
        assert (id(parameter) in learning) == ("trunk" not in name and name != "logit_scale"), name


def test_the_scale_is_that_of_the_temperature() -> None:
    model = build_model(MiniTraining(width=64, layers=2, heads=1, mlp_width=64, temperature=0.05))
    assert float(model.logit_scale.detach().exp()) == pytest.approx(20, rel=1e-5)
    assert torch.isfinite(model.vision.position_embedding).all()
