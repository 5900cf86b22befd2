"""A contact sheet of good images that were vetted: the most doubtful first, each with its score and what is odd about it."""

from __future__ import annotations

import textwrap
from pathlib import Path

from PIL import Image, ImageDraw

from oddlens.calibration.observation import THUMBNAIL
from oddlens.calibration.vetting import VettedImage, Vetting
from oddlens.data.contact_sheet import (
    BAD,
    EMPTY,
    FAINT,
    FRAME,
    GAP,
    INK,
    MARGIN,
    PAPER,
    check_suffix,
    save_sheet,
)
from oddlens.io.lettering import drawable, fit, fit_in_lines, font

COLUMNS = 6
MOST = 120
"""Images on a sheet: the most doubtful ones."""

_LINES = 4
_NAME_LINES = 2
_LINE = 16
_HEADER = 92


def write_sheet(vetting: Vetting, path: str | Path, title: str = "Good images") -> None:
    """Write the sheet. The suffix chooses the format.

    Raises:
        UsageError: The name ends in none of .png, .jpg, .jpeg.
        OddlensError: The file cannot be written.
    """
    check_suffix(path)
    shown = vetting.rows[:MOST]
    rows = [shown[first : first + COLUMNS] for first in range(0, len(shown), COLUMNS)]
    heights = [
        THUMBNAIL + _LINE + max(len(_name(each)) + len(_reasons(each)) for each in row) * _LINE + 2 * GAP
        for row in rows
    ]
    width = 2 * MARGIN + COLUMNS * THUMBNAIL + (COLUMNS - 1) * GAP
    sheet = Image.new("RGB", (width, _HEADER + sum(heights) + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 20), fit(title, font(24), width - 2 * MARGIN), INK, font(24))
    counts = f"{len(vetting.rows)} images, {len(vetting.flagged)} doubtful"
    more = f"; the first {MOST} are shown" if len(vetting.rows) > MOST else ""
    draw.text(
        (MARGIN, 56), f"{counts}{more}. The most doubtful first; a score says how odd an image is.", FAINT, font(14)
    )
    top = _HEADER
    for row, height in zip(rows, heights, strict=True):
        for column, image in enumerate(row):
            _draw_image(sheet, draw, (MARGIN + column * (THUMBNAIL + GAP), top), image)
        top += height
    save_sheet(sheet, path)


def _draw_image(sheet: Image.Image, draw: ImageDraw.ImageDraw, corner: tuple[int, int], image: VettedImage) -> None:
    left, top = corner
    right, bottom = left + THUMBNAIL - 1, top + THUMBNAIL - 1
    draw.rectangle((left, top, right, bottom), EMPTY, FRAME)
    look = image.observation.look
    if look is None:
        draw.text((left + THUMBNAIL // 2, top + THUMBNAIL // 2), "not at hand", FAINT, font(14), anchor="mm")
    else:
        tile = Image.fromarray(look.thumbnail)
        sheet.paste(tile, (left + (THUMBNAIL - tile.width) // 2, top + (THUMBNAIL - tile.height) // 2))
    if image.reasons:
        draw.rectangle((left - 2, top - 2, right + 2, bottom + 2), outline=BAD, width=3)
    below = bottom + 6
    said = [
        *((line, INK) for line in _name(image)),
        (f"score {image.observation.score:.3g}   p {image.p_value:.2g}", FAINT),
    ]
    for number, (line, colour) in enumerate([*said, *((line, BAD) for line in _reasons(image))]):
        draw.text((left, below + number * _LINE), line, colour, font(13))


def _name(image: VettedImage) -> list[str]:
    return fit_in_lines(image.name, font(13), THUMBNAIL, _NAME_LINES)


def _reasons(image: VettedImage) -> list[str]:
    lines = textwrap.wrap(drawable("; ".join(image.reasons)), 27)
    return lines if len(lines) <= _LINES else [*lines[: _LINES - 1], lines[_LINES - 1][:24] + "..."]
