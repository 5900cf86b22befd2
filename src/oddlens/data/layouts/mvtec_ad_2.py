"""MVTec AD 2 (Heckler-Kram et al., 2025): one public test set with masks, two private ones without any label.

    <category>/train/good/*.png    <category>/validation/good/*.png
    <category>/test_public/{good,bad}/*.png    <category>/test_public/ground_truth/bad/<stem>_mask.png
    <category>/test_private/*.png    <category>/test_private_mixed/*.png

The private ones, flat folders, get the split "unlabelled".
"""

from pathlib import Path

from oddlens.data.files import images_in, list_images, pair_masks
from oddlens.data.layouts.base import by_category
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.io.paths import is_dir

NORMAL_FOLDERS: tuple[tuple[str, Split], ...] = (
    ("train/good", "train"),
    ("validation/good", "validation"),
    ("test_public/good", "test"),
)


def _is_category(folder: Path) -> bool:
    return is_dir(folder / "test_public")


def _read_category(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    records = [
        Record(image, None, 0, category, NORMAL, split)
        for name, split in NORMAL_FOLDERS
        for image in list_images(folder / name, problems)
    ]
    images = list_images(folder / "test_public" / "bad", problems)
    masks = pair_masks(images, folder / "test_public" / "ground_truth" / "bad", ("_mask",), problems)
    records += [Record(image, masks.get(image), 1, category, "bad", "test") for image in images]
    records += [
        Record(image, None, None, category, name.removeprefix("test_"), "unlabelled")
        for name in ("test_private", "test_private_mixed")
        for image in images_in(folder / name)
    ]
    return records


LAYOUT = by_category(
    "mvtec-ad-2", "<category>/test_public", _is_category, _read_category, citations=("hecklerkram2026mvtec",)
)
