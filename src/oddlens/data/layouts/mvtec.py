"""MVTec AD, and the many sets laid out like it: MVTec LOCO, MPDD, DTD-Synthetic, VisA repacked, AnomalyCLIP's SDD and HeadCT.

    <category>/train/good/*.png            <category>/test/<defect>/<stem>.png
    <category>/validation/good/*.png       <category>/ground_truth/<defect>/<stem>_mask.png   (or <stem>.png)
                                           <category>/ground_truth/<defect>/<stem>/*.png      (MVTec LOCO)
                                           <category>/ignore/<defect>/<stem>_ignore.png       (ours: pixels not to be counted)

Folders of other hands: the splits also as training, val, valid, testing, good also as ok and normal, all in any case; masks also
beside their images (<stem>_mask.png, or labelme's <stem>.json). A category without masks is an image-level one.
"""

from pathlib import Path

from oddlens.data.files import (
    child,
    find_masks,
    folders_in,
    list_images,
    normal_folders,
    pair_masks,
    report_loose,
    report_misspelt_folders,
    split_folders,
)
from oddlens.data.layouts.base import by_category
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record
from oddlens.data.words import is_normal_word
from oddlens.io.paths import is_dir

TRUTH, IGNORE = "ground_truth", "ignore"
MASK_SUFFIXES = ("_mask", "", "_label")


def _is_category(folder: Path) -> bool:
    places = split_folders(folder)
    if any(normal_folders(place) for place, _ in places):
        return True
    return any(split == "test" for _, split in places) and is_dir(folder / TRUTH)


def read_category(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    """The records of one category."""
    records = []
    places = split_folders(folder)
    truths, ignores = child(folder, TRUTH), child(folder, IGNORE)
    for place, split in places:
        report_loose(place, problems)
        for kind in folders_in(place):
            images = list_images(kind, problems)
            if is_normal_word(kind.name):
                masks: dict[Path, Path] = {}
            else:
                truth = truths and split == "test" and (child(truths, kind.name) or truths / kind.name)
                masks = find_masks({kind: images}, truth or None, MASK_SUFFIXES, problems)
            ignored: dict[Path, Path] = {}
            if split == "test" and ignores and (ignore := child(ignores, kind.name)):
                ignored = pair_masks(images, ignore, ("_ignore",), problems)
            label, defect = (0, NORMAL) if is_normal_word(kind.name) else (1, kind.name)
            for image in images:
                records.append(Record(image, masks.get(image), label, category, defect, split, ignored.get(image)))
    tested = [place for place, split in places if split == "test"]
    for truth in folders_in(truths) if truths else []:
        if not is_normal_word(truth.name) and not any(child(place, truth.name) for place in tested):
            where = " or ".join(str(place / truth.name) for place in tested or [folder / "test"])
            sentence = f"the masks in {truth} belong to no images: there is no folder {where}"
            problems.append(Problem(truth, "mask-orphan", sentence))
    report_loose(folder, problems)
    report_misspelt_folders(folder, (TRUTH, IGNORE), problems)
    return records


LAYOUT = by_category(
    "mvtec", "<category>/train/good or <category>/test/good (or ok/, normal/)", _is_category, read_category
)
