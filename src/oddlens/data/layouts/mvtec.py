"""MVTec AD, and the many sets laid out like it: MVTec LOCO, MPDD, DTD-Synthetic, VisA repacked, AnomalyCLIP's SDD and HeadCT.

    <category>/train/good/*.png            <category>/test/<defect>/<stem>.png
    <category>/validation/good/*.png       <category>/ground_truth/<defect>/<stem>_mask.png   (or <stem>.png)
                                           <category>/ground_truth/<defect>/<stem>/*.png      (MVTec LOCO)
                                           <category>/ignore/<defect>/<stem>_ignore.png       (ours: pixels not to be counted)

A category without ground_truth/ is an image-level one.
"""

from pathlib import Path

from oddlens.data.files import folders_in, list_images, pair_masks
from oddlens.data.layouts.base import by_category
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.paths import is_dir

FOLDERS: tuple[Split, ...] = ("train", "validation", "test")
MASK_SUFFIXES = ("_mask", "", "_label")


def _is_category(folder: Path) -> bool:
    return any(is_dir(folder / split / NORMAL) for split in FOLDERS) or (
        is_dir(folder / "test") and is_dir(folder / "ground_truth")
    )


def read_category(folder: Path, category: str, problems: list[Problem], normal: str = NORMAL) -> list[Record]:
    """The records of one category whose normal pictures lie in folders of the name `normal`."""
    records = []
    truths = folder / "ground_truth"
    for split in FOLDERS:
        for kind in folders_in(folder / split):
            images = list_images(kind, problems)
            abnormal = kind.name != normal
            masks: dict[Path, Path] = {}
            ignores: dict[Path, Path] = {}
            if split == "test" and abnormal and is_dir(truths):
                masks = pair_masks(images, truths / kind.name, MASK_SUFFIXES, problems)
            if split == "test" and is_dir(folder / "ignore" / kind.name):
                ignores = pair_masks(images, folder / "ignore" / kind.name, ("_ignore",), problems)
            defect = kind.name if abnormal else NORMAL
            for image in images:
                records.append(
                    Record(image, masks.get(image), int(abnormal), category, defect, split, ignores.get(image))
                )
    for truth in folders_in(truths):
        if truth.name != normal and not is_dir(folder / "test" / truth.name):
            sentence = f"The masks in {truth} belong to no images: there is no folder {folder / 'test' / truth.name}."
            problems.append(Problem(truth, "mask-orphan", sentence))
    return records


LAYOUT = by_category("mvtec", "<category>/train/good or <category>/test/good", _is_category, read_category)
