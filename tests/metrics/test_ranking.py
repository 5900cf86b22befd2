from math import inf, isnan, nan

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from oddlens.errors import UsageError
from oddlens.metrics import auroc, average_precision, f1_max, fpr_at_tpr, rank
from tests.metrics.metric_references import (
    CLOSE,
    auroc_over_pairs,
    average_precision_by_steps,
    dozens,
    f1_max_over_thresholds,
    fpr_at_tpr_over_thresholds,
    labels_and_scores,
)


@dozens
@given(labels_and_scores(min_of_each=1))
def test_auroc_is_the_share_of_pairs_in_the_right_order(data):
    labels, scores = data
    assert auroc(labels, scores) == pytest.approx(auroc_over_pairs(labels, scores), abs=CLOSE)
    assert auroc(labels, scores) == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), abs=CLOSE)


@dozens
@given(labels_and_scores(min_of_each=1))
def test_average_precision_is_the_sum_over_the_steps_in_recall(data):
    labels, scores = data
    assert average_precision(labels, scores) == pytest.approx(average_precision_by_steps(labels, scores), abs=CLOSE)
    expected = sklearn.metrics.average_precision_score(labels, scores)
    assert average_precision(labels, scores) == pytest.approx(expected, abs=CLOSE)


@dozens
@given(labels_and_scores(min_of_each=1))
def test_f1_max_is_the_best_over_all_thresholds_and_the_highest_that_reaches_it(data):
    labels, scores = data
    value, threshold = f1_max(labels, scores)
    assert (value, threshold) == pytest.approx(f1_max_over_thresholds(labels, scores), abs=CLOSE)
    assert value == pytest.approx(sklearn.metrics.f1_score(labels, scores >= threshold), abs=CLOSE)
    precision, recall, _ = sklearn.metrics.precision_recall_curve(labels, scores)
    with np.errstate(invalid="ignore"):
        assert value == pytest.approx(np.nanmax(2 * precision * recall / (precision + recall)), abs=CLOSE)


@dozens
@given(labels_and_scores(min_of_each=1), st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_fpr_at_tpr_is_read_at_the_first_threshold_that_finds_enough(data, tpr):
    labels, scores = data
    expected = fpr_at_tpr_over_thresholds(labels, scores, tpr)
    assert fpr_at_tpr(labels, scores, tpr) == expected
    fprs, tprs, _ = sklearn.metrics.roc_curve(labels, scores, drop_intermediate=False)
    assert fpr_at_tpr(labels, scores, tpr) == pytest.approx(fprs[np.argmax(tprs >= tpr)], abs=CLOSE)


@pytest.mark.parametrize("levels", [2, 30, None])
def test_all_metrics_agree_with_scikit_learn_on_many_scores(levels):
    generator = np.random.default_rng(7)
    labels = generator.random(50_000) < 0.02
    scores = generator.normal(labels, 1).astype(np.float32)
    if levels:
        scores = np.round(scores * levels / 8)
    assert auroc(labels, scores) == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), abs=CLOSE)
    expected = sklearn.metrics.average_precision_score(labels, scores)
    assert average_precision(labels, scores) == pytest.approx(expected, abs=CLOSE)
    fprs, tprs, _ = sklearn.metrics.roc_curve(labels, scores)
    assert fpr_at_tpr(labels, scores) == pytest.approx(fprs[np.argmax(tprs >= 0.95)], abs=CLOSE)


@dozens
@given(labels_and_scores(min_of_each=1))
def test_only_the_order_of_the_scores_matters(data):
    labels, scores = data
    elsewhere = 50 + 1000 * np.unique(scores, return_inverse=True)[1]
    assert auroc(labels, elsewhere) == auroc(labels, scores)
    assert average_precision(labels, elsewhere) == average_precision(labels, scores)
    assert f1_max(labels, elsewhere).value == f1_max(labels, scores).value


def test_large_raw_scores_are_not_squashed():
    labels, scores = [0, 0, 1, 1], [30.0, 31.0, 30.5, 32.0]
    assert auroc(labels, scores) == 0.75


def test_constant_scores_are_one_big_tie():
    labels, scores = [0, 0, 0, 1], np.full(4, 7.0)
    assert auroc(labels, scores) == 0.5
    assert average_precision(labels, scores) == 0.25
    assert f1_max(labels, scores) == (0.4, 7.0)
    assert fpr_at_tpr(labels, scores) == 1.0


def test_infinite_scores_rank_first_and_last():
    labels, scores = [1, 0, 1, 0], [inf, 2.0, 1.0, -inf]
    assert auroc(labels, scores) == 0.75
    assert f1_max(labels, [1.0, -inf, inf, -inf]) == (1.0, 1.0)


def test_zero_and_minus_zero_are_the_same_score():
    assert auroc([0, 1], [0.0, -0.0]) == 0.5
    assert str(f1_max([1, 1], [0.0, -0.0]).threshold) == str(f1_max([1, 1], [-0.0, 0.0]).threshold) == "0.0"


def test_without_positives_every_metric_is_nan():
    labels, scores = [0, 0, 0], [0.1, 0.2, 0.3]
    assert isnan(auroc(labels, scores))
    assert isnan(average_precision(labels, scores))
    assert all(map(isnan, f1_max(labels, scores)))
    assert isnan(fpr_at_tpr(labels, scores))


def test_without_negatives_only_what_counts_them_is_nan():
    labels, scores = [1, 1], [0.1, 0.2]
    assert isnan(auroc(labels, scores))
    assert isnan(fpr_at_tpr(labels, scores))
    assert average_precision(labels, scores) == 1.0
    assert f1_max(labels, scores) == (1.0, 0.1)


def test_labels_and_scores_may_have_any_common_shape():
    generator = np.random.default_rng(0)
    labels, scores = generator.random((3, 4, 5)) < 0.3, generator.random((3, 4, 5))
    assert auroc(labels, scores) == auroc(labels.ravel(), scores.ravel())


@pytest.mark.parametrize(
    ("labels", "scores", "complaint"),
    [
        ([], [], "no scores"),
        ([0, 1], [0.1, 0.2, 0.3], "one shape"),
        ([0, 255], [0.1, 0.2], "only 0 and 1"),
        ([0, nan], [0.1, 0.2], "only 0 and 1"),
        ([0, 1], [0.1, nan], "NaN"),
        ([0, 1], ["low", "high"], "real numbers"),
        ([0, 1], [1j, 2j], "real numbers"),
    ],
)
def test_input_that_cannot_be_ranked_is_a_clear_error(labels, scores, complaint):
    with pytest.raises(UsageError, match=complaint):
        rank(labels, scores)


@pytest.mark.parametrize("tpr", [0, -0.1, 1.01, nan])
def test_a_true_positive_rate_out_of_range_is_an_error(tpr):
    with pytest.raises(UsageError, match="true positive rate"):
        fpr_at_tpr([0, 1], [0.1, 0.2], tpr)


def test_scores_keep_their_precision():
    close = np.array([1.0, 1.0 + 2**-52])
    assert auroc([0, 1], close) == 1.0  # float32 would tie them
    assert rank([0, 1], np.float32([1, 2])).thresholds.dtype == np.float32
    assert auroc([0, 1], np.float16([1, 2])) == 1.0
    assert auroc([0, 1], [2**30, 2**30 + 1]) == 1.0
