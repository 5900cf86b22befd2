from dataclasses import replace
from math import inf, isnan, nan

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import assume, given
from hypothesis import strategies as st

from oddlens.errors import UsageError
from oddlens.metrics import aupro, f1_max, fpr_at_tpr, pixel_metrics, rank_pixels
from tests.metrics.metric_references import CLOSE, aupro_by_trapezoids, dozens, labelled_maps, regions_of

LIMITS = st.sampled_from([0.05, 0.3, 0.5, 1.0]) | st.floats(0.01, 1)


def pooled(masks, maps, ignore=None):
    kept = [np.ones_like(mask) for mask in masks] if ignore is None else [~skip for skip in ignore]
    return tuple(np.concatenate([a[k] for a, k in zip(arrays, kept, strict=True)]) for arrays in (masks, maps))


def both_kinds(labels):
    return labels.any() and not labels.all()


@dozens
@given(labelled_maps(), LIMITS)
def test_aupro_is_the_area_under_the_curve_through_every_threshold(data, limit):
    masks, maps = data
    assume(both_kinds(pooled(masks, maps)[0]))
    assert aupro(masks, maps, limit) == pytest.approx(aupro_by_trapezoids(masks, maps, limit), abs=CLOSE)


@dozens
@given(labelled_maps())
def test_the_other_metrics_are_those_of_all_pixels_in_one_row(data):
    masks, maps = data
    labels, scores = pooled(masks, maps)
    assume(both_kinds(labels))
    found = pixel_metrics(masks, maps)
    assert found.auroc == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), abs=CLOSE)
    assert found.ap == pytest.approx(sklearn.metrics.average_precision_score(labels, scores), abs=CLOSE)
    assert (found.f1_max, found.f1_max_threshold) == f1_max(labels, scores)
    assert found.fpr95 == fpr_at_tpr(labels, scores, 0.95)
    assert (found.n_images, found.n_regions) == (len(maps), len(regions_of(masks)))
    assert (found.n_positive, found.n_negative) == (labels.sum(), (~labels).sum())


@dozens
@given(labelled_maps(ignoring=True), LIMITS)
def test_ignored_pixels_count_for_nothing(data, limit):
    masks, maps, ignore = data
    labels, scores = pooled(masks, maps, ignore)
    assume(both_kinds(labels))
    found = pixel_metrics(masks, maps, limit, ignore)
    assert found.auroc == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), abs=CLOSE)
    assert found.aupro == pytest.approx(aupro_by_trapezoids(masks, maps, limit, ignore), abs=CLOSE)
    anything = [np.where(skip, nan, values) for values, skip in zip(maps, ignore, strict=True)]
    assert pixel_metrics(masks, anything, limit, ignore) == found


def test_aupro_weighs_regions_and_not_pixels():
    mask = np.zeros((1, 20), bool)
    mask[0, 0], mask[0, 5:14] = True, True
    finds_the_large_one = np.where(np.arange(20) >= 5, 1.0, 0.0)[None] * mask
    assert aupro([mask], [finds_the_large_one], 1.0) == pytest.approx(1 / 2 + 1 / 2 * 1 / 2)


def test_a_perfect_map_has_every_metric_at_one():
    masks = np.zeros((2, 8, 8), np.uint8)
    masks[0, 2:4, 2:4] = 1
    found = pixel_metrics(masks, masks * np.float32(5))
    assert (found.auroc, found.ap, found.f1_max, found.aupro, found.fpr95) == (1, 1, 1, 1, 0)
    assert found.f1_max_threshold == 5


@pytest.mark.parametrize("limit", [0.1, 0.3, 1.0])
def test_constant_maps_follow_the_diagonal(limit):
    masks = np.zeros((2, 8, 8), bool)
    masks[0, 2:4, 2:4] = True
    found = pixel_metrics(masks, np.zeros((2, 8, 8), np.float32), limit)
    assert found.auroc == 0.5
    assert found.aupro == pytest.approx(limit / 2)
    assert found.ap == masks.mean()


def test_without_defects_the_metrics_are_nan_and_the_counts_are_not():
    found = pixel_metrics(np.zeros((3, 4, 5)), np.random.default_rng(0).random((3, 4, 5)))
    assert all(map(isnan, (found.auroc, found.ap, found.f1_max, found.f1_max_threshold, found.aupro, found.fpr95)))
    assert (found.n_images, found.n_positive, found.n_negative, found.n_regions) == (3, 0, 60, 0)


def test_without_a_normal_pixel_what_needs_one_is_nan():
    found = pixel_metrics(np.ones((1, 2, 2)), np.arange(4.0).reshape(1, 2, 2))
    assert all(map(isnan, (found.auroc, found.aupro, found.fpr95)))
    assert (found.ap, found.f1_max, found.n_negative) == (1, 1, 0)


def test_infinite_scores_rank_first_and_last():
    mask = np.array([[1, 1, 0, 0, 0]])
    finite = pixel_metrics([mask], [np.array([[9.0, 1.0, 2.0, 1.0, 0.0]])])
    infinite = pixel_metrics([mask], [np.array([[inf, 1.0, 2.0, 1.0, -inf]])])
    assert infinite == replace(finite, f1_max_threshold=inf)


def test_one_array_and_a_list_of_arrays_are_the_same():
    generator = np.random.default_rng(3)
    masks, maps = generator.random((4, 6, 7)) < 0.2, generator.random((4, 6, 7), np.float32)
    assert pixel_metrics(masks, maps) == pixel_metrics(list(masks), list(maps))
    assert pixel_metrics(masks.astype(np.uint8), maps) == pixel_metrics(masks.astype(np.float64), maps)


def test_maps_are_left_as_they_were():
    generator = np.random.default_rng(3)
    masks, maps = generator.random((4, 6, 7)) < 0.2, generator.random((4, 6, 7), np.float32)
    before = maps.copy()
    pixel_metrics(masks, maps)
    assert np.array_equal(maps, before)


def test_the_ranking_gives_what_the_metrics_give():
    generator = np.random.default_rng(3)
    masks, maps = generator.random((4, 6, 7)) < 0.2, generator.random((4, 6, 7), np.float32)
    assert rank_pixels(masks, maps).auroc() == pixel_metrics(masks, maps).auroc


MAP = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("masks", "maps", "ignore", "complaint"),
    [
        ([], [], None, "no pixel"),
        ([MAP], [MAP], [MAP + 1], "no pixel"),
        ([MAP], [MAP, MAP], None, "one mask"),
        ([MAP, MAP], [MAP, MAP], [MAP], "one ignore mask"),
        ([MAP.T], [MAP], None, "mask 0 must have the shape of its map"),
        ([MAP], [MAP], [MAP.T], "ignore mask 0 must have the shape of its map"),
        (MAP, MAP, None, r"map 0 must be one array \[height, width\]"),
        ([MAP[:0]], [MAP[:0]], None, "map 0 must be one array"),
        ([MAP, MAP + 255], [MAP, MAP], None, "mask 1 must hold only 0 and 1"),
        ([MAP, MAP], [MAP, MAP + nan], None, "map 1 must not hold NaN"),
        ([MAP], [MAP + 1j], None, "map 0 must hold real numbers"),
    ],
)
def test_input_that_cannot_be_measured_is_an_error_that_names_the_image(masks, maps, ignore, complaint):
    with pytest.raises(UsageError, match=complaint):
        pixel_metrics(masks, maps, ignore=ignore)


@pytest.mark.parametrize("limit", [0, -1, 1.5, nan])
def test_a_limit_out_of_range_is_an_error(limit):
    with pytest.raises(UsageError, match="limit"):
        pixel_metrics([MAP], [MAP], limit)


def test_an_image_of_which_all_pixels_count_may_stand_beside_others_with_none():
    rng = np.random.default_rng(4)
    masks, maps = rng.random((3, 6, 6)) < 0.3, rng.random((3, 6, 6))
    some = rng.random((6, 6)) < 0.3
    nothing = np.zeros((6, 6), bool)
    found = pixel_metrics(masks, maps, ignore=[None, some, None])
    assert found == pixel_metrics(masks, maps, ignore=[nothing, some, nothing])
    assert found != pixel_metrics(masks, maps)


def test_label_files_with_255_are_refused_and_the_sentence_names_ignore():
    with pytest.raises(UsageError, match="as 255 does in label files of roads, belong into `ignore`"):
        pixel_metrics([[[0, 1], [255, 0]]], [[[0.1, 0.4], [0.35, 0.8]]])
