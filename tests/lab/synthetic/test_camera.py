import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from lab.synthetic.camera import Camera, capture, draw_camera, expose
from lab.synthetic.plane import noise, plane
from lab.synthetic.rng import Rng

ON = plane(96)
IDEAL = Camera(
    gain=np.ones((96, 96), np.float32),
    balance=np.ones((3, 1, 1), np.float32),
    gamma=1.0,
    contrast=0.0,
    lift=0.0,
    grey=False,
    softness=0.0,
    sharpening=0.0,
    grain=0.0,
    quality=None,
)


def scene(seed: int) -> NDArray[np.floating]:
    return np.stack([0.4 + 0.1 * noise(Rng(seed, channel), ON, 20) for channel in range(3)]).clip(0, 1)


def test_an_ideal_camera_keeps_the_values_and_the_order_of_the_channels() -> None:
    light = scene(1)
    image = capture(expose(light, IDEAL), IDEAL, Rng(2), ON)
    assert image.shape == (96, 96, 3)
    np.testing.assert_allclose(image, light.transpose(1, 2, 0) * 255, atol=4)


def test_a_grey_camera_gives_three_equal_channels() -> None:
    camera = dataclasses.replace(IDEAL, grey=True, grain=0.02, quality=70)
    image = capture(expose(scene(1), camera), camera, Rng(2), ON)
    assert (image == image[..., :1]).all()


def test_compression_keeps_red_red() -> None:
    camera = dataclasses.replace(IDEAL, quality=60)
    red = np.zeros((3, 96, 96), np.float32)
    red[0] = 0.8
    image = capture(expose(red, camera), camera, Rng(2), ON)
    assert image[..., 0].mean() > 190
    assert image[..., 1:].mean() < 12


@pytest.mark.parametrize("grain", [0.01, 0.03])
def test_sensor_noise_has_the_strength_given(grain: float) -> None:
    flat = np.full((3, 96, 96), 0.5, np.float32)
    camera = dataclasses.replace(IDEAL, grain=grain)
    spread = capture(expose(flat, camera), camera, Rng(2), ON).std() / 255
    assert grain * 0.8 < spread < grain * 1.5


def test_the_exposure_follows_the_bright_parts_of_the_scene() -> None:
    bright, dark = (draw_camera(Rng(5), Rng(6), ON, scene(1) * share).gain.mean() for share in (1.0, 0.25))
    assert dark / bright == pytest.approx(4, rel=1e-3)


def test_contrast_keeps_black_middle_and_white_and_parts_the_rest() -> None:
    camera = dataclasses.replace(IDEAL, contrast=1.0, grey=True)
    levels = np.broadcast_to(np.array([0, 0.25, 0.5, 0.75, 1], np.float32), (3, 1, 5))
    camera = dataclasses.replace(camera, gain=np.ones((1, 5), np.float32))
    toned = expose(levels, camera)[0, 0]
    np.testing.assert_allclose(toned[[0, 2, 4]], [0, 0.5, 1], atol=1e-6)
    assert toned[1] < 0.2
    assert toned[3] > 0.8
