"""The camera: exposure and tone (which say what is visible), then optics, sensor noise and compression.

Normal and defective pictures of a product go through the same camera with the same random numbers.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.data.synthetic.dice import Dice
from oddlens.data.synthetic.layers import ColourField
from oddlens.data.synthetic.plane import Field, Plane, noise

GREY_SHARE = 0.35
"""Share of products that are photographed in grey."""


@dataclass(frozen=True)
class Camera:
    """How a scene is photographed.

    gain        float32 [s, s], exposure times the unevenness of the light
    balance     float32 [3], white balance
    gamma       exponent of the tone curve
    lift        the black level, 0..0.1
    grey        True for a grey-scale camera
    softness    sigma of the optics' blur, reference pixels
    sharpening  strength of the unsharp mask
    grain       standard deviation of the sensor noise at mid grey, 0..1
    quality     JPEG quality, or None for a lossless picture
    """

    gain: Field
    balance: NDArray[np.float32]
    gamma: float
    lift: float
    grey: bool
    softness: float
    sharpening: float
    grain: float
    quality: int | None


def draw_camera(design: Dice, piece: Dice, on: Plane, clean: ColourField) -> Camera:
    """The camera of a product's station (`design`), a touch different for each picture (`piece`).

    The exposure is set as a person would: by the bright parts of the `clean` scene, float32 [s, s, 3] in linear light.
    """
    bright = float(np.percentile(clean[::4, ::4].mean(-1), 92))
    target = design.uniform(0.14, 1.0) * piece.factor(0.05)
    uneven = design.uniform(0, 0.16) * noise(piece, on, 300) if design.chance(0.7) else np.zeros_like(on.x)
    turn = design.angle()
    ramp = design.uniform(0, 0.45) / 112 * on.along(turn)
    vignette = design.pick([0.0, 0.35]) * design.uniform(0, 1) * (on.x**2 + on.y**2) / np.float32(112**2)
    gain = np.float32(target / max(bright, 0.02)) * np.exp(uneven + ramp - vignette)
    warmth = design.normal(0.08) + piece.normal(0.01)
    balance = np.exp(np.array([warmth, design.normal(0.03), -warmth]))
    return Camera(
        gain=np.asarray(gain, np.float32),
        balance=np.asarray(balance, np.float32),
        gamma=float(design.uniform(1.5, 2.4)),
        lift=float(design.pick([0.0, 0.1]) * design.uniform(0, 1)),
        grey=bool(design.uniform(0, 1) < GREY_SHARE),
        softness=float(design.pick([0.35, 0.7, 1.2], p=[0.5, 0.35, 0.15]) * design.uniform(0.6, 1.2)),
        sharpening=float(design.pick([0.0, 0.8], p=[0.65, 0.35]) * design.uniform(0, 1)),
        grain=design.log_uniform(0.002, 0.03),
        quality=design.whole(40, 95) if design.chance(0.4) else None,
    )


def expose(scene: ColourField, camera: Camera) -> ColourField:
    """Linear light to display values, float32 [s, s, 3] in 0..1, pixel by pixel: what an ideal sensor would see."""
    exposed = scene * camera.gain[..., None] * camera.balance
    if camera.grey:
        exposed = exposed @ np.array([0.299, 0.587, 0.114], np.float32)
    toned = np.power(np.clip(exposed, 0, 1), np.float32(1 / camera.gamma))
    toned = np.float32(camera.lift) + np.float32(1 - camera.lift) * toned
    return toned if toned.ndim == 3 else np.repeat(toned[..., None], 3, 2)


def capture(exposed: ColourField, camera: Camera, piece: Dice, on: Plane) -> NDArray[np.uint8]:
    """Display values to the file's picture, uint8 [s, s, 3] RGB: blur, sharpening, sensor noise, compression."""
    picture = exposed[..., :1] if camera.grey else exposed
    picture = cv2.GaussianBlur(picture, (0, 0), max(camera.softness * on.scale, 0.2))
    if camera.sharpening > 0.05:
        picture = picture + np.float32(camera.sharpening) * (
            picture - cv2.GaussianBlur(picture, (0, 0), 1.5 * on.scale)
        )
    grain = piece.normals(*picture.shape)
    picture = picture + grain * (np.float32(camera.grain) * (0.5 + np.clip(picture, 0, 1)))
    pixels = np.asarray(np.clip(picture * 255 + 0.5, 0, 255), np.uint8)
    if camera.quality is not None:
        stored = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, camera.quality])[1]
        pixels = np.asarray(cv2.imdecode(stored, cv2.IMREAD_UNCHANGED), np.uint8)
    return np.repeat(pixels.reshape(on.size, on.size, 1), 3, 2) if camera.grey else pixels
