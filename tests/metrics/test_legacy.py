from math import inf, isnan

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import assume, given

from oddlens.errors import UsageError
from oddlens.metrics import aupro, pixel_aupro_legacy
from tests.metrics.metric_references import CLOSE, dozens, labelled_maps, overlap_curve


def restated(masks, maps):
    """The rule as the specification words it, with one labelling and one comparison for each threshold."""
    low, high = min(values.min() for values in maps), max(values.max() for values in maps)
    thresholds = np.arange(np.float64(low), np.float64(high), np.float64(high - low) / 200).astype(maps[0].dtype)
    fprs, recalls = overlap_curve(masks, maps, thresholds, strictly=True)
    fprs, recalls = fprs[fprs < 0.3], recalls[fprs < 0.3]
    if len(set(fprs)) < 2:
        return float("nan")
    return sklearn.metrics.auc((fprs - fprs.min()) / (fprs.max() - fprs.min()), recalls)


@dozens
@given(labelled_maps())
def test_it_is_the_rule_of_the_authors_programs(data):
    masks, maps = data
    labels = np.concatenate([mask.ravel() for mask in masks])
    assume(labels.any() and not labels.all() and np.ptp(np.concatenate([values.ravel() for values in maps])) > 1e-3)
    assert pixel_aupro_legacy(masks, maps) == pytest.approx(restated(masks, maps), abs=CLOSE, nan_ok=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_is_that_rule_on_maps_of_a_realistic_kind(dtype):
    generator = np.random.default_rng(11)
    masks = np.zeros((6, 64, 64), bool)
    masks[0, 5:20, 10:30] = masks[0, 40:44, 40:60] = masks[2, 30:50, 3:9] = masks[5, :4, :4] = True
    maps = generator.normal(masks, 0.7).astype(dtype)
    found = pixel_aupro_legacy(masks, maps)
    assert 0.2 < found < 0.9
    assert found == pytest.approx(restated(masks, maps), abs=CLOSE)


def test_it_is_not_the_exact_aupro():
    generator = np.random.default_rng(11)
    masks = np.zeros((2, 64, 64), bool)
    masks[0, 5:20, 10:30] = True
    maps = generator.normal(masks, 0.7)
    maps[1, 0, 0] = 1000  # one outlier leaves all other scores between two thresholds
    assert isnan(pixel_aupro_legacy(masks, maps))
    assert 0.2 < aupro(masks, maps) < 0.9


def test_a_rate_of_exactly_three_tenths_is_left_out():
    scores = np.array([[8.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]])  # the defect is found from a rate of 0.2 on
    assert pixel_aupro_legacy([scores == 8.5], [scores]) == 0  # with 0.3 it would be one half


EYE, RAMP = np.eye(3), np.arange(9.0).reshape(3, 3)


@pytest.mark.parametrize(
    ("mask", "values"),
    [
        pytest.param(np.zeros((3, 3)), RAMP, id="no region"),
        pytest.param(np.ones((3, 3)), RAMP, id="no normal pixel"),
        pytest.param(EYE, np.full((3, 3), 0.5), id="constant map"),
        pytest.param(EYE, EYE, id="a single false positive rate"),
    ],
)
def test_what_the_rule_cannot_answer_is_nan(mask, values):
    assert isnan(pixel_aupro_legacy([mask], [values]))


def test_input_that_has_no_thresholds_is_a_clear_error():
    with pytest.raises(UsageError, match="finite"):
        pixel_aupro_legacy([EYE], [np.where(EYE, inf, RAMP)])
    with pytest.raises(UsageError, match="no pixel"):
        pixel_aupro_legacy([], [])
