import dataclasses

import numpy as np
import pytest

from lab.synthetic.layers import Layers
from lab.synthetic.light import Light, draw_light, shade, shadow
from lab.synthetic.plane import Field, blur, plane, smoothstep
from lab.synthetic.rng import Rng

ON = plane(96)
LAMP_ON_THE_LEFT = Light((-0.6, 0.0, 0.8), 0.3, np.full((64, 64), 0.5, np.float32), 0.0, (6.0, 0.0, 2.0, 0.6))


def layers(height: Field, cover: Field | None = None) -> Layers:
    flat = np.zeros((96, 96), np.float32)
    return Layers(
        albedo=np.full((3, 96, 96), 0.4, np.float32),
        height=height,
        gloss=flat,
        cover=flat + 1 if cover is None else cover,
        backdrop=np.full((3, 96, 96), 0.8, np.float32),
        metal=0.0,
    )


def test_a_flat_matt_surface_shows_its_albedo() -> None:
    flat = layers(np.zeros((96, 96), np.float32))
    np.testing.assert_allclose(shade(flat, flat.cover, LAMP_ON_THE_LEFT, ON), 0.4, rtol=1e-5)


def test_a_bump_is_bright_towards_the_lamp_and_dark_behind() -> None:
    scene = shade(layers(blur(smoothstep(30, 0, np.hypot(ON.x, ON.y)) * 8, 2, ON)), ON.x, LAMP_ON_THE_LEFT, ON)
    assert scene[0, 48, 48 - 7] > 0.45
    assert scene[0, 48, 48 + 7] < 0.35


def test_a_part_throws_its_shadow_away_from_the_lamp_and_on_the_backdrop_only() -> None:
    part = layers(np.zeros((96, 96), np.float32), smoothstep(0.5, -0.5, np.abs(ON.x) - 40))
    lit = shadow(part.cover, LAMP_ON_THE_LEFT, ON)
    scene = shade(part, lit, LAMP_ON_THE_LEFT, ON)
    right, left = ON.pixel(43, 0), ON.pixel(-46, 0)
    assert scene[0][right] < 0.6
    assert scene[0][left] > 0.75
    assert scene[0][ON.pixel(0, 0)] == pytest.approx(0.4, rel=1e-4)


def test_the_light_of_one_station_changes_little_from_picture_to_picture() -> None:
    lights = [draw_light(Rng(3), Rng(4, piece)) for piece in range(8)]
    directions = np.array([light.direction for light in lights])
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert directions.std(0).max() < 0.1
    others = np.array([draw_light(Rng(seed), Rng(0)).direction for seed in range(20)])
    assert others.std(0).max() > 0.25


def test_gloss_shows_the_surroundings() -> None:
    flat = layers(np.zeros((96, 96), np.float32))
    shiny = dataclasses.replace(flat, gloss=flat.gloss + 0.5)
    np.testing.assert_allclose(shade(shiny, ON.x, LAMP_ON_THE_LEFT, ON), 0.4 + 0.5 * 0.5, rtol=1e-4)
