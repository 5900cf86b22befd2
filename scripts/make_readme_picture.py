"""Make docs/images/verdict.jpg, the README's image: four good parts, a part to check, its verdict, and what that promises.

python scripts/make_readme_picture.py
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import oddlens
from oddlens.inference.demo import FEW_SHOT, FOLDER, PART
from oddlens.io.images import read_image

OUT = Path(__file__).parents[1] / "docs" / "images" / "verdict.jpg"
DEFECT = "pitting"
SIDE, VERDICT, GAP, TITLE, LINE = 378, 400, 24, 34, 25
INK, QUIET, PAPER = "#1c2024", "#5b6169", "#ffffff"


def main() -> None:
    """Three columns of images with their titles, and the promise below."""
    folder = FOLDER / PART
    good = sorted((folder / "train" / "good").iterdir())
    part = folder / "test" / DEFECT / "000.jpg"
    detector = oddlens.load(FEW_SHOT).add_references(good)
    (found,) = detector.detect(part, PART)
    columns = {
        "four good parts": _grid([Image.fromarray(read_image(path).pixels) for path in good]),
        "a part to check": _wide(Image.fromarray(read_image(part).pixels), SIDE),
        "its verdict, and below what it promises": _wide(found.overlay(part), VERDICT),
    }
    height = max(image.height for image in columns.values())
    width = sum(image.width + GAP for image in columns.values()) + GAP
    lines = textwrap.wrap(found.thresholds.promise or "", 136)
    sheet = Image.new("RGB", (width, GAP + TITLE + height + GAP + LINE * len(lines) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    left = GAP
    for title, image in columns.items():
        draw.text((left, GAP - 4), title, fill=INK, font=ImageFont.load_default(20))
        sheet.paste(image, (left, GAP + TITLE))
        left += image.width + GAP
    for number, line in enumerate(lines):
        below = GAP + TITLE + height + GAP + LINE * number
        draw.text((GAP, below), line, fill=QUIET, font=ImageFont.load_default(17))
    sheet.save(OUT, quality=90)


def _wide(image: Image.Image, width: int) -> Image.Image:
    """The image at this width."""
    return image.resize((width, round(width * image.height / image.width)), Image.Resampling.LANCZOS)


def _grid(images: list[Image.Image]) -> Image.Image:
    """Four images in a square."""
    grid = Image.new("RGB", (SIDE, SIDE), PAPER)
    side = (SIDE - 8) // 2
    for number, image in enumerate(images):
        grid.paste(_wide(image, side), ((number % 2) * (side + 8), (number // 2) * (side + 8)))
    return grid


if __name__ == "__main__":
    main()
