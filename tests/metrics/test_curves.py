import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from oddlens.errors import UsageError
from oddlens.metrics import auroc, precision_recall_curve, roc_curve
from tests.metrics.metric_references import CLOSE, dozens, labels_and_scores


@dozens
@given(labels_and_scores(min_of_each=1))
def test_all_corners_enclose_exactly_the_auroc(data):
    labels, scores = data
    curve = roc_curve(labels, scores, max_points=None)
    assert np.trapezoid(curve.tpr, curve.fpr) == pytest.approx(auroc(labels, scores), abs=CLOSE)


@dozens
@given(labels_and_scores(min_of_each=1), st.sampled_from([2, 5, 1000, None]))
def test_every_roc_point_is_reached_by_its_threshold(data, max_points):
    labels, scores = data
    fpr, tpr, thresholds = roc_curve(labels, scores, max_points)
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert (np.diff(fpr) >= 0).all()
    assert (np.diff(tpr) >= 0).all()
    for x, y, threshold in zip(fpr, tpr, thresholds, strict=True):
        assert x == np.mean(scores[~labels] >= threshold)
        assert y == np.mean(scores[labels] >= threshold)


@dozens
@given(labels_and_scores(min_of_each=1), st.sampled_from([2, 5, 1000, None]))
def test_every_precision_recall_point_is_reached_by_its_threshold(data, max_points):
    labels, scores = data
    precision, recall, thresholds = precision_recall_curve(labels, scores, max_points)
    assert recall[-1] == 1
    for p, r, threshold in zip(precision, recall, thresholds, strict=True):
        assert p == pytest.approx(sklearn.metrics.precision_score(labels, scores >= threshold), abs=CLOSE)
        assert r == pytest.approx(sklearn.metrics.recall_score(labels, scores >= threshold), abs=CLOSE)


def test_the_steps_of_the_whole_precision_recall_curve_sum_to_the_average_precision():
    generator = np.random.default_rng(4)
    labels, scores = generator.random(500) < 0.2, np.round(generator.random(500), 2)
    precision, recall, _ = precision_recall_curve(labels, scores, max_points=None)
    area = (np.diff(recall, prepend=0) * precision).sum()
    assert area == pytest.approx(sklearn.metrics.average_precision_score(labels, scores), abs=CLOSE)


@pytest.mark.parametrize("max_points", [2, 3, 10, 100])
def test_thinning_keeps_the_ends_and_stays_near_the_curve(max_points):
    generator = np.random.default_rng(4)
    labels = generator.random(20_000) < 0.1
    scores = generator.normal(labels)
    whole, thin = roc_curve(labels, scores, None), roc_curve(labels, scores, max_points)
    assert max_points // 2 < thin.fpr.size <= max_points
    assert {*zip(*thin, strict=True)} <= {*zip(*whole, strict=True)}
    steps = np.diff(thin.fpr) + np.diff(thin.tpr)
    assert steps.max() < 2 / (max_points - 1) + 0.01
    assert precision_recall_curve(labels, scores, max_points).recall.size <= max_points


def test_a_curve_that_does_not_exist_is_an_error():
    with pytest.raises(UsageError, match="positives and negatives"):
        roc_curve([0, 0], [0.1, 0.2])
    with pytest.raises(UsageError, match="positives and negatives"):
        roc_curve([1, 1], [0.1, 0.2])
    with pytest.raises(UsageError, match="positives"):
        precision_recall_curve([0, 0], [0.1, 0.2])
    with pytest.raises(UsageError, match="at least 2 points"):
        roc_curve([0, 1, 0], [0.1, 0.2, 0.3], max_points=1)
