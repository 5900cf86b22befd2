"""p-values of scores and maps against scipy."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from oddlens.methods.fusion.p_values import joined_rarity, log_p_of_maps, log_p_of_scores, spread_of

GOOD = torch.tensor([0.2, 0.25, 0.22, 0.31, 0.18], dtype=torch.float64)


def test_the_spread_is_of_logarithms() -> None:
    logs = np.log(GOOD.numpy())
    assert spread_of(GOOD).tolist() == pytest.approx([logs.mean(), logs.std(ddof=1), 5])


def test_equal_values_have_a_spread_all_the_same() -> None:
    assert spread_of(torch.full((3,), 0.5))[1] > 0
    assert spread_of(torch.zeros(3)).isfinite().all()


@pytest.mark.parametrize("score", [0.0, 0.05, 0.22, 0.4, 3.0, 1e4])
def test_a_score_has_the_p_value_of_a_t_prediction_limit(score: float) -> None:
    logs = np.log(GOOD.numpy())
    wide = logs.std(ddof=1) * math.sqrt(1 + 1 / 5)
    expected = stats.t.logsf((math.log(max(score, 1e-12)) - logs.mean()) / wide, 4)
    found = log_p_of_scores(torch.tensor([score]), spread_of(GOOD))
    assert found.item() == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_values_of_maps_have_that_of_a_normal_distribution() -> None:
    values = torch.tensor([[0.01, 0.22], [0.4, 100.0]])
    logs = np.log(GOOD.numpy())
    expected = stats.norm.logsf((np.log(values.numpy()) - logs.mean()) / logs.std(ddof=1))
    assert log_p_of_maps(values, spread_of(GOOD)).numpy() == pytest.approx(expected, rel=1e-5)


def test_fishers_rule() -> None:
    pairs = np.array([[0.5, 0.5], [0.01, 0.9], [1.0, 1.0], [1e-6, 1e-9]])
    found = joined_rarity([torch.tensor(pairs[:, 0]).log(), torch.tensor(pairs[:, 1]).log()], "fisher")
    expected = [-math.log10(stats.combine_pvalues(pair, "fisher").pvalue) for pair in pairs]
    assert found.numpy() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_smaller_of_two() -> None:
    pairs = np.array([[0.5, 0.5], [0.01, 0.9], [1.0, 1.0], [1e-6, 1e-9]])
    found = joined_rarity([torch.tensor(pairs[:, 0]).log(), torch.tensor(pairs[:, 1]).log()], "smallest")
    expected = [-math.log10(stats.combine_pvalues(pair, "tippett").pvalue) for pair in pairs]
    assert found.numpy() == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("joining", ["fisher", "smallest"])
def test_what_is_far_beyond_all_good_values_stays_finite(joining: str) -> None:
    far = log_p_of_maps(torch.tensor([1e30]), torch.tensor([0.0, 1e-3, 9.0]))
    rare = joined_rarity([far, far], joining)  # type: ignore[arg-type]
    assert rare.isfinite().all()
    scores = log_p_of_scores(torch.tensor([1e30]), torch.tensor([0.0, 1e-3, 300.0]))
    assert joined_rarity([scores, scores], joining).isfinite().all()  # type: ignore[arg-type]
