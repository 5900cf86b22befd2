"""Pixels of any kind -> RGB uint8 [height, width, 3], by rules that never depend on the image's content.

- 16-bit values keep their high byte, as Pillow does for 16-bit colour: full scale stays full scale, and 8-bit data
  stored as v * 256 or v * 257 come back exactly. Values that are known to have fewer bits (10, 12, 14) are divided by
  their own full scale.
- Float values lie in [0, 1] and are scaled by 255 and rounded; outside of that they are refused, because stretching
  each image by its own extremes would make two images of one part differ.
- Transparent parts are shown on white, as a viewer shows them: the colour hidden beneath full transparency is whatever
  an editor left there.
- CMYK is converted without its colour profile, and RGB profiles are left alone, as the authors' programs do.

Each conversion that a person should know of is appended to `notes`, as the second half of a sentence.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

_WHOLE_NUMBERS = [np.dtype(kind) for kind in ("u1", "<u2", ">u2")]


class Doubt(str):
    """A note on an image that may not be what its owner thinks; the check of a data set reports it."""


class UnreadableError(Exception):
    """What is wrong with an image and what to do, as the rest of a sentence that begins with the image's name."""


class OversizedError(UnreadableError):
    """An image is larger than the limit. fault: the part of the sentence that says so, without what to do."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}: {remedy}")
        self.fault = fault


def array_size(values: NDArray[np.generic]) -> tuple[int, int]:
    """(width, height) of an array that is an image by its shape and dtype; it reads no value.

    Raises:
        UnreadableError: Another shape or dtype, or no pixels.
    """
    channels = 1 if values.ndim == 2 else values.shape[-1] if values.ndim == 3 else 0
    if channels not in (1, 3, 4):
        raise UnreadableError(
            f"has the shape {values.shape}: give [height, width] or [height, width, channels] with 1, 3 or 4 channels"
        )
    if values.size == 0:
        raise UnreadableError(f"has no pixels (shape {values.shape}): give at least one")
    if values.dtype.kind != "f" and values.dtype not in _WHOLE_NUMBERS:
        raise UnreadableError(f"has {values.dtype} values: give uint8 (0..255), uint16 (0..65535) or float (0..1)")
    return values.shape[1], values.shape[0]


def rgb_from_array(values: NDArray[np.generic], notes: list[str], bits: int = 16) -> Pixels:
    """Bring an array [h, w] or [h, w, 1 | 3 | 4] of uint8, uint16 or float (0..1) to uint8 [h, w, 3].

    A contiguous uint8 [h, w, 3] is given back as it is, without a copy. `bits`: how many are in use of uint16.

    Raises:
        UnreadableError: Another shape or dtype, no pixels, or float values that are not finite or not in 0..1.
    """
    array_size(values)
    channels = values.shape[2] if values.ndim == 3 else 1
    pixels = np.ascontiguousarray(_to_uint8(values, notes, bits))
    if channels == 1:
        return _grey_to_rgb(pixels.reshape(pixels.shape[:2]))
    return pixels if channels == 3 else rgb_from_pil(Image.fromarray(pixels), notes)


def rgb_from_pil(image: Image.Image, notes: list[str]) -> Pixels:
    """Bring a Pillow image of any mode to uint8 [h, w, 3]; the array may be read-only.

    Raises:
        UnreadableError: Whole numbers beyond 16 bits, or float values that are not finite or not in 0..1.
    """
    if image.mode == "I":
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise UnreadableError(
                f"has whole numbers from {values.min()} to {values.max()}: scale them to 0..65535 and save it again"
            )
        return rgb_from_array(values.astype(np.uint16), notes)
    if image.mode == "F" or image.mode.startswith("I;16"):
        return rgb_from_array(np.asarray(image), notes)
    if image.has_transparency_data:
        image = _on_white(image, notes)
    if image.mode == "L":
        return _grey_to_rgb(np.asarray(image))
    if image.mode == "CMYK":
        notes.append("CMYK colours converted without their profile")
    if image.mode != "RGB":
        image = image.convert("RGB")
    return np.asarray(image)


def note_depth(pixels: Pixels, notes: list[str]) -> None:
    """Note that `pixels` are the high bytes of 16-bit values, and warn of a camera that fills only the lower 12.

    pixels: uint8 [h, w] or [h, w, channels]. The fourth channel is the opacity: what is transparent does not count.
    """
    colours = pixels[..., :3][pixels[..., 3] > 0] if pixels.ndim == 3 and pixels.shape[2] == 4 else pixels
    note = "16-bit values reduced to their high byte"
    if colours.max(initial=0) < 16:
        why = "which is nearly black because only the lower 12 bits are in use: scale them to 0..65535 first"
        note = Doubt(f"{note}, {why}")
    notes.append(note)


def _to_uint8(values: NDArray[np.generic], notes: list[str], bits: int) -> Pixels:
    if values.dtype == np.uint8:
        return np.asarray(values, np.uint8)  # the same array
    if values.dtype.kind == "u":
        if bits < 16:
            full = 2**bits - 1
            notes.append(f"{bits}-bit values scaled to 0..255")
            scaled: NDArray[np.uint32] = (values.astype(np.uint32) * 255 + full // 2) // full
            return scaled.astype(np.uint8)
        pixels: Pixels = (np.asarray(values, np.uint16) >> 8).astype(np.uint8)
        note_depth(pixels, notes)
        return pixels
    lowest, highest = float(values.min()), float(values.max())
    if not np.isfinite((lowest, highest)).all():
        raise UnreadableError("has values that are NaN or infinite: replace them and save it again")
    if lowest < 0 or highest > 1:
        raise UnreadableError(
            f"has float values from {lowest:g} to {highest:g}, but they must lie in 0..1: "
            "divide them by the full scale of the camera, or convert them to uint8"
        )
    notes.append("float values 0..1 scaled to 0..255")
    rounded: NDArray[np.float32] = np.multiply(values, 255, dtype=np.float32)
    np.rint(rounded, out=rounded)
    return rounded.astype(np.uint8)


def _grey_to_rgb(grey: Pixels) -> Pixels:
    # several times faster than numpy's repeat and Pillow's convert
    return np.asarray(cv2.merge([grey, grey, grey]), dtype=np.uint8)


def _on_white(image: Image.Image, notes: list[str]) -> Image.Image:
    """The image without transparency, RGB; opaque pixels keep their values exactly."""
    if image.mode == "La":
        image = image.convert("LA")
    rgba = image.convert("RGBA")
    alpha = rgba.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return rgba.convert("RGB")
    notes.append("transparent parts shown on white")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=alpha)
    return white
