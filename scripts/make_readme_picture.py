"""Make docs/images/demo.jpg, the README's image: four of the demo's defects, and what is found with four good examples.

python scripts/make_readme_picture.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

import oddlens
from oddlens.data import read_mask
from oddlens.inference.demo import FEW_SHOT, FOLDER
from oddlens.io.images import read_image
from oddlens.visualization.overlay import outline_mask

SHOWN = {"frame": "missing_part", "star": "pitting", "knitted_surface": "hole", "perforated_surface": "tear"}
GAP = 8


def main() -> None:
    """Truth above, overlay below, one column a part."""
    columns = []
    for category, defect in SHOWN.items():
        folder = FOLDER / category
        path = folder / "test" / defect / "000.jpg"
        detector = oddlens.load(FEW_SHOT).add_references(folder / "train" / "good")
        (found,) = detector.detect(path, category.replace("_", " "))
        pixels = read_image(path).pixels
        truth = Image.fromarray(outline_mask(pixels, read_mask(folder / "ground_truth" / defect / "000_mask.png")))
        columns.append((truth, found.overlay(pixels)))
    width = columns[0][1].width
    top, bottom = (max(column[row].height for column in columns) for row in (0, 1))
    sheet = Image.new("RGB", (len(columns) * (width + GAP) - GAP, top + GAP + bottom), "white")
    for number, (truth, overlay) in enumerate(columns):
        left = number * (width + GAP)
        sheet.paste(truth, (left + (width - truth.width) // 2, 0))
        sheet.paste(overlay, (left, top + GAP))
    sheet.save(Path(__file__).parents[1] / "docs" / "images" / "demo.jpg", quality=88)


if __name__ == "__main__":
    main()
