import pickle
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from oddlens.errors import UsageError
from oddlens.metrics import (
    COMPONENT_LEVELS,
    COMPONENT_SIZES,
    ComponentAccumulator,
    ComponentSizes,
    component_metrics,
    rank_pixels,
)
from tests.metrics.metric_references import CLOSE, dozens, labelled_maps

ALL = ComponentSizes(1, 1)
SIZES = st.builds(ComponentSizes, st.integers(0, 4), st.integers(0, 4))


def drawing(*rows):
    """A mask from rows of text: # is marked."""
    return np.array([[char == "#" for char in row] for row in rows])


def agreement(true, found, ignore=None, sizes=ALL):
    """Measure one image whose prediction is given as a mask."""
    ignored = None if ignore is None else [ignore]
    return component_metrics([true], [found.astype(float)], ignored, sizes, threshold=0.5)


def components_as_sets(mask):
    labels, n = ndimage.label(mask, structure=np.ones((3, 3)))
    return [set(zip(*np.nonzero(labels == k), strict=True)) for k in range(1, n + 1)]


def agreement_by_sets(mask, predicted, ignored, sizes):
    """The definition, in sets of pixels: lists of the sIoU of true and the PPV of found components."""
    dropped = set(zip(*np.nonzero(ignored), strict=True))
    true, small = [], set()
    for component in components_as_sets(mask & ~ignored):
        if len(component) < sizes.true:
            small |= component
        else:
            true.append(component)
    found = [component for component in components_as_sets(predicted & ~ignored) if len(component) >= sizes.found]
    found = [component - small for component in found if component - small]
    assert not any(component & dropped for component in true + found)
    overlaps = []
    for k in true:
        touching = set().union(*(j for j in found if j & k))
        others = set().union(*(other for other in true if other is not k))
        overlaps.append(len(k & touching) / (len(k | touching) - len(touching & others)))
    everything = set().union(*true)
    return overlaps, [len(j & everything) / len(j) for j in found]


@dozens
@given(labelled_maps(ignoring=True), SIZES, st.sampled_from([-1.0, 0.0, 1.0, 2.0]))
def test_all_is_as_the_definition_says_in_sets_of_pixels(data, sizes, threshold):
    masks, maps, ignore = data
    overlaps, precisions = [], []
    for mask, scores, ignored in zip(masks, maps, ignore, strict=True):
        more = agreement_by_sets(mask, scores >= threshold, ignored, sizes)
        overlaps += more[0]
        precisions += more[1]
    found = component_metrics(masks, maps, ignore, sizes, threshold)
    assert (found.n_images, found.n_true, found.n_found) == (len(maps), len(overlaps), len(precisions))
    if overlaps:
        assert found.siou == pytest.approx(np.mean(overlaps), abs=CLOSE)
    if precisions:
        assert found.ppv == pytest.approx(np.mean(precisions), abs=CLOSE)
    if overlaps or precisions:
        for level, f1 in zip(COMPONENT_LEVELS, found.f1, strict=True):
            hits = sum(value >= level for value in overlaps)
            misses, alarms = len(overlaps) - hits, sum(value < level for value in precisions)
            assert f1 == 2 * hits / (2 * hits + misses + alarms)
        assert found.f1_mean == pytest.approx(np.mean(found.f1), abs=CLOSE)


def test_one_prediction_over_two_objects_is_held_against_neither_for_the_other():
    true = drawing("##..##", "##..##")
    found = agreement(true, drawing("######", "######"))
    # Each: 4 shared; the union is 12 pixels, of which the other object's 4 are left out.
    assert found.siou == 4 / 8
    assert found.ppv == 8 / 12
    assert (found.n_true, found.n_found) == (2, 1)
    assert found.f1 == (1,) * 6 + (0,) * 5


def test_one_object_in_two_pieces_is_measured_against_both():
    found = agreement(drawing("######"), drawing("##..##"))
    assert found.siou == 4 / 6
    assert found.ppv == 1
    assert (found.n_true, found.n_found) == (1, 2)


def test_one_of_two_objects_found_and_one_false_alarm():
    found = agreement(drawing("##...#...", "##......."), drawing("##.....##", "##.....##"))
    assert (found.siou, found.ppv) == (1 / 2, 1 / 2)
    assert found.f1 == (2 / (2 + 1 + 1),) * len(COMPONENT_LEVELS)
    assert found.f1_mean == 1 / 2


def test_an_overlap_that_is_a_level_reaches_it():
    for level in range(5, 16):
        true, found = np.ones((1, 20), bool), np.arange(20)[None] < level
        assert agreement(true, found).f1[level - 5] == 1
        assert level == 15 or agreement(true, found).f1[level - 4] == 0


def test_pixels_that_touch_at_a_corner_are_one_component():
    assert agreement(drawing("#.", ".#"), drawing("#.", ".#")).n_true == 1


def test_small_found_components_are_deleted_and_small_true_ones_ignored():
    true, found = drawing("#...###"), drawing("##..#.#")
    kept = agreement(true, found, sizes=ComponentSizes(2, 3))
    # The single pixels of the prediction go; of the left piece the half on the small object is dropped, the other is an alarm.
    assert (kept.n_true, kept.n_found, kept.siou, kept.ppv) == (1, 1, 0, 0)
    assert agreement(true, drawing("#......"), sizes=ComponentSizes(1, 3)).n_found == 0


def test_sizes_are_the_least_that_count():
    square = drawing("##", "##")
    assert agreement(square, square, sizes=ComponentSizes(4, 4)).siou == 1
    assert agreement(square, square, sizes=ComponentSizes(5, 5)).n_true == 0


def test_ignored_pixels_are_neither_true_nor_found():
    true, found, ignore = drawing("####.."), drawing("..####"), drawing("..##..")
    kept = agreement(true, found, ignore)
    assert (kept.n_true, kept.n_found, kept.siou, kept.ppv) == (1, 1, 0, 0)
    nothing_left = agreement(true, found, np.ones_like(true))
    assert (nothing_left.n_true, nothing_left.n_found) == (0, 0)
    assert isnan(nothing_left.siou)


def test_where_nothing_is_found_the_precision_is_0():
    missed = agreement(drawing("##"), drawing(".."))
    assert (missed.siou, missed.ppv, missed.f1_mean, missed.n_found) == (0, 0, 0, 0)


def test_where_nothing_is_to_be_found_alarms_count_and_silence_is_not_defined():
    alarm = agreement(drawing(".."), drawing("##"))
    assert (alarm.ppv, alarm.f1_mean) == (0, 0)
    assert isnan(alarm.siou)
    silence = agreement(drawing(".."), drawing(".."))
    assert all(map(isnan, (silence.siou, silence.ppv, silence.f1_mean, *silence.f1)))


def test_the_threshold_is_that_of_the_best_pixel_f1_over_all_images():
    generator = np.random.default_rng(5)
    masks = generator.random((3, 20, 30)) < 0.2
    maps = (masks + generator.normal(0, 0.4, masks.shape)).astype(np.float32)
    ignore = generator.random(masks.shape) < 0.1
    best = rank_pixels(masks, maps, ignore).f1_max().threshold
    assert component_metrics(masks, maps, ignore, ALL) == component_metrics(masks, maps, ignore, ALL, best)


def test_without_an_anomalous_pixel_there_is_no_best_threshold():
    found = component_metrics([drawing("..")], [np.zeros((1, 2))])
    assert isnan(found.threshold)
    assert (found.n_found, found.n_images) == (0, 1)


def test_the_toolkits_sizes_have_names():
    assert COMPONENT_SIZES == {"anomaly-track": (500, 100), "obstacle-track": (50, 10)}
    true = np.zeros((40, 40), bool)
    true[:10, :10] = True
    by_name = {name: agreement(true, true, sizes=name) for name in COMPONENT_SIZES}
    assert [by_name[name].n_found for name in ("anomaly-track", "obstacle-track")] == [0, 1]
    assert by_name["anomaly-track"].n_true == 1


def test_shards_merge_into_exactly_the_whole():
    generator = np.random.default_rng(6)
    masks, maps = generator.random((6, 9, 11)) < 0.3, generator.random((6, 9, 11))
    whole = ComponentAccumulator(0.6, ALL).update(masks, maps).compute()
    shards = [ComponentAccumulator(0.6, ALL).update(masks[i::3], maps[i::3]) for i in (2, 0, 1)]
    merged = pickle.loads(pickle.dumps(shards[0])).merge(shards[1]).merge(shards[2])
    assert merged.compute() == whole == component_metrics(masks, maps, sizes=ALL, threshold=0.6)


def test_shards_of_other_thresholds_or_sizes_do_not_merge():
    for other in (ComponentAccumulator(0.5, ALL), ComponentAccumulator(0.6)):
        with pytest.raises(UsageError, match="merge only if"):
            ComponentAccumulator(0.6, ALL).merge(other)


def test_faulty_input_is_an_error():
    with pytest.raises(UsageError, match="'street' are no component sizes: choose one of anomaly-track"):
        ComponentAccumulator(0.5, "street")
    with pytest.raises(UsageError, match="not NaN"):
        component_metrics([drawing("#")], [np.ones((1, 1))], threshold=nan)
    with pytest.raises(UsageError, match="no image"):
        ComponentAccumulator(0.5).compute()
    with pytest.raises(UsageError, match="mask 0 must have the shape"):
        ComponentAccumulator(0.5).update([drawing("##")], [np.ones((2, 2))])
