import numpy as np
import pytest

from lab.synthetic.classes import (
    CLASSES,
    DEFECTS,
    HELD_OUT_CLASSES,
    OBJECTS,
    SURFACES,
    TRAIN_CLASSES,
    defects_of,
)
from lab.synthetic.parts import part
from lab.synthetic.plane import plane
from lab.synthetic.rng import Rng

FIELDS = {"albedo": (3, 64, 64), "height": (64, 64), "gloss": (64, 64), "cover": (64, 64), "backdrop": (3, 64, 64)}
LOOK_ALIKES = (
    "bottle",
    "capsule",
    "pill",
    "nut",
    "screw",
    "cable",
    "transistor",
    "board",
    "tile",
    "zipper",
    "toothbrush",
)


def test_there_are_many_classes_and_defects() -> None:
    assert len(SURFACES) >= 16
    assert len(OBJECTS) >= 16
    assert len(DEFECTS) >= 10


def test_held_out_classes_are_apart_from_the_training_classes_and_of_both_kinds() -> None:
    assert not set(HELD_OUT_CLASSES) & set(TRAIN_CLASSES)
    assert set(HELD_OUT_CLASSES) | set(TRAIN_CLASSES) == set(CLASSES)
    assert len(set(HELD_OUT_CLASSES) & set(SURFACES)) >= 4
    assert len(set(HELD_OUT_CLASSES) & set(OBJECTS)) >= 4


def test_no_class_is_named_like_an_object_of_an_evaluation_set() -> None:
    assert not [name for name in CLASSES for word in LOOK_ALIKES if word in name.split()]


def test_every_defect_belongs_to_some_class() -> None:
    assert set(DEFECTS) == {defect for name in CLASSES for defect in defects_of(name)}


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_builds_float32_layers_within_their_ranges(name: str) -> None:
    for seed in range(3):
        design, piece, on = Rng(seed, 0), Rng(seed, 1), plane(64)
        layers = SURFACES[name](design, piece, on) if name in SURFACES else part(OBJECTS[name], design, piece, on)
        for field, shape in FIELDS.items():
            array = getattr(layers, field)
            assert array.shape == shape
            assert array.dtype == np.float32, field
            assert np.isfinite(array).all()
        assert layers.albedo.min() > 0
        assert layers.albedo.max() <= 1
        assert layers.cover.min() >= 0
        assert layers.cover.max() <= 1
        assert layers.cover.mean() > 0.01
        assert 0 <= layers.metal <= 1
