"""Make the images that `oddlens demo` scores: src/oddlens/assets/demo, in the MVTec AD layout.

    python scripts/make_demo_pictures.py

Generated images of classes that the embedded model is never trained on, one product a class: good examples, and normal and
defective test images with exact masks. Deterministic; images as JPEG (quality 92) to keep the package small.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.synthetic import HELD_OUT_CLASSES, make_product
from oddlens.inference.demo import FOLDER, REFERENCES

DESIGN = 11
NORMAL = 2
CLASSES = {
    "perforated surface": ("dent", "stain", "tear"),
    "knitted surface": ("hole", "contamination", "discoloration"),
    "frame": ("scratch", "missing part", "crack"),
    "star": ("chipped edge", "pitting", "bend"),
}


def main() -> None:
    """Write everything anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, defects in CLASSES.items():
        assert name in HELD_OUT_CLASSES
        product = make_product(name, DESIGN)
        folder = FOLDER / name.replace(" ", "_")
        for number in range(REFERENCES):
            _save(product.sample(number, False).image, folder / "train" / "good" / f"{number:03d}.jpg")
        for number in range(NORMAL):
            _save(product.sample(REFERENCES + number, False).image, folder / "test" / "good" / f"{number:03d}.jpg")
        for number, defect in enumerate(defects, start=REFERENCES + NORMAL):
            sample = product.sample(number, defect=defect)
            kind = defect.replace(" ", "_")
            _save(sample.image, folder / "test" / kind / "000.jpg")
            _save(sample.mask, folder / "ground_truth" / kind / "000_mask.png")


def _save(pixels: NDArray[np.generic], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=92)


if __name__ == "__main__":
    main()
