"""MVTec 3D-AD (Bergmann et al., VISAPP 2022): images and point clouds of ten objects; the images are read.

    <category>/{train,validation}/good/rgb/<NNN>.png    <category>/test/{good,<defect>}/rgb/<NNN>.png
    <category>/test/<defect>/gt/<NNN>.png               (masks; test/good has black ones)

Beside rgb/ lie the point clouds, xyz/<NNN>.tiff, and the cameras in <category>/calibration/: they are not read.
"""

from pathlib import Path

from oddlens.data.files import folders_in, list_images, pair_masks
from oddlens.data.layouts.base import by_category
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.io.paths import is_dir

IMAGES, MASKS = "rgb", "gt"
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def _is_category(folder: Path) -> bool:
    return any(is_dir(folder / split / NORMAL / IMAGES) for split in SPLITS)


def _read_category(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    records = []
    for split in SPLITS:
        for kind in folders_in(folder / split):
            images = list_images(kind / IMAGES, problems)
            abnormal = kind.name != NORMAL
            masks = pair_masks(images, kind / MASKS, ("",), problems) if abnormal else {}
            records += [Record(image, masks.get(image), int(abnormal), category, kind.name, split) for image in images]
    return records


LAYOUT = by_category(
    "mvtec-3d-ad",
    "<category>/train/good/rgb or <category>/test/good/rgb",
    _is_category,
    _read_category,
    citations=("bergmann2022mvtec3d",),
)
