import math

import numpy as np
import pytest

from lab.streets.canvas import frame_plane
from lab.streets.materials import Material, Texture, blotches, checks, dots, fibres, grain, grid, plain, ribs
from lab.synthetic.rng import Rng

ON = frame_plane(128, 128)
TEXTURES = {
    "plain": plain,
    "grain": grain(3),
    "blotches": blotches(9),
    "fibres": fibres(2, 12, 0.0),
    "ribs": ribs(6, 0.0),
    "grid": grid(9, 7, 1.5, 0.5),
    "checks": checks(4),
    "dots": dots(6, 0.3),
}


@pytest.mark.parametrize("name", TEXTURES)
def test_a_texture_is_a_share_of_the_second_colour(name: str) -> None:
    field = TEXTURES[name](Rng(3), ON, 1.0)
    assert field.shape == ON.shape
    assert field.min() >= 0
    assert field.max() <= 1
    assert field.std() > 0.03


@pytest.mark.parametrize(
    ("texture", "share"), [(ribs(6, 0.0, 0.3), 0.3), (dots(8, 0.3), math.pi * 0.09), (checks(4), 0.5)]
)
def test_a_pattern_covers_as_much_as_it_says(texture: Texture, share: float) -> None:
    assert texture(Rng(5), ON, 1.0).mean() == pytest.approx(share, abs=0.06)


def test_ribs_run_across_their_angle_and_grow_with_the_zoom() -> None:
    upright = ribs(8, 0.0)(Rng(1), ON, 1.0)
    assert upright.mean(axis=0).std() > 5 * upright.mean(axis=1).std()
    changes = [int((np.diff(ribs(8, 0.0)(Rng(1), ON, zoom)[64] > 0.5)).sum()) for zoom in (1.0, 2.0)]
    assert changes[0] == pytest.approx(2 * changes[1], abs=2)


def test_a_look_paints_between_its_two_colours() -> None:
    material = Material((0.5, 0.1, 0.1), (0.1, 0.1, 0.6), checks(6), spread=0.0)
    painted = material.paint(Rng(2), ON, 1.0)
    assert painted.shape == (3, *ON.shape)
    red = painted[0] > painted[2]
    np.testing.assert_allclose(painted[:, red].mean(axis=1), [0.5, 0.1, 0.1], atol=0.02)
    np.testing.assert_allclose(painted[:, ~red].mean(axis=1), [0.1, 0.1, 0.6], atol=0.02)
