from math import erf, isnan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oddlens.errors import UsageError
from oddlens.metrics import auroc, average_precision, bootstrap_interval, delong_test, f1_max
from tests.metrics.metric_references import CLOSE, TIED, UNTIED, dozens, labels_and_scores


def delong_by_covariances(labels, a, b):
    """AUROCs and covariance of two methods from all pairs, as in the paper (equations 4 to 6)."""
    placements = []
    for scores in (a, b):
        positives, negatives = scores[labels][:, None], scores[~labels]
        psi = (positives > negatives) + 0.5 * (positives == negatives)
        placements.append((psi.mean(axis=1), psi.mean(axis=0), psi.mean()))
    of_positives = np.cov([v10 for v10, _, _ in placements])
    of_negatives = np.cov([v01 for _, v01, _ in placements])
    covariance = of_positives / labels.sum() + of_negatives / (~labels).sum()
    contrast = np.array([1, -1])
    return placements[0][2], placements[1][2], contrast @ covariance @ contrast


@dozens
@given(labels_and_scores(min_of_each=2), st.data())
def test_delong_is_the_paper_s_covariance_of_all_pairs(data, choose):
    labels, a = data
    b = choose.draw(arrays(np.float32, labels.size, elements=choose.draw(st.sampled_from([TIED, UNTIED]))))
    auroc_a, auroc_b, variance = delong_by_covariances(labels, a, b)
    found = delong_test(labels, a, b)
    assert (found.auroc_a, found.auroc_b) == pytest.approx((auroc_a, auroc_b), abs=CLOSE)
    assert found.difference == pytest.approx(auroc_a - auroc_b, abs=CLOSE)
    assert found.standard_error**2 == pytest.approx(variance, abs=CLOSE)
    if found.standard_error:
        assert found.z == pytest.approx(found.difference / found.standard_error)
        assert found.p_value == pytest.approx(1 - erf(abs(found.z) / sqrt(2)), abs=CLOSE)


def test_delong_turns_its_sign_with_its_methods():
    generator = np.random.default_rng(6)
    labels = np.arange(60) < 25
    a, b = generator.normal(labels), generator.normal(4 * labels)
    there, back = delong_test(labels, a, b), delong_test(labels, b, a)
    assert (there.difference, there.z, there.p_value) == (-back.difference, -back.z, back.p_value)
    assert there.difference < 0
    assert there.p_value < 0.05


def test_delong_rejects_as_often_as_its_level_where_the_methods_are_alike():
    generator = np.random.default_rng(6)
    labels = np.arange(120) < 60
    p_values = [delong_test(labels, *generator.normal(labels, size=(2, 120))).p_value for _ in range(2000)]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.02)


def test_delong_sees_no_difference_between_equal_rankings():
    labels, scores = [0, 1, 0, 1], np.array([0.1, 0.4, 0.3, 0.2])
    found = delong_test(labels, scores, 10 * scores)
    assert (found.difference, found.standard_error, found.z, found.p_value) == (0, 0, 0, 1)


def test_delong_gives_no_p_value_where_its_variance_fails():
    found = delong_test([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1])
    assert (found.difference, found.standard_error) == (1, 0)
    assert isnan(found.z)
    assert isnan(found.p_value)


def test_delong_needs_two_images_of_each_kind():
    with pytest.raises(UsageError, match="got 1 positive, 2 negative"):
        delong_test([0, 0, 1], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3])


@dozens
@given(labels_and_scores(min_of_each=1), st.sampled_from([auroc, average_precision]))
def test_a_bootstrap_interval_is_that_of_stratified_resamplings(data, metric):
    labels, scores = data
    interval = bootstrap_interval(labels, scores, metric, n=20, level=0.9, seed=3)
    seen = []

    def fit(drawn, values):
        assert drawn.sum() == labels.sum()
        assert np.isin(values[drawn], scores[labels]).all()
        assert np.isin(values[~drawn], scores[~labels]).all()
        seen.append(metric(drawn, values))
        return seen[-1]

    again = bootstrap_interval(labels, scores, fit, n=20, level=0.9, seed=3)
    assert again == interval
    assert (interval.value, interval.level) == (metric(labels, scores), 0.9)
    replicates = sorted(seen[:20])
    assert replicates[0] <= interval.low <= replicates[2]
    assert replicates[-3] <= interval.high <= replicates[-1]


def test_a_bootstrap_interval_narrows_with_more_images():
    generator = np.random.default_rng(8)
    widths = []
    for n in (30, 3000):
        labels = np.arange(n) < n // 2
        interval = bootstrap_interval(labels, generator.normal(labels), auroc, n=200)
        assert interval.low < interval.value < interval.high
        widths.append(interval.high - interval.low)
    assert widths[1] < widths[0] / 5


def test_a_bootstrap_of_an_undefined_metric_is_nan():
    interval = bootstrap_interval([0, 0, 0], [0.1, 0.2, 0.3], auroc, n=5)
    assert all(map(isnan, (interval.value, interval.low, interval.high)))


def test_a_bootstrap_takes_any_function_of_labels_and_scores():
    interval = bootstrap_interval([0, 1], [0.1, 0.2], lambda labels, scores: f1_max(labels, scores).value, n=5)
    assert (interval.value, interval.low, interval.high) == (1, 1, 1)


@pytest.mark.parametrize("wrong", [{"n": 0}, {"level": 0}, {"level": 1}])
def test_a_bootstrap_out_of_range_is_an_error(wrong):
    with pytest.raises(UsageError, match="bootstrap"):
        bootstrap_interval([0, 1], [0.1, 0.2], auroc, **wrong)
