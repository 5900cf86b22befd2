import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.synthetic.plane import blur, cells, fractal, noise, plane, smoothstep, streaks, wrap
from lab.synthetic.rng import Rng


def test_planes_of_any_size_span_the_same_224_reference_pixels() -> None:
    for size in (64, 224, 300):
        on = plane(size)
        spacing = 224 / size
        assert on.x[0, 0] == pytest.approx(-112 + spacing / 2)
        assert on.x[0, -1] == pytest.approx(112 - spacing / 2)


def test_posed_turns_and_shifts() -> None:
    on = plane(64)
    u, v = on.posed(np.pi / 2, dx=3.0, dy=-2.0)
    np.testing.assert_allclose(u, on.y + 2, atol=1e-4)
    np.testing.assert_allclose(v, 3 - on.x, atol=1e-4)


@given(st.integers(0, 63), st.integers(0, 63))
def test_a_pixel_is_found_again_from_its_coordinates_also_in_a_window(row: int, column: int) -> None:
    on = plane(64)
    x, y = float(on.x[row, column]), float(on.y[row, column])
    assert on.pixel(x, y) == (row, column)
    window = on.window(x, y, 20)
    part = on.cut(window)
    inner = part.pixel(x, y)
    assert (inner[0] + window[0].start, inner[1] + window[1].start) == (row, column)
    assert part.x[inner] == np.float32(x)


@pytest.mark.parametrize(
    "make", [noise, lambda r, o, w: fractal(r, o, w, 4), lambda r, o, w: streaks(r, o, 0.4, w, 60)]
)
@pytest.mark.parametrize("wavelength", [1.5, 6.0, 40.0])
def test_random_fields_are_float32_of_about_unit_variance(make, wavelength) -> None:  # type: ignore[no-untyped-def]
    fields = np.stack([make(Rng(seed), plane(128), wavelength) for seed in range(12)])
    assert fields.dtype == np.float32
    assert abs(float(fields.mean())) < 0.35
    assert 0.5 < float(fields.std()) < 1.5


def test_a_longer_wavelength_is_smoother() -> None:
    rough, smooth = (np.abs(np.diff(noise(Rng(1), plane(128), w))).mean() for w in (4, 40))
    assert smooth < rough / 4


def test_cells_know_their_centres_and_borders() -> None:
    label, far, near = cells(Rng(5), plane(128), 20)
    assert 80 < len(np.unique(label)) < 180
    assert far.min() == 0
    assert near.min() == 0
    assert near.max() < 20


def test_smoothstep_and_wrap() -> None:
    np.testing.assert_allclose(smoothstep(1, 3, np.array([0, 1, 2, 3, 4], np.float32)), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(smoothstep(3, 1, np.array([0, 2, 4], np.float32)), [1, 0.5, 0])
    np.testing.assert_allclose(wrap(np.array([-1, 0, 2.5, 7], np.float32), 3), [2, 0, 2.5, 1], atol=1e-6)


@pytest.mark.parametrize("sigma", [0.1, 1.0, 9.0])
def test_blur_keeps_the_mean(sigma: float) -> None:
    field = noise(Rng(2), plane(128), 10)
    assert float(blur(field, sigma, plane(128)).mean()) == pytest.approx(float(field.mean()), abs=0.06)
