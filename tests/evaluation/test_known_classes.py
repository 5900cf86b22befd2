"""How well known classes are told: classes matched by name, held against the plain function."""

from collections.abc import Sequence

import numpy as np
import pytest

from oddlens.detection import Detection, Thresholds, ValueRange
from oddlens.evaluation.known_classes import KnownClasses
from oddlens.metrics import segmentation_metrics

NAMES = ("sky", "Traffic_Sign", "road")
SHUFFLED = ("road", "sky", "traffic sign")
"""The same classes as a method may call them."""


def detection(labels: np.ndarray | None, names: Sequence[str] = (), size: tuple[int, int] = (8, 6)) -> Detection:
    anomaly_map = np.zeros((3, 4), np.float32)
    told = None if labels is None else labels.astype(np.uint8)
    return Detection(
        0, anomaly_map, size, Thresholds(), ValueRange(0, 1, "fixed"), labels=told, label_names=tuple(names)
    )


@pytest.fixture
def truth() -> np.ndarray:
    classes = np.random.default_rng(1).integers(0, 3, (6, 8)).astype(np.uint8)
    classes[0, :3] = 255
    return classes


def test_classes_are_matched_by_name_and_labels_brought_to_the_frame(truth: np.ndarray) -> None:
    labels = np.random.default_rng(2).integers(0, 3, (3, 4))
    known = KnownClasses(NAMES)
    known.add(detection(labels, SHUFFLED), truth)
    guess = np.kron(np.array([2, 0, 1])[labels], np.ones((2, 2), int))
    wanted = segmentation_metrics([truth], [guess], 3)
    assert known.miou() == wanted.miou
    assert list(known.iou().items()) == list(zip(NAMES, wanted.iou, strict=True))
    assert known.reason == ""


def test_frames_add_up_to_the_figure_of_all(truth: np.ndarray) -> None:
    known = KnownClasses(NAMES)
    guesses = [np.random.default_rng(seed).integers(0, 3, (6, 8)) for seed in range(3)]
    for guess in guesses:
        known.add(detection(guess, NAMES), truth)
    known.add(detection(guesses[0], NAMES), None)  # nobody has told its classes
    assert known.miou() == segmentation_metrics([truth] * 3, guesses, 3).miou


def test_what_is_taken_for_another_class_is_a_miss_and_no_false_alarm() -> None:
    known = KnownClasses(("sky", "road"))
    truth = np.repeat(np.array([[0], [0], [0], [1], [1], [1]], np.uint8), 8, axis=1)
    labels = np.repeat(np.array([[0], [0], [2], [2], [1], [0]]), 8, axis=1)
    known.add(detection(labels, ("sky", "road", "caravan")), truth)
    assert known.iou() == {"sky": 2 / 4, "road": 1 / 3}


def test_a_class_that_is_nowhere_has_no_figure(truth: np.ndarray) -> None:
    known = KnownClasses((*NAMES, "boat"))
    known.add(detection(truth, (*NAMES, "boat")), truth)
    assert known.iou() == {"sky": 1.0, "Traffic_Sign": 1.0, "road": 1.0, "boat": None}
    assert known.miou() == 1.0


@pytest.mark.parametrize(
    ("labels", "names", "reason"),
    [
        (None, (), "the method recognises no classes"),
        (np.zeros((3, 4)), ("sky", "road"), "the method does not know 'Traffic_Sign' of the data set's classes"),
        (np.zeros((3, 4)), ("car",), "does not know 'sky', 'Traffic_Sign', 'road' of"),
    ],
)
def test_without_the_data_sets_classes_there_is_a_reason(
    truth: np.ndarray, labels: np.ndarray | None, names: tuple[str, ...], reason: str
) -> None:
    known = KnownClasses(NAMES)
    known.add(detection(labels, names), truth)
    assert (known.miou(), known.iou()) == (None, {})
    assert reason in known.reason


def test_a_long_list_of_unknown_classes_is_cut() -> None:
    known = KnownClasses([f"class {number}" for number in range(5)])
    known.add(detection(np.zeros((3, 4)), ("car",)), np.zeros((6, 8), np.uint8))
    assert "'class 0', 'class 1', 'class 2', and 2 more" in known.reason


def test_a_data_set_without_classes_has_nothing_to_tell(truth: np.ndarray) -> None:
    known = KnownClasses(())
    known.add(detection(np.zeros((3, 4)), NAMES), truth)
    assert (known.miou(), known.iou()) == (None, {})


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_frames_of_two_parts_give_the_figure_of_all(cut: int, truth: np.ndarray) -> None:
    frames = [(np.random.default_rng(seed).integers(0, 3, (6, 8)), truth if seed else None) for seed in range(3)]
    whole, first, second = KnownClasses(NAMES), KnownClasses(NAMES), KnownClasses(NAMES)
    for number, (guess, labels) in enumerate(frames):
        for known in (whole, first if number < cut else second):
            known.add(detection(guess, NAMES), labels)
    first.merge(second)
    assert (first.reason, first.miou(), first.iou()) == (whole.reason, whole.miou(), whole.iou())


def test_a_reason_of_a_part_is_that_of_all(truth: np.ndarray) -> None:
    first, second = KnownClasses(NAMES), KnownClasses(NAMES)
    first.add(detection(None), truth)
    first.merge(second)
    assert first.reason == "the method recognises no classes"
    second.merge(first)
    assert second.reason == "the method recognises no classes"
