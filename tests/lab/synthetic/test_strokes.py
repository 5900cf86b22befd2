import numpy as np
import pytest

from lab.synthetic.plane import plane
from lab.synthetic.rng import Rng
from lab.synthetic.strokes import blob, draw, fill, shard, tangle, taper, wander


def test_a_straight_line_covers_its_length_times_its_width() -> None:
    line = wander(Rng(1), (-50, 0), 0.0, 100, 0.0)
    np.testing.assert_allclose(line[-1], [50, 0], atol=1e-9)
    assert draw([line], 4, plane(224)).sum() == pytest.approx(400, rel=0.2)


def test_a_line_thinner_than_a_pixel_is_faint() -> None:
    line = wander(Rng(1), (-50, 0), 0.3, 100, 0.0)
    assert draw([line], 0.2, plane(224)).max() < 0.5


def test_strokes_fall_on_the_same_place_in_a_window() -> None:
    on = plane(224)
    window = on.window(10, -20, 30)
    line = wander(Rng(2), (0, -20), 0.2, 20, 0.05)
    np.testing.assert_array_equal(draw([line], 2, on)[window], draw([line], 2, on.cut(window)))
    corner = shard(Rng(3), 10, -20, 15, 8)
    np.testing.assert_array_equal(fill([corner], on)[window], fill([corner], on.cut(window)))


def test_a_tapered_line_is_thickest_in_the_middle() -> None:
    cover = taper(wander(Rng(1), (-60, 0), 0.0, 120, 0.0), 5, plane(224))
    assert cover[:, 110:114].sum() > 1.5 * cover[:, 56:60].sum() > 0


def test_a_blob_has_about_the_area_of_its_disc() -> None:
    areas = [blob(Rng(seed), plane(224), 0, 0, 20, 0.2).sum() for seed in range(20)]
    assert np.mean(areas) == pytest.approx(np.pi * 20**2, rel=0.2)


def test_a_tangle_is_as_many_lines_of_one_length_anywhere_in_the_picture() -> None:
    lines = tangle(Rng(4), 30, 24, 0.0)
    assert len(lines) == 30
    for line in lines:
        assert np.linalg.norm(line[-1] - line[0]) == pytest.approx(24, rel=1e-4)
    assert np.ptp([line[0] for line in lines], axis=0).min() > 150
