"""The strips above and below an overlay: name, verdict, colour bar."""

import math
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from oddlens.io.lettering import drawable, fit
from oddlens.io.lettering import font as font_of
from oddlens.visualization.heat import blend

Verdict = Literal["ok", "review", "ng"]

PANEL = (22, 24, 29)
_TEXT = (236, 238, 241)
_QUIET_TEXT = (160, 166, 176)
_VERDICT_COLOURS: dict[Verdict, tuple[int, int, int]] = {
    "ng": (214, 48, 49), "review": (176, 108, 0), "ok": (25, 127, 88),
}  # fmt: skip


def font_size_for(width: int, height: int) -> int:
    """Text grows with the image, so that it is legible when the whole image is fitted to a screen."""
    return round(max(13, min(math.sqrt(width * height) / 38, width / 22, 96)))


def strip_height(font_size: int) -> int:
    """The height of a strip with one line, which the lower one is."""
    return font_size + 2 * round(font_size * 0.7)


def draw_header(width: int, font_size: int, title: str, detail: str, verdict: Verdict | None) -> Image.Image:
    """Name and verdict; in a second line what else there is to say."""
    font, small = font_of(font_size), font_of(round(font_size * 0.85))
    pad = round(font_size * 0.7)
    line = strip_height(font_size)
    strip = Image.new("RGB", (width, line + (round(1.3 * font_size) if detail else 0)), PANEL)
    draw = ImageDraw.Draw(strip)
    middle, right = line / 2, width - pad
    if verdict is not None:
        text = verdict.upper()
        left = right - max(round(small.getlength(text)) + font_size, 4 * font_size)
        badge = _rounded(right - left, round(font_size * 1.44))
        strip.paste(_VERDICT_COLOURS[verdict], (left, round(middle - badge.height / 2)), badge)
        draw.text(((left + right) / 2, middle), text, fill="white", font=small, anchor="mm")
        right = left - pad
    draw.text((pad, middle), fit(title, font, right - pad), fill=_TEXT, font=font, anchor="lm")
    if detail:
        below = line + round(0.35 * font_size)
        draw.text((pad, below), fit(detail, small, width - 2 * pad), fill=_QUIET_TEXT, font=small, anchor="lm")
    return strip


def _rounded(width: int, height: int) -> Image.Image:
    """A mask of a box with smooth round corners: Pillow's own corners are jagged, so they are drawn large and shrunk."""
    large = Image.new("L", (4 * width, 4 * height))
    ImageDraw.Draw(large).rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), radius=height, fill=255)
    return large.reduce(4)


def draw_footer(
    width: int, font_size: int, value_range: tuple[float, float], threshold: float | None, range_label: str
) -> Image.Image:
    """The colour bar with its ends, a tick at the threshold, and what the range is."""
    font = font_of(round(font_size * 0.85))
    pad = round(font_size * 0.7)
    low, high = (f"{end:.4g}" for end in value_range)
    label = range_label if threshold is None else f"marked above {threshold:.4g}, {range_label}"
    strip = Image.new("RGB", (width, strip_height(font_size)), PANEL)
    draw = ImageDraw.Draw(strip)
    middle, gap = strip.height / 2, font_size // 2
    texts = sum(font.getlength(drawable(text)) for text in (low, high, label))
    left = pad + round(font.getlength(low)) + gap
    right = left + max(4 * font_size, min(14 * font_size, round(width - 2 * pad - texts - 4 * gap)))
    bar_height = max(6, round(font_size * 0.7))
    top = round(middle - bar_height / 2)
    ramp = np.tile(np.linspace(*value_range, right - left, dtype=np.float32), (bar_height, 1))
    grey = np.full((bar_height, right - left, 3), 128, dtype=np.uint8)
    strip.paste(Image.fromarray(blend(grey, ramp, value_range, threshold)), (left, top))
    if threshold is not None:
        share = (threshold - value_range[0]) / (value_range[1] - value_range[0])
        at, half = left + round(share * (right - left)), max(1, round(font_size / 14))
        draw.rectangle((at - half, top - 2 * half, at + half - 1, top + bar_height + 2 * half - 1), fill="white")
    draw.text((pad, middle), low, fill=_TEXT, font=font, anchor="lm")
    draw.text((right + gap, middle), high, fill=_TEXT, font=font, anchor="lm")
    room = width - pad - (right + 3 * gap + font.getlength(high))
    if threshold is not None and font.getlength(drawable(label)) > room:
        label = f"marked above {threshold:.4g}"  # the rest of it says less
    draw.text((width - pad, middle), fit(label, font, room), fill=_QUIET_TEXT, font=font, anchor="rm")
    return strip
