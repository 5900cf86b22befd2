"""DAGM 2007 (the Kaggle upload), a supervised set: defects in both splits.

    Class<n>/{Train,Test}/<stem>.PNG    Class<n>/{Train,Test}/Label/<stem>_label.PNG

An image with a label file is abnormal. The labels are ellipses around the defects.
"""

from pathlib import Path

from oddlens.data.files import images_in, list_images, match_masks
from oddlens.data.layouts.base import by_category
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.io.paths import is_dir

SPLITS: tuple[tuple[str, Split], ...] = (("Train", "train"), ("Test", "test"))


def _is_category(folder: Path) -> bool:
    return any(is_dir(folder / name / "Label") for name, _ in SPLITS)


def _read_category(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    records = []
    for name, split in SPLITS:
        images = list_images(folder / name, problems)
        masks = match_masks(images, images_in(folder / name / "Label"), ("_label",), problems)
        for image in images:
            abnormal = image in masks
            defect = "defect" if abnormal else NORMAL
            records.append(Record(image, masks.get(image), int(abnormal), category, defect, split))
    return records


LAYOUT = by_category(
    "dagm",
    "Class<n>/Train/Label or Class<n>/Test/Label",
    _is_category,
    _read_category,
    supervised=True,
    citations=("wieler2007weakly",),
)
