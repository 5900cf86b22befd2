"""Br35H and BrainMRI: image-level sets of two folders, `yes` (a tumour) and `no`; no masks, everything is test.

Other folders beside the two are left alone: Br35H has unlabelled ones, BrainMRI a copy of itself.
"""

from pathlib import Path

from oddlens.data.files import child, list_images
from oddlens.data.layouts.base import by_category
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record


def _is_category(folder: Path) -> bool:
    return child(folder, "yes") is not None and child(folder, "no") is not None


def _read_category(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    return [
        Record(image, None, label, category, defect, "test")
        for label, name, defect in ((0, "no", NORMAL), (1, "yes", "yes"))
        for image in list_images(child(folder, name) or folder / name, problems)
    ]


LAYOUT = by_category("yes-no", "yes/ and no/", _is_category, _read_category)
