"""The camera: exposure and tone (which say what is visible), then optics, sensor noise and compression.

Normal and defective images of a product go through the same camera with the same random numbers.
"""

import dataclasses
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.synthetic.layers import Colour, ColourField
from lab.synthetic.plane import Field, Plane, Window, noise
from lab.synthetic.rng import Rng

GREY_SHARE = 0.35
"""Share of products that are photographed in grey."""

Exposed = NDArray[np.floating]
"""Float32 [c, h, w], display values 0..1; one channel from a grey camera, three (RGB) from a colour camera."""


@dataclass(frozen=True)
class Camera:
    """How a scene is photographed.

    gain        float32 [h, w], exposure times the unevenness of the light
    balance     float32 [3, 1, 1], white balance
    gamma       exponent of the tone curve
    contrast    0..1, how far the tone curve is bent to an S: darker shadows, brighter lights
    lift        the black level, 0..1
    grey        True for a grey-scale camera
    softness    sigma of the optics' blur, reference pixels
    sharpening  strength of the unsharp mask
    grain       standard deviation of the sensor noise at mid grey, 0..1
    quality     JPEG quality, or None for a lossless image
    """

    gain: Field
    balance: Colour
    gamma: float
    contrast: float
    lift: float
    grey: bool
    softness: float
    sharpening: float
    grain: float
    quality: int | None

    def cut(self, window: Window) -> "Camera":
        """The camera for a window of its image."""
        return dataclasses.replace(self, gain=self.gain[window])


def draw_camera(design: Rng, piece: Rng, on: Plane, clean: ColourField) -> Camera:
    """Camera of a product's station (`design`), a touch different for each image (`piece`).

    The exposure is set as a person would: by the bright parts of the `clean` scene, float32 [3, h, w] in linear light.
    """
    bright = float(np.percentile(clean[:, ::4, ::4].mean(0), 92))
    target = design.log_uniform(0.16, 0.95) * piece.factor(0.05)
    uneven = design.uniform(0.0, 0.16) * noise(piece, on, 300)
    ramp = design.uniform(0, 0.45) / 112 * on.along(design.angle())
    vignette = design.pick([0.0, 0.35]) * design.uniform(0, 1) / 112**2 * (on.x**2 + on.y**2)
    warmth = design.normal(0.07) + piece.normal(0.01)
    balance = np.exp(np.array([warmth, design.normal(0.02), -warmth], np.float32))
    return Camera(
        gain=target / max(bright, 0.02) * np.exp(uneven + ramp - vignette),
        balance=balance.reshape(3, 1, 1),
        gamma=design.uniform(1.2, 2.2),
        contrast=design.pick([0.0, 1.0]) * design.uniform(0, 1),
        lift=design.pick([0.0, 0.1]) * design.uniform(0, 1),
        grey=design.chance(GREY_SHARE),
        softness=design.pick([0.35, 0.7, 1.2], p=[0.5, 0.35, 0.15]) * design.uniform(0.6, 1.2),
        sharpening=design.pick([0.0, 0.8], p=[0.65, 0.35]) * design.uniform(0.2, 1),
        grain=design.log_uniform(0.0015, 0.027),
        quality=design.whole(40, 95) if design.chance(0.4) else None,
    )


def expose(scene: ColourField, camera: Camera) -> Exposed:
    """Linear light to display values, pixel by pixel: what an ideal sensor would see."""
    exposed = scene * camera.gain
    exposed *= camera.balance
    if camera.grey:
        exposed = (0.299 * exposed[0] + 0.587 * exposed[1] + 0.114 * exposed[2])[None]
    toned: Exposed = np.clip(exposed, 0, 1) ** (1 / camera.gamma)
    if camera.contrast > 0:
        toned = toned * (1 + camera.contrast * (1 - toned) * (2 * toned - 1))
    toned *= 1 - camera.lift
    toned += camera.lift
    return toned


def capture(exposed: Exposed, camera: Camera, piece: Rng, on: Plane) -> NDArray[np.uint8]:
    """Display values to the file's image, uint8 [h, w, 3] RGB: blur, sharpening, sensor noise, compression."""
    rows, columns = on.shape
    grain = piece.normals(rows, columns)
    planes = [_optics(plane, camera, on) for plane in exposed]
    planes = [plane + grain * (camera.grain * (0.5 + plane)) for plane in planes]
    if not camera.grey:
        coarse = piece.normals(3, math.ceil(rows / 2), math.ceil(columns / 2)) * (0.7 * camera.grain)
        planes = [p + cv2.resize(c, (columns, rows)) for p, c in zip(planes, coarse, strict=True)]
    pixels = np.clip(cv2.merge(planes) * 255 + 0.5, 0, 255).astype(np.uint8)
    if camera.quality is not None:
        blue_first = np.ascontiguousarray(pixels[..., ::-1]) if not camera.grey else pixels
        stored = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, camera.quality])[1]
        pixels = np.asarray(cv2.imdecode(stored, cv2.IMREAD_UNCHANGED), np.uint8)
        pixels = pixels if camera.grey else pixels[..., ::-1]
    return np.ascontiguousarray(np.broadcast_to(pixels.reshape(rows, columns, -1), (rows, columns, 3)))


def _optics(field: Field, camera: Camera, on: Plane) -> Field:
    soft = cv2.GaussianBlur(field, (0, 0), max(camera.softness * on.scale, 0.2))
    if camera.sharpening > 0:
        soft = soft + camera.sharpening * (soft - cv2.GaussianBlur(soft, (0, 0), 1.5 * on.scale))
    return np.asarray(soft, np.float32)
