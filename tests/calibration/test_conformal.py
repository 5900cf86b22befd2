"""The mathematics of thresholds: against scipy and known figures, and on generated scores: what it promises holds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import beta, binomtest, t

from oddlens.calibration.conformal import (
    declared_bound,
    images_needed,
    local_level,
    lognormal_limit,
    mean_rate,
    moved_bound,
    p_value,
    rank_for,
    rank_of,
    rate_interval,
    threshold_for,
)
from oddlens.errors import UsageError

Floats = NDArray[np.float64]
REPEATABLE = settings(max_examples=60, deadline=None, derandomize=True)
RATES = st.sampled_from((0.01, 0.02, 0.05, 0.1, 0.2, 0.5))
DRAWS = 1500


class TestIntervals:
    @pytest.mark.parametrize(("hits", "count"), [(0, 8), (8, 8), (3, 20), (99, 100), (0, 1)])
    def test_intervals_of_rates_as_scipy(self, hits: int, count: int) -> None:
        expected = binomtest(hits, count).proportion_ci(0.95, method="exact")
        assert rate_interval(hits, count) == pytest.approx((expected.low, expected.high), abs=1e-9)

    def test_nothing_counted_says_nothing(self) -> None:
        assert rate_interval(0, 0) == (0, 1)


class TestRanks:
    @pytest.mark.parametrize(
        ("count", "rate", "rank"),
        [(19, 0.05, 19), (20, 0.05, 20), (99, 0.01, 99), (100, 0.05, 96), (4, 0.2, 4), (9, 0.1, 9), (999, 0.001, 999)],
    )
    def test_they_are_those_of_the_definition(self, count: int, rate: float, rank: int) -> None:
        assert rank_for(count, rate) == rank

    @given(st.integers(1, 5000))
    def test_the_largest_is_the_rank_of_the_lowest_rate(self, count: int) -> None:
        assert rank_for(count, 1 / (count + 1)) == count
        assert images_needed(1 / (count + 1)) == count

    @given(st.integers(1, 2000), st.floats(0.001, 0.999))
    def test_the_mean_rate_is_at_most_the_declared_one(self, count: int, rate: float) -> None:
        if count < images_needed(rate):
            with pytest.raises(UsageError, match=f"needs {images_needed(rate)} good images, and there are {count}: "):
                rank_for(count, rate)
        else:
            assert mean_rate(count, rank_for(count, rate)) <= rate + 1e-9

    def test_a_rate_that_so_few_cannot_promise_is_refused_with_what_it_needs(self) -> None:
        with pytest.raises(UsageError) as caught:
            rank_for(18, 0.05)
        assert str(caught.value) == (
            "a false-alarm rate of 0.05 needs 19 good images, and there are 18: give more, or a rate of 0.053 or more"
        )
        assert rank_for(18, 0.053) == 18
        for rate in (1e-320, 1e-300, 1e-12):
            with pytest.raises(
                UsageError, match=f"^a false-alarm rate of {rate:g} needs more good images than anyone has"
            ):
                rank_for(18, rate)

    @pytest.mark.parametrize("rate", [0, 1, -0.1, 2, math.nan, math.inf, True, "0.05", None])
    def test_what_is_no_rate_is_refused(self, rate: object) -> None:
        with pytest.raises(UsageError, match="a false-alarm rate cannot be"):
            rank_for(100, rate)  # type: ignore[arg-type]

    @given(st.lists(st.sampled_from((0.1, 0.2, 0.3)), min_size=1, max_size=40), st.sampled_from((0.1, 0.2, 0.3)))
    def test_ties_count_against_us(self, scores: list[float], score: float) -> None:
        assert p_value(scores, score) == (1 + len([each for each in scores if each >= score])) / (len(scores) + 1)

    @given(st.lists(st.floats(0, 1), min_size=9, max_size=60), st.floats(0, 1))
    def test_what_exceeds_the_threshold_has_a_p_value_of_at_most_the_rate(
        self, scores: list[float], score: float
    ) -> None:
        beyond = score > threshold_for(scores, 0.1)
        assert beyond == (p_value(scores, score) <= mean_rate(len(scores), rank_for(len(scores), 0.1)))
        assert rank_of(scores, threshold_for(scores, 0.1)) >= rank_for(len(scores), 0.1)


class TestFiguresOfTheLiterature:
    @pytest.mark.parametrize(
        ("count", "declared", "moved"),
        [(20, 13.9, 23.0), (50, 5.8, 10.7), (100, 3.0, 5.8), (300, 1.0, 2.1), (1000, 0.30, 0.68)],
    )
    def test_the_largest_of_all_as_threshold(self, count: int, declared: float, moved: float) -> None:
        """Those that others drew by Monte Carlo lie within a few hundredths of ours, which are exact."""
        assert 100 * declared_bound(count, count) == pytest.approx(declared, abs=0.05)
        assert 100 * moved_bound(count, count) == pytest.approx(moved, abs=0.12)

    @pytest.mark.parametrize(
        ("count", "declared", "moved"),
        [(50, 9.1, 14.7), (100, 8.9, 12.9), (200, 7.7, 10.5), (300, 7.2, 9.4), (500, 6.7, 8.4), (1000, 6.2, 7.3)],
    )
    def test_at_five_percent(self, count: int, declared: float, moved: float) -> None:
        rank = rank_for(count, 0.05)
        assert 100 * declared_bound(count, rank) == pytest.approx(declared, abs=0.06)
        assert 100 * moved_bound(count, rank) == pytest.approx(moved, abs=0.12)

    @pytest.mark.parametrize("count", [6, 25, 60, 170, 400, 850, 4000])
    def test_between_the_entries_of_its_table_the_level_is_that_of_a_simulation(self, count: int) -> None:
        draws = max(300, 200_000 // count)
        rng = np.random.default_rng(count)
        ranks = np.arange(1, count + 1)
        spacings = rng.exponential(size=(draws, count + 1)).cumsum(axis=1)
        uniform = spacings[:, :-1] / spacings[:, -1:]  # sorted
        beyond = (uniform < beta.ppf(local_level(count), ranks, count + 1 - ranks)).any(axis=1).mean()
        assert beyond == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / draws))

    def test_beyond_its_table_the_level_is_on_the_safe_side(self) -> None:
        assert 0 < local_level(10_000) < local_level(5000) < local_level(4999)

    def test_a_threshold_below_all_promises_nothing(self) -> None:
        assert (declared_bound(20, 0), moved_bound(20, 0)) == (1, 1)


def true_rates(scores: Floats, values: int | None) -> Floats:
    """P(a further score exceeds each): of uniform scores, or of those that lie on the middle of one of `values` steps."""
    return 1 - scores if values is None else 1 - (np.floor(scores * values) + 1) / values


def drawn(seed: int, count: int, values: int | None) -> Floats:
    """Sorted scores of `DRAWS` calibration sets."""
    scores = np.random.default_rng(seed).random((DRAWS, count))
    if values is not None:
        scores = (np.floor(scores * values) + 0.5) / values
    return np.sort(scores, axis=1)


class TestPromises:
    """On generated scores whose true false-alarm rate is known, within four standard errors of the simulation.

    values: how many different scores there are; None: no two are the same; 1: all are.
    """

    @REPEATABLE
    @given(st.integers(5, 1000), RATES, st.sampled_from((None, None, 200, 20, 3, 1)), st.integers(0, 2**32))
    def test_on_average_and_with_95_percent_confidence(
        self, count: int, rate: float, values: int | None, seed: int
    ) -> None:
        if count < images_needed(rate):
            rate = 1 / (count + 1)
        rank = rank_for(count, rate)
        rates = true_rates(drawn(seed, count, values)[:, rank - 1], values)
        error = 4 * beta.std(count + 1 - rank, rank) / math.sqrt(DRAWS)
        assert rates.mean() <= mean_rate(count, rank) + error
        beyond = (rates > declared_bound(count, rank)).mean()
        apart = 4 * math.sqrt(0.05 * 0.95 / DRAWS)
        assert beyond <= 0.05 + apart
        if values is None:  # and no promise is much wider than need be
            assert rates.mean() >= mean_rate(count, rank) - error
            assert beyond >= 0.05 - apart

    @settings(REPEATABLE, max_examples=25)
    @given(st.integers(5, 1000), st.sampled_from((None, None, 200, 20, 3, 1)), st.integers(0, 2**32))
    def test_of_all_thresholds_at_once(self, count: int, values: int | None, seed: int) -> None:
        scores = drawn(seed, count, values)
        ranks = np.arange(1, count + 1)
        bounds = beta.ppf(1 - local_level(count), count + 1 - ranks, ranks)
        for rank in (1, (count + 1) // 2, count):
            assert moved_bound(count, rank) == pytest.approx(bounds[rank - 1], rel=1e-9)
        # The rank of a threshold counts all scores that do not exceed it, tied ones too.
        ends = np.concatenate([scores[:, 1:] > scores[:, :-1], np.full((DRAWS, 1), True)], axis=1)
        beyond = ((true_rates(scores, values) > bounds) & ends).any(axis=1).mean()
        assert beyond <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / DRAWS)

    @REPEATABLE
    @given(
        st.integers(5, 200),
        st.sampled_from((None, 20, 2)),
        st.sampled_from((0.01, 0.05, 0.1, 0.5)),
        st.integers(0, 2**32),
    )
    def test_p_values_of_good_images_are_not_too_small(
        self, count: int, values: int | None, alpha: float, seed: int
    ) -> None:
        scores = np.random.default_rng(seed).random((DRAWS, count + 1))
        scores = scores if values is None else np.floor(scores * values)
        p_values = (1 + (scores[:, :-1] >= scores[:, -1:]).sum(axis=1)) / (count + 1)
        assert p_value(scores[0, :-1].tolist(), float(scores[0, -1])) == p_values[0]
        assert (p_values <= alpha).mean() <= alpha + 4 * math.sqrt(alpha * (1 - alpha) / DRAWS)

    @settings(REPEATABLE, max_examples=15)
    @given(st.integers(5, 60), st.integers(1, 3), st.booleans(), st.integers(0, 2**32))
    def test_leave_one_out_promises_it_on_average(self, count: int, width: int, copies: bool, seed: int) -> None:
        """Nearest-neighbour scores, each reference held against the others: of points, also of some that are there twice."""
        draws = 600
        points = np.random.default_rng(seed).normal(size=(draws, count + 1, width))
        if copies:
            points = np.round(2 * points) / 2
        distances = np.linalg.norm(points[:, :, None] - points[:, None], axis=3)
        distances[:, np.arange(count + 1), np.arange(count + 1)] = np.inf
        own = distances[:, :count, :count].min(axis=2)
        new = distances[:, count, :count].min(axis=1)
        rate = max(0.1, 1 / (count + 1))
        rank = rank_for(count, rate)
        alarms = (new > np.sort(own, axis=1)[:, rank - 1]).mean()
        assert alarms <= mean_rate(count, rank) + 4 * math.sqrt(rate * (1 - rate) / draws)


class TestEstimate:
    def test_it_is_the_t_prediction_limit_of_the_logarithms(self) -> None:
        scores = [0.2, 0.25, 0.3, 0.28]
        logs = np.log(scores)
        limit = logs.mean() + t.ppf(0.95, 3) * logs.std(ddof=1) * math.sqrt(1 + 1 / 4)
        assert lognormal_limit(scores, 0.05) == pytest.approx(math.exp(limit))

    def test_it_keeps_its_rate_where_scores_are_lognormal(self) -> None:
        rng = np.random.default_rng(7)
        scores = rng.lognormal(-1, 0.3, (2000, 9))
        limits = [lognormal_limit(each[:-1].tolist(), 0.05) for each in scores]
        alarms = np.mean([float(each[-1]) > (limit or 0) for each, limit in zip(scores, limits, strict=True)])
        assert alarms == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 2000))

    @pytest.mark.parametrize("scores", [[], [0.5], [0.5, 0.5], [0.0, 0.5], [-0.1, 0.5]])
    def test_there_is_none_of_scores_that_cannot_be_lognormal(self, scores: list[float]) -> None:
        assert lognormal_limit(scores, 0.05) is None
