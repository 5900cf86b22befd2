"""Exchangeability: what was taken together is found to differ; random groups are called different as seldom as is said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from oddlens.calibration.exchangeability import (
    LEVEL,
    Exchangeability,
    compare,
    distances_between,
    embedding_difference,
    score_difference,
)
from oddlens.errors import UsageError


def images(seed: int, count: int, place: float = 0.0) -> tuple[list[float], np.ndarray]:
    """Scores and embeddings of images that are so far away from others."""
    rng = np.random.default_rng(seed)
    return (rng.lognormal(size=count) * np.exp(place)).tolist(), rng.normal(place, size=(count, 8)).astype(np.float32)


@pytest.mark.parametrize("known", [4, 20])
def test_exchangeable_groups_are_called_different_as_seldom_as_the_level(known: int) -> None:
    wrong = 0
    for seed in range(100):
        scores, embeddings = images(seed, known + 30)
        wrong += compare(
            (scores[:known], scores[known:]), (embeddings[:known], embeddings[known:]), seed=seed
        ).is_refuted
    assert wrong <= stats.binom.ppf(0.999, 100, LEVEL)


@pytest.mark.parametrize("known", [4, 20])
def test_groups_that_differ_are_found(known: int) -> None:
    (scores, embeddings), (later_scores, later) = images(1, known), images(2, 30, 1.5)
    found = compare((scores, later_scores), (embeddings, later))
    assert found.is_refuted
    assert found.p_value <= 0.05
    assert "does not hold" in found.sentence
    assert f"{known} good images" in found.sentence


def test_only_higher_scores_count() -> None:
    """Leave-one-out scores of references are by their making a little higher than those of new images."""
    low, high = np.arange(20.0), np.arange(20.0) + 15
    assert score_difference(low.tolist(), high.tolist()) < 0.01
    assert score_difference(high.tolist(), low.tolist()) > 0.99


def test_the_rank_test_is_wilcoxons() -> None:
    rng = np.random.default_rng(5)
    known, later = rng.integers(12, size=15).astype(float), rng.integers(2, 13, size=25).astype(float)
    expected = stats.mannwhitneyu(later, known, alternative="greater").pvalue
    assert score_difference(known.tolist(), later.tolist()) == pytest.approx(expected, abs=0.03)


def test_the_energy_distance_is_scipys_in_one_dimension() -> None:
    """Through the ranks of the p-value: the statistic is that of the definition for every shuffle."""
    rng = np.random.default_rng(6)
    known, later = rng.normal(size=(6, 1)), rng.normal(0.7, size=(9, 1))
    real = stats.energy_distance(known[:, 0], later[:, 0])
    together = np.concatenate([known, later])[:, 0]
    shuffled = [stats.energy_distance((mixed := rng.permutation(together))[:6], mixed[6:]) for _ in range(2000)]
    expected = float(np.mean(np.array(shuffled) >= real - 1e-12))
    assert embedding_difference(known, later) == pytest.approx(expected, abs=0.04)


def test_distances_are_euclidean() -> None:
    rng = np.random.default_rng(7)
    one, other = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    np.testing.assert_allclose(distances_between(one, other), cdist(one, other), atol=1e-9)


def test_identical_images_are_no_difference() -> None:
    same = np.ones((10, 4), np.float32)
    assert compare(([1.0] * 5, [1.0] * 10), (same[:5], same)).p_value == 1


def test_the_same_groups_give_the_same_p_value() -> None:
    (scores, embeddings), (later_scores, later) = images(1, 10), images(2, 10, 0.3)
    first, again = (compare((scores, later_scores), (embeddings, later)) for _ in range(2))
    assert first == again


def test_it_survives_json() -> None:
    found = Exchangeability(8, 30, 0.4, None)
    assert Exchangeability.from_dict(found.to_dict()) == found
    with pytest.raises(UsageError, match="no test of exchangeability"):
        Exchangeability.from_dict({"known": "x"})


def test_a_held_test_is_said_to_have_found_nothing() -> None:
    assert "no difference was found" in Exchangeability(8, 30, 0.4, 0.6).sentence


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to compare"):
        compare(([], [1.0]), None)
    with pytest.raises(UsageError, match="nothing to compare"):
        compare(None, None)
