"""An image with its anomaly map drawn over it.

The caller gives the range of the colours, and the drawing names it: stretching each map by its own extremes would paint a red
spot on every good part. Pixels with low values stay as the camera saw them, and only outlines cover the image: title and
verdict stand in a strip above it, the colour bar in a strip below.
"""

import math
import unicodedata
from bisect import bisect
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.visualization.dashes import outline_dashed

Verdict = Literal["ok", "review", "ng"]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Ours: yellow, orange, red, magenta. Ever darker, so that it reads in grey and to colour-blind eyes too; with the opacity
# that rises alongside, a higher value is stronger on bright and on dark parts alike, unlike in a scale ending in pale yellow.
_ANCHORS = (
    (0.00, (255, 236, 150)),
    (0.30, (255, 208, 66)),
    (0.55, (250, 132, 32)),
    (0.78, (230, 40, 48)),
    (1.00, (190, 0, 104)),
)
_STRONGEST = 0.65  # the pixel of the highest value still shows the defect beneath it
_CLEAR_BELOW, _STRONG_ABOVE = 0.15, 0.75

_PANEL = (22, 24, 29)
_TEXT = (236, 238, 241)
_QUIET_TEXT = (160, 166, 176)
_VERDICT_COLOURS: dict[Verdict, tuple[int, int, int]] = {
    "ng": (214, 48, 49), "review": (176, 108, 0), "ok": (25, 127, 88),
}  # fmt: skip
_TRUTH = (0, 229, 255)
_MIN_WIDTH = 320
_PLAIN_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "µ": "u", "–": "-", "—": "-", "×": "x"}
)
_BAND_ROWS = 64  # rows blended at a time: the working memory stays in the processor's cache


def _tables() -> tuple[Pixels, NDArray[np.float32]]:
    levels = np.linspace(0, 1, 256)
    places = [place for place, _ in _ANCHORS]
    channels = [np.interp(levels, places, [colour[channel] for _, colour in _ANCHORS]) for channel in range(3)]
    rise = np.clip((levels - _CLEAR_BELOW) / (_STRONG_ABOVE - _CLEAR_BELOW), 0, 1)
    opacity = _STRONGEST * rise * rise * (3 - 2 * rise)
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8), opacity.astype(np.float32)


_COLOURS, _OPACITY = _tables()


def map_colours(values: NDArray[np.floating]) -> Pixels:
    """The colours of an anomaly map [h, w] scaled to 0..1 (values beyond are clipped): uint8 [h, w, 3]."""
    return _COLOURS[_levels(values, (0.0, 1.0))]


def blend(
    pixels: Pixels, anomaly_map: NDArray[np.floating], value_range: tuple[float, float], out: Pixels | None = None
) -> Pixels:
    """The image [h, w, 3] with the colours of its anomaly map [h, w] over it: uint8 [h, w, 3], in `out` where it is given.

    The higher the value, the more opaque its colour. A value in the lowest part of the range (up to 0.15 of it) leaves the pixel
    exactly as it is.
    """
    opacity = np.rint(_OPACITY * 255).astype(np.uint16)[:, None]
    colour_share = _COLOURS * opacity + 127  # 127: rounds the division by 255 below
    picture_share = np.repeat(255 - opacity, 3, axis=1)
    blended: Pixels = np.empty(pixels.shape, dtype=np.uint8) if out is None else out
    for top in range(0, len(pixels), _BAND_ROWS):
        band = slice(top, top + _BAND_ROWS)
        levels = _levels(anomaly_map[band], value_range)
        shown = pixels[band] * np.take(picture_share, levels, axis=0)  # take is several times faster than indexing
        blended[band] = (shown + np.take(colour_share, levels, axis=0)) // 255
    return blended


def outline_mask(pixels: Pixels, mask: NDArray[np.bool_]) -> Pixels:
    """A copy of an image, uint8 [h, w, 3], with the border of a mask [h, w] in cyan, which no anomaly map has: the true defect."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn: Pixels = cv2.drawContours(pixels.copy(), contours, -1, _TRUTH, 2, cv2.LINE_AA).astype(np.uint8, copy=False)
    return drawn


def draw_overlay_pixels(
    pixels: Pixels,
    anomaly_map: NDArray[np.floating],
    value_range: tuple[float, float],
    outlines: Sequence[NDArray[np.integer]],
    title: str,
    range_label: str,
    verdict: Verdict | None,
    truth: NDArray[np.bool_] | None = None,
    looked_at: Sequence[NDArray[np.integer]] = (),
) -> Pixels:
    """Draw an image with its anomaly map, region outlines, title, verdict and colour bar: uint8 [height, width, 3].

    Args:
        pixels: Uint8 [h, w, 3]. It keeps its size in the drawing; a small one is set in the middle of a wider sheet.
        anomaly_map: Float [h, w], finite, of the image's own size.
        value_range: The values at the two ends of the colours; values beyond are drawn as the end.
        outlines: Closed polygons, int [n, 2] of (x, y) in the image's pixels.
        title: One line, such as name and score; a long one is cut in its middle.
        range_label: Names the range: "fixed range 0..1", "calibrated on 4 references".
        verdict: Shown as a badge; None if no threshold was set.
        truth: A mask [h, w] of the true defects; its border lies over the anomaly map, see `outline_mask`.
        looked_at: The borders of the region of interest, as `outlines`, dashed.

    Raises:
        UsageError: The value range is empty or not finite.
        ValueError: Anomaly map and image differ in size, or the map is not finite.
    """
    if anomaly_map.shape != pixels.shape[:2]:
        raise ValueError(f"an anomaly map of shape {anomaly_map.shape} does not fit an image of shape {pixels.shape}")
    if not np.isfinite(anomaly_map).all():
        raise ValueError("the anomaly map holds values that are not finite")
    low, high = value_range
    if not low < high or not np.isfinite((low, high)).all():
        raise UsageError(f"the range {low:g}..{high:g} cannot colour a map: its lower end must lie below its upper end")
    height, picture_width, _ = pixels.shape
    width = max(picture_width, _MIN_WIDTH)
    font_size = _font_size(width, height)
    header = np.asarray(_header(width, font_size, title, verdict))
    footer = np.asarray(_footer(width, font_size, value_range, range_label))
    sheet: Pixels = np.empty((len(header) + height + len(footer), width, 3), np.uint8)
    sheet[: len(header)], sheet[len(header) + height :] = header, footer
    inside = sheet[len(header) : len(header) + height]
    drawn = _outline(blend(pixels, anomaly_map, value_range, inside if width == picture_width else None), outlines)
    outline_dashed(drawn, looked_at)
    if truth is not None:
        drawn = outline_mask(drawn, truth)
    if drawn is not inside:
        left = (width - picture_width) // 2
        inside[:] = _PANEL
        inside[:, left : left + picture_width] = drawn
    return sheet


def draw_overlay(
    pixels: Pixels,
    anomaly_map: NDArray[np.floating],
    value_range: tuple[float, float],
    outlines: Sequence[NDArray[np.integer]],
    title: str,
    range_label: str,
    verdict: Verdict | None,
    truth: NDArray[np.bool_] | None = None,
) -> Image.Image:
    """As `draw_overlay_pixels`, as a Pillow image."""
    return Image.fromarray(
        draw_overlay_pixels(pixels, anomaly_map, value_range, outlines, title, range_label, verdict, truth)
    )


def _levels(values: NDArray[np.floating], value_range: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = value_range
    scaled = np.subtract(values, np.float32(low), dtype=np.float32)
    np.multiply(scaled, np.float32(255 / (high - low)), out=scaled)
    np.clip(scaled, 0, 255, out=scaled)
    levels: NDArray[np.uint8] = np.rint(scaled, out=scaled).astype(np.uint8)
    return levels


def _outline(pixels: Pixels, outlines: Sequence[NDArray[np.integer]]) -> Pixels:
    """Draw the polygons white with a dark edge, visible on any ground, into `pixels`; a lone point gets a box around it."""
    thickness = max(1, round(min(pixels.shape[:2]) / 350))
    box = 3 * thickness * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    polygons = [
        np.asarray(outline if len(outline) > 1 else outline + box, dtype=np.int32).reshape(-1, 1, 2)
        for outline in outlines
    ]
    cv2.polylines(pixels, polygons, True, (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.polylines(pixels, polygons, True, (255, 255, 255), thickness, cv2.LINE_AA)
    return pixels


def _font_size(width: int, height: int) -> int:
    """Text grows with the image, so that it is legible when the whole image is fitted to a screen."""
    return round(max(13, min(math.sqrt(width * height) / 38, width / 22, 96)))


def _header(width: int, font_size: int, title: str, verdict: Verdict | None) -> Image.Image:
    font, small = _font(font_size), _font(round(font_size * 0.85))
    pad = round(font_size * 0.7)
    strip = Image.new("RGB", (width, font_size + 2 * pad), _PANEL)
    draw = ImageDraw.Draw(strip)
    middle, right = strip.height / 2, width - pad
    if verdict is not None:
        text = verdict.upper()
        left = right - max(round(small.getlength(text)) + font_size, 4 * font_size)
        badge = _rounded(right - left, round(font_size * 1.44))
        strip.paste(_VERDICT_COLOURS[verdict], (left, round(middle - badge.height / 2)), badge)
        draw.text(((left + right) / 2, middle), text, fill="white", font=small, anchor="mm")
        right = left - pad
    draw.text((pad, middle), _fit(title, font, right - pad), fill=_TEXT, font=font, anchor="lm")
    return strip


def _rounded(width: int, height: int) -> Image.Image:
    """A mask of a box with smooth round corners: Pillow's own corners are jagged, so they are drawn large and shrunk."""
    large = Image.new("L", (4 * width, 4 * height))
    ImageDraw.Draw(large).rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), radius=height, fill=255)
    return large.reduce(4)


def _footer(width: int, font_size: int, value_range: tuple[float, float], range_label: str) -> Image.Image:
    font = _font(round(font_size * 0.85))
    pad = round(font_size * 0.7)
    low, high = (f"{end:.4g}" for end in value_range)
    strip = Image.new("RGB", (width, font_size + 2 * pad), _PANEL)
    draw = ImageDraw.Draw(strip)
    middle, gap = strip.height / 2, font_size // 2
    texts = sum(font.getlength(_drawable(text)) for text in (low, high, range_label))
    left = pad + round(font.getlength(low)) + gap
    right = left + max(4 * font_size, min(14 * font_size, round(width - 2 * pad - texts - 4 * gap)))
    bar_height = max(6, round(font_size * 0.7))
    top = round(middle - bar_height / 2)
    ramp = np.tile(np.linspace(0, 1, right - left, dtype=np.float32), (bar_height, 1))
    grey = np.full((bar_height, right - left, 3), 128, dtype=np.uint8)
    strip.paste(Image.fromarray(blend(grey, ramp, (0.0, 1.0))), (left, top))
    draw.text((pad, middle), low, fill=_TEXT, font=font, anchor="lm")
    draw.text((right + gap, middle), high, fill=_TEXT, font=font, anchor="lm")
    room = width - pad - (right + 3 * gap + font.getlength(high))
    draw.text((width - pad, middle), _fit(range_label, font, room), fill=_QUIET_TEXT, font=font, anchor="rm")
    return strip


@lru_cache(maxsize=32)
def _font(size: int) -> Font:
    return ImageFont.load_default(size=size)


def _fit(text: str, font: Font, width: float) -> str:
    """The text with its middle left out until it fits: a path keeps its start, and the name and score at its end."""
    text = _drawable(text)
    if font.getlength(text) <= width:
        return text

    def cut(length: int) -> str:
        start = length // 3
        return f"{text[:start]}…{text[len(text) - (length - start) :]}"

    longest = bisect(range(1, len(text)), width, key=lambda length: font.getlength(cut(length)))
    return cut(longest) if longest else ""


def _drawable(text: str) -> str:
    """The text in the letters of Pillow's font, which has no accents and no other scripts: é as e, others as ?."""
    plain = unicodedata.normalize("NFKD", text.translate(_PLAIN_LETTERS))
    return "".join(
        char if " " <= char <= "~" or char in "·…°±" else "?" for char in plain if not unicodedata.combining(char)
    )
