import numpy as np
import pytest
import sklearn.metrics
from hypothesis import assume, given

from oddlens.errors import UsageError
from oddlens.metrics import per_image_pixel_metrics, pixel_metrics
from tests.metrics.metric_references import CLOSE, dozens, labelled_maps


def fpr_of_the_script(labels, scores):
    """The rule as the script applies it, at every distinct score: from the loosest threshold up, stopping at full recall."""
    recalls, fprs = [], []
    for threshold in sorted(set(scores.tolist()), reverse=True):
        recalls.append((labels & (scores >= threshold)).sum() / labels.sum())
        fprs.append((~labels & (scores >= threshold)).sum() / (~labels).sum())
        if recalls[-1] == 1:
            break
    recalls, fprs = recalls[::-1], fprs[::-1]
    return fprs[int(np.argmin(np.abs(np.array(recalls) - 0.95)))]


@dozens
@given(labelled_maps(ignoring=True))
def test_every_image_is_measured_alone_and_the_means_are_given(data):
    rows = []
    for mask, scores, ignored in zip(*data, strict=True):
        labels, values = mask[~ignored], scores[~ignored]
        if labels.any() and not labels.all():
            auroc = sklearn.metrics.roc_auc_score(labels, values)
            ap = sklearn.metrics.average_precision_score(labels, values)
            rows.append((auroc, ap, fpr_of_the_script(labels, values)))
    assume(rows)
    masks, maps, ignore = data
    found = per_image_pixel_metrics(masks, maps, ignore)
    assert (found.auroc, found.ap, found.fpr95) == pytest.approx(np.mean(rows, axis=0), abs=CLOSE)
    assert (found.n_images, found.n_skipped) == (len(rows), len(masks) - len(rows))


def test_the_rule_for_the_false_positive_rate_is_the_scripts():
    mask = np.arange(100) < 20  # recalls in steps of a twentieth: 95 % is met with the 19th
    scores = np.concatenate((np.arange(100, 80, -1), np.full(10, 81.5), np.zeros(70)))
    found = per_image_pixel_metrics([mask[None]], [scores[None]])
    assert found.fpr95 == 10 / 80  # down to the last positive
    assert pixel_metrics([mask[None]], [scores[None]]).fpr95 == 0  # at the first threshold that finds enough


def test_means_over_images_are_not_the_figures_of_all_pixels():
    masks = np.array([[[True, False]], [[True, False]]])
    maps = np.array([[[1.0, 0.0]], [[0.5, 0.4]]]) * [[[1.0]], [[10.0]]]
    assert per_image_pixel_metrics(masks, maps).auroc == 1
    assert pixel_metrics(masks, maps).auroc == 0.75


def test_generators_are_read_image_by_image():
    masks, maps = np.eye(3, dtype=bool)[None].repeat(2, 0), np.arange(18.0).reshape(2, 3, 3)
    assert per_image_pixel_metrics(iter(masks), iter(maps)) == per_image_pixel_metrics(masks, maps)


def test_without_an_image_of_both_kinds_there_is_nothing_to_measure():
    with pytest.raises(UsageError, match="no image has both"):
        per_image_pixel_metrics([np.zeros((2, 2)), np.ones((2, 2))], np.zeros((2, 2, 2)))
