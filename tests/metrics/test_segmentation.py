import pickle
from math import isnan, nan

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oddlens.errors import UsageError
from oddlens.metrics import SegmentationAccumulator, segmentation_metrics
from tests.metrics.metric_references import CLOSE, dozens

CLASSES = 4
INDICES = st.sampled_from([*range(CLASSES), 255])


@st.composite
def labels_and_predictions(draw, elements=INDICES):
    shapes = draw(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=4))
    return tuple([draw(arrays(np.uint8, shape, elements=elements)) for shape in shapes] for _ in range(2))


@dozens
@given(labels_and_predictions())
def test_iou_is_shared_pixels_over_all_of_either_of_those_that_count(data):
    labels, predictions = (np.concatenate([image.ravel() for image in images]) for images in data)
    counted = labels != 255
    found = segmentation_metrics(*data, CLASSES)
    expected = []
    for index in range(CLASSES):
        true, guessed = (labels == index) & counted, (predictions == index) & counted
        expected.append((true & guessed).sum() / (true | guessed).sum() if (true | guessed).any() else nan)
    assert found.iou == pytest.approx(expected, abs=CLOSE, nan_ok=True)
    assert found.n_pixels == counted.sum()
    if counted.any():
        assert found.accuracy == pytest.approx((labels == predictions)[counted].mean(), abs=CLOSE)
        assert found.miou == pytest.approx(np.nanmean(expected), abs=CLOSE)


@dozens
@given(labels_and_predictions(st.sampled_from(range(CLASSES))))
def test_without_ignored_pixels_it_is_scikit_learns_jaccard_score(data):
    labels, predictions = (np.concatenate([image.ravel() for image in images]) for images in data)
    present = np.union1d(labels, predictions)
    expected = sklearn.metrics.jaccard_score(labels, predictions, labels=present, average="macro", zero_division=0)
    assert segmentation_metrics(*data, CLASSES).miou == pytest.approx(expected, abs=CLOSE)


def test_a_class_that_neither_occurs_nor_is_predicted_is_left_out_of_the_mean():
    found = segmentation_metrics([[[0, 0, 1]]], [[[0, 0, 0]]], 3)
    assert found.iou[:2] == (2 / 3, 0)
    assert isnan(found.iou[2])
    assert found.miou == 1 / 3


def test_a_prediction_of_no_class_is_a_miss_and_no_false_alarm():
    found = segmentation_metrics([[[0, 0, 1, 255]]], [[[0, 255, 1, 1]]], 2)
    assert found.iou == (1 / 2, 1)
    assert (found.accuracy, found.n_pixels) == (2 / 3, 3)


def test_where_every_pixel_is_ignored_nothing_is_defined():
    found = segmentation_metrics([[[255, 255]]], [[[0, 1]]], 2)
    assert all(map(isnan, (found.miou, found.accuracy, *found.iou)))
    assert found.n_pixels == 0


def test_shards_merge_into_exactly_the_whole():
    generator = np.random.default_rng(2)
    labels, predictions = generator.integers(0, CLASSES, (2, 6, 5, 7))
    shards = [SegmentationAccumulator(CLASSES).update(labels[i::3], predictions[i::3]) for i in (2, 0, 1)]
    merged = pickle.loads(pickle.dumps(shards[0])).merge(shards[1]).merge(shards[2])
    assert merged.compute() == segmentation_metrics(labels, predictions, CLASSES)
    assert merged.confusion.sum() == labels.size


IMAGE = np.zeros((2, 3), np.uint8)


@pytest.mark.parametrize(
    ("labels", "predictions", "complaint"),
    [
        ([IMAGE], [], "one prediction"),
        ([IMAGE], [IMAGE.T], "label image 0 and its prediction must have one shape"),
        ([IMAGE, IMAGE + 2], [IMAGE, IMAGE], "label image 1 or its prediction holds other values"),
        ([IMAGE], [IMAGE + 254], "other values"),
        ([IMAGE], [IMAGE.astype(np.int8) - 1], "other values"),
        ([IMAGE], [IMAGE + 0.5], "other values"),
    ],
)
def test_faulty_input_is_an_error_and_adds_nothing(labels, predictions, complaint):
    accumulator = SegmentationAccumulator(2)
    with pytest.raises(UsageError, match=complaint):
        accumulator.update(labels, predictions)
    assert accumulator.confusion.sum() == 0


def test_classes_must_be_some_and_the_same_to_merge():
    for n_classes, ignored in ((0, 255), (3, 2)):
        with pytest.raises(UsageError, match="at least one class"):
            SegmentationAccumulator(n_classes, ignored)
    with pytest.raises(UsageError, match="of the same classes"):
        SegmentationAccumulator(2).merge(SegmentationAccumulator(3))
