"""Exchangeability: what was taken together is found to differ; random groups are called different as seldom as is said."""

from __future__ import annotations

from dataclasses import replace

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
    compared = "8 good images were compared with 30 of the line, and their "
    assert Exchangeability(8, 30, 0.4, 0.6).sentence == f"{compared}scores and look do not differ (p = 0.8)."
    assert Exchangeability(8, 30, None, 0.6).sentence == f"{compared}look does not differ (p = 0.6)."
    assert Exchangeability(8, 30, 0.4, None).sentence == f"{compared}scores do not differ (p = 0.4)."


def test_it_says_which_images_were_compared_and_when() -> None:
    held = Exchangeability(20, 20, None, 0.6, 20, 1, "halves", "2026-11-26T08:25:00+00:00")
    assert held.sentence.startswith(
        "On 2026-11-26 (UTC), of the 40 images of the line that the station is calibrated on, the 20 that came first, as good "
        "images, were compared with the 20 that came last, as the line, of which 1 (5.0 %) are above the threshold"
    )
    ok = Exchangeability(57, 200, 0.4, None, groups="ok")
    assert ok.sentence.startswith(
        "The 57 good images below the thresholds were compared with 200 of the line that are OK,"
    )
    for found in (held, ok):
        again = Exchangeability.from_dict(found.to_dict())
        assert (again, again.time) == (found, found.time)
    with pytest.raises(UsageError, match="groups are unknown"):
        Exchangeability.from_dict({**ok.to_dict(), "groups": "both"})


def test_a_refuted_test_says_what_differs() -> None:
    compared = "8 good images were compared with 30 of the line, and their "
    assert Exchangeability(8, 30, 0.4, 0.01).sentence.startswith(
        f"{compared}look differs (p = 0.02): unless bad parts are among those"
    )
    assert Exchangeability(8, 30, 0.01, 0.4).sentence.startswith(f"{compared}scores differ (p = 0.02): unless")
    assert Exchangeability(8, 30, 0.01, 0.01).sentence.startswith(
        f"{compared}scores and look differ (p = 0.02): unless"
    )


class TestWhatIsAboveTheThreshold:
    def test_it_is_counted_at_the_rank(self) -> None:
        known, later = [3.0, 1.0, 2.0], [1.5, 2.0, 2.5, 3.5]
        assert [compare((known, later), None, rank=rank).above for rank in (1, 2, 3)] == [4, 2, 1]
        assert compare((known, later), None, rank=3).score_p is None
        assert compare((known, later), None).above is None

    @pytest.mark.parametrize(("known", "rank", "later", "above"), [(4, 4, 60, 25), (32, 32, 60, 6), (40, 39, 30, 0)])
    def test_how_probable_more_than_twice_the_declared_rate_is(
        self, known: int, rank: int, later: int, above: int
    ) -> None:
        declared = (known + 1 - rank) / (known + 1)
        expected = stats.beta.sf(2 * declared, known + 1 - rank + above, rank + later - above)
        found = Exchangeability(known, later, None, None, rank, above)
        assert found.too_often == pytest.approx(expected, abs=1e-12)
        assert found.is_refuted == (expected > 0.5)

    def test_a_line_of_which_far_too_much_is_called_ng_is_said(self) -> None:
        found = Exchangeability(4, 60, None, 0.5, 4, 30)
        said = "of which 30 (50 %) are above the threshold that the 4 give, where at most 20 % of good ones should be"
        assert said in found.sentence
        assert "does not hold" in found.sentence

    def test_no_more_than_may_be_is_said_beside_what_else_was_looked_at(self) -> None:
        held = Exchangeability(16, 60, None, 0.4, 16, 3)
        assert held.sentence == (
            "16 good images were compared with 60 of the line, of which 3 (5.0 %) are above the threshold that the 16 give, no "
            "more than the 5.9 % of good ones that may be on average, and their look does not differ (p = 0.8)."
        )
        assert replace(held, embedding_p=None).sentence.endswith("that may be on average.")

    @pytest.mark.parametrize("embedding_p", [None, 0.6])
    def test_more_than_should_be_is_never_called_no_difference(self, embedding_p: float | None) -> None:
        """10 of 24 above a threshold that declares 20 %: too few to refute it."""
        found = Exchangeability(4, 24, None, embedding_p, 4, 10)
        assert not found.is_refuted
        look = "" if embedding_p is None else " Their look does not differ (p = 1)."
        assert found.sentence == (
            "4 good images were compared with 24 of the line, of which 10 (42 %) are above the threshold that the 4 give, more "
            "than the 20 % of good ones that should be on average. That may be chance, or bad images among them: it neither "
            f"confirms the promise nor refutes it.{look}"
        )

    @pytest.mark.parametrize("known", [4, 8, 16])
    def test_of_random_references_it_says_so_about_as_often_as_it_is_so(self, known: int) -> None:
        """The rate of the threshold of uniform scores is known: 1 less the threshold."""
        rng = np.random.default_rng(known)
        said, false = 0, 0
        for _ in range(400):
            scores = rng.random(known)
            found = compare((scores.tolist(), rng.random(60).tolist()), None, rank=known)
            said += found.is_refuted
            false += found.is_refuted and 1 - scores.max() <= 2 / (known + 1)
        assert stats.binom.ppf(0.001, 400, 0.07) <= said <= stats.binom.ppf(0.999, 400, 0.135)
        assert false <= stats.binom.ppf(0.999, 400, 0.05)

    def test_it_survives_json_and_what_was_not_counted_may_lack(self) -> None:
        found = Exchangeability(4, 60, None, 0.5, 4, 30)
        assert Exchangeability.from_dict(found.to_dict()) == found
        earlier = {"known": 8, "later": 30, "score_p": 0.4, "embedding_p": None}
        assert Exchangeability.from_dict(earlier) == Exchangeability(8, 30, 0.4, None)

    @pytest.mark.parametrize(("rank", "above"), [(4, None), (None, 3), (5, 3), (0, 3), (4, 61), (4, -1)])
    def test_numbers_that_cannot_be_are_refused(self, rank: int | None, above: int | None) -> None:
        document = Exchangeability(4, 60, None, 0.5, rank, above).to_dict()
        with pytest.raises(UsageError, match="rank"):
            Exchangeability.from_dict(document)


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to compare"):
        compare(([], [1.0]), None)
    with pytest.raises(UsageError, match="nothing to compare"):
        compare(None, None)
