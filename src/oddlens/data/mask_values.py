"""The values of one mask: a pixel above 0 is marked, in the forms that programs and label tools save.

- Grey, also beyond 8 bits: the values themselves. Colours: the largest of the three, as every pixel that is not black is marked.
- Numbers with a palette: where the palette has black and uses it, black is the background, as in all formats; else number 0 is.
- Several pages count together.
- Transparency: transparent pixels are not marked; in a mask that is black on transparent, the opaque pixels are marked.

The image is upright, as `read_image` gives the one that it belongs to.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DEEP_MODES = ("I", "F")
Values = NDArray[np.bool_ | np.integer | np.floating]


def mask_values(pages: Sequence[Image.Image]) -> Values:
    """The values of a mask [h, w]: uint8, or its own type where it is deeper than 8 bits (which 8 would clip).

    Args:
        pages: The images of its file; several count together, bool.

    Raises:
        ValueError: The pages differ in size.
    """
    if len(pages) == 1:
        return _values(pages[0])
    if len({page.size for page in pages}) > 1:
        raise ValueError("holds images of several sizes: save each in a file of its own")
    union: NDArray[np.bool_] = np.any([_values(page) > 0 for page in pages], axis=0)
    return union


def _values(image: Image.Image) -> Values:
    drawn, opaque = _drawn(image), _opaque(image)
    if opaque is None:
        return drawn
    if not drawn[opaque].any():
        return opaque.astype(np.uint8)
    return np.where(opaque, drawn, 0)


def _drawn(image: Image.Image) -> Values:
    if image.mode == "P":
        return _by_palette(image)
    if image.mode.startswith(DEEP_MODES):
        return np.asarray(image)
    if image.mode in ("1", "L", "LA", "La"):
        return np.asarray(image.convert("L"))
    brightest: NDArray[np.uint8] = np.asarray(image.convert("RGB")).max(axis=2)
    return brightest


def _by_palette(image: Image.Image) -> NDArray[np.uint8]:
    numbers: NDArray[np.uint8] = np.asarray(image)
    is_lit = np.zeros(256, np.bool_)
    colours = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    is_lit[: len(colours)] = colours.any(axis=1)
    used = np.bincount(numbers.ravel(), minlength=256) > 0
    if is_lit.any() and (used & ~is_lit).any():
        return np.where(is_lit.take(numbers), np.maximum(numbers, 1), 0)
    return numbers


def _opaque(image: Image.Image) -> NDArray[np.bool_] | None:
    """Where an image can be seen, bool [h, w]; None where that is everywhere."""
    if not image.has_transparency_data or image.mode.startswith(DEEP_MODES):
        return None
    if image.mode == "La":
        image = image.convert("LA")
    alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    return None if alpha.all() else alpha > 0
