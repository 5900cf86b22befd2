import numpy as np
import pytest

from lab.streets.canvas import Canvas, frame_plane
from lab.streets.materials import Material, plain
from lab.streets.shapes import box, line
from lab.streets.words import NO_WORD, WORDS
from lab.synthetic.rng import Rng

WHITE = Material((0.8, 0.8, 0.8), (0.8, 0.8, 0.8), plain, spread=0.0)
CAR = WORDS.index("car")


def test_a_frame_is_128_units_high_whatever_its_pixels() -> None:
    for height, width in ((64, 96), (128, 192), (256, 384)):
        on = frame_plane(height, width)
        assert on.shape == (height, width)
        assert on.scale == height / 128
        assert Canvas(height, width).width == 192
        assert np.ptp(on.y) == pytest.approx(128 - 1 / on.scale, rel=1e-5)


def test_a_shape_is_painted_where_it_lies_and_nowhere_else() -> None:
    canvas = Canvas(128, 128)
    canvas.put(Rng(1), box(10, 20, 40, 50), WHITE, "car")
    inside = np.zeros((128, 128), bool)
    inside[20:50, 10:40] = True
    np.testing.assert_array_equal(canvas.words == CAR, inside)
    assert (canvas.words[~inside] == NO_WORD).all()
    assert canvas.colours[:, 25:45, 15:35].min() > 0.5
    assert canvas.colours[:, 60:].max() == 0


def test_a_line_has_its_width() -> None:
    canvas = Canvas(256, 256)
    canvas.put(Rng(1), line(6.0, (20, 60), (100, 60)), WHITE, "car")
    column = (canvas.words == CAR)[:, 120]
    assert abs(int(column.sum()) - 12) <= 1
    assert abs(float(np.flatnonzero(column).mean()) - 119.5) <= 1


@pytest.mark.parametrize(
    "shape", [box(-60, 20, -10, 50), box(140, 20, 190, 50), box(20, 150, 50, 170), box(0, -9, 9, -2)]
)
def test_what_lies_beside_the_frame_is_not_painted(shape) -> None:
    canvas = Canvas(128, 128)
    canvas.put(Rng(1), shape, WHITE, "car")
    canvas.shade(shape, 0.5)
    assert (canvas.words == NO_WORD).all()


def test_what_lies_partly_beside_the_frame_is_cut() -> None:
    canvas = Canvas(128, 128)
    canvas.put(Rng(1), box(-10, 100, 30, 160), WHITE, "car")
    rows, columns = np.nonzero(canvas.words == CAR)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (100, 127, 0, 29)


def test_a_shadow_darkens_and_changes_no_word() -> None:
    canvas = Canvas(128, 128)
    canvas.put(Rng(1), box(0, 0, 128, 128), WHITE, "road")
    before = canvas.colours.copy()
    canvas.shade(box(10, 10, 30, 30), 0.5)
    np.testing.assert_allclose(canvas.colours[:, 12:28, 12:28], before[:, 12:28, 12:28] / 2, rtol=0.02)
    np.testing.assert_array_equal(canvas.colours[:, 40:], before[:, 40:])
    assert (canvas.words == WORDS.index("road")).all()
