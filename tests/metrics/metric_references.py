"""The definitions of the metrics, restated as slowly and plainly as possible, and generated data to hold them against."""

from math import nan

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

CLOSE = 1e-12

dozens = settings(max_examples=60, deadline=None)

TIED = st.integers(-2, 3).map(float)
UNTIED = st.floats(-100, 100, width=32)


@st.composite
def labels_and_scores(draw, min_of_each=0):
    """Labels bool [n] and scores float32 [n], in some examples heavily tied, with at least so many of each kind."""
    n = draw(st.integers(max(1, 2 * min_of_each), 40))
    labels = draw(arrays(np.bool_, n))
    labels[:min_of_each], labels[min_of_each : 2 * min_of_each] = True, False
    return labels, draw(arrays(np.float32, n, elements=draw(st.sampled_from([TIED, UNTIED]))))


@st.composite
def labelled_maps(draw, ignoring=False, max_images=5):
    """Lists of masks bool [h, w], maps float32 [h, w] of different sizes, ties likely; with `ignoring`, ignore masks too."""
    masks, maps, ignore = [], [], []
    elements = draw(st.sampled_from([TIED, UNTIED]))
    for _ in range(draw(st.integers(1, max_images))):
        shape = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
        masks.append(draw(arrays(np.bool_, shape)))
        maps.append(draw(arrays(np.float32, shape, elements=elements)))
        ignore.append(draw(arrays(np.bool_, shape)))
    return (masks, maps, ignore) if ignoring else (masks, maps)


def auroc_over_pairs(labels, scores):
    positives, negatives = scores[labels], scores[~labels]
    if not positives.size or not negatives.size:
        return nan
    won = (positives[:, None] > negatives).sum() + (positives[:, None] == negatives).sum() / 2
    return won / (positives.size * negatives.size)


def counts_at_every_threshold(labels, scores):
    """(threshold, true positives, false positives) at every distinct score, strictest first."""
    return [
        (threshold, int((labels & (scores >= threshold)).sum()), int((~labels & (scores >= threshold)).sum()))
        for threshold in sorted(set(scores.tolist()), reverse=True)
    ]


def average_precision_by_steps(labels, scores):
    n_positive, total, before = labels.sum(), 0.0, 0
    for _, tp, fp in counts_at_every_threshold(labels, scores):
        total += (tp - before) / n_positive * tp / (tp + fp)
        before = tp
    return total


def f1_max_over_thresholds(labels, scores):
    n_positive = labels.sum()
    f1 = [
        (2 * tp / (tp + fp + n_positive), threshold) for threshold, tp, fp in counts_at_every_threshold(labels, scores)
    ]
    return max(f1)


def fpr_at_tpr_over_thresholds(labels, scores, tpr):
    return next(
        fp / (~labels).sum() for _, tp, fp in counts_at_every_threshold(labels, scores) if tp / labels.sum() >= tpr
    )


def regions_of(masks, ignore=None):
    """Every region as (image index, bool mask of its pixels that are not ignored), regions of the whole mask."""
    found = []
    for index, mask in enumerate(masks):
        labels, n = ndimage.label(mask, structure=np.ones((3, 3)))
        kept = np.ones_like(mask) if ignore is None else ~ignore[index]
        found += [(index, (labels == k) & kept) for k in range(1, n + 1)]
    return [(index, pixels) for index, pixels in found if pixels.any()]


def overlap_curve(masks, maps, thresholds, ignore=None, strictly=False):
    """False positive rates and mean region recalls of the predictions at each threshold."""
    regions = regions_of(masks, ignore)
    kept = [np.ones_like(mask) for mask in masks] if ignore is None else [~skip for skip in ignore]
    n_negative = sum(int((~mask & keep).sum()) for mask, keep in zip(masks, kept, strict=True))
    fprs, recalls = [], []
    for threshold in thresholds:
        predicted = [scores > threshold if strictly else scores >= threshold for scores in maps]
        false = sum(int((p & ~m & k).sum()) for p, m, k in zip(predicted, masks, kept, strict=True))
        recalls.append(np.mean([(predicted[index] & pixels).sum() / pixels.sum() for index, pixels in regions]))
        fprs.append(false / n_negative)
    return np.array(fprs), np.array(recalls)


def aupro_by_trapezoids(masks, maps, limit, ignore=None):
    """Trapezoids under the curve through every distinct score, cut at the limit by linear interpolation."""
    everything = np.concatenate([scores.ravel() for scores in maps])
    fprs, recalls = overlap_curve(masks, maps, np.unique(everything)[::-1], ignore)
    fprs, recalls = np.append(0, fprs), np.append(0, recalls)
    area = 0.0
    for left, right, low, high in zip(fprs[:-1], fprs[1:], recalls[:-1], recalls[1:], strict=True):
        if right <= limit:
            area += (right - left) * (low + high) / 2
        elif left < limit:
            at_limit = low + (high - low) * (limit - left) / (right - left)
            area += (limit - left) * (low + at_limit) / 2
    return area / limit
