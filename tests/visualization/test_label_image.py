"""Class numbers as an image."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oddlens.visualization.label_image import class_colour, draw_labels


@given(arrays(np.uint8, (3, 5)), st.integers(1, 4))
def test_enlarging_mixes_no_numbers(labels: np.ndarray, times: int) -> None:
    shown = np.asarray(draw_labels(labels, (5 * times, 3 * times)))
    assert np.array_equal(shown, np.kron(labels, np.ones((times, times), np.uint8)))


@given(st.integers(1, 9), st.integers(1, 40))
def test_every_pixel_has_the_number_under_its_middle(cells: int, pixels: int) -> None:
    labels = np.arange(cells, dtype=np.uint8)[None]
    shown = np.asarray(draw_labels(labels, (pixels, 1)))[0]
    for pixel, number in enumerate(shown):
        assert abs((pixel + 0.5) * cells / pixels - (number + 0.5)) <= 0.5 + 1e-4


def test_the_colours_are_those_of_the_classes() -> None:
    labels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    shown = np.asarray(draw_labels(labels, (6, 4)).convert("RGB"))
    assert shown.reshape(-1, 3).tolist() == [list(class_colour(number)) for number in range(24)]


def test_the_colours_of_two_dozen_classes_can_be_distinguished() -> None:
    colours = np.array([class_colour(number) for number in range(24)], float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1) + 1e9 * np.eye(24)
    assert apart.min() > 40
