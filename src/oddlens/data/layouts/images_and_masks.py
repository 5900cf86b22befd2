"""Segmentation sets: a folder of abnormal pictures beside a folder of their masks; most have no normal picture at all.

CVC-ColonDB, CVC-ClinicDB, Kvasir-SEG, Endo (EndoTect 2020), ISIC 2016, TN3K, and what else has the folders of `PAIRS`. A folder
`good` beside them holds normal pictures. A set of one part only is test.
"""

from pathlib import Path

from oddlens.data.files import list_images, pair_masks
from oddlens.data.layouts.base import Layout
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.paths import is_dir

PAIRS: tuple[tuple[str, str, Split], ...] = (
    ("images", "masks", "test"),
    ("train/images", "train/masks", "train"),
    ("val/images", "val/masks", "validation"),
    ("test/images", "test/masks", "test"),
    ("Original", "Ground Truth", "test"),  # CVC-ClinicDB
    ("PNG/Original", "PNG/Ground Truth", "test"),  # CVC-ClinicDB with both of its formats
    ("trainval-image", "trainval-mask", "train"),  # TN3K
    ("test-image", "test-mask", "test"),
    ("ISBI2016_ISIC_Part1_Training_Data", "ISBI2016_ISIC_Part1_Training_GroundTruth", "train"),
    ("ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth", "test"),
)
MASK_SUFFIXES = ("", "_segmentation", "_mask")


def _present(root: Path) -> list[tuple[Path, Path, Split]]:
    found = [(root / images, root / masks, split) for images, masks, split in PAIRS]
    return [pair for pair in found if is_dir(pair[0]) and is_dir(pair[1])]


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    records = []
    for folder, truth, split in _present(root):
        images = list_images(folder, problems)
        masks = pair_masks(images, truth, MASK_SUFFIXES, problems)
        records += [Record(image, masks.get(image), 1, root.name, "defect", split) for image in images]
    if is_dir(root / "good"):
        records += [Record(image, None, 0, root.name, NORMAL, "test") for image in list_images(root / "good", problems)]
    return records


LAYOUT = Layout(
    name="images-and-masks",
    looks_for="images/ and masks/ (or CVC-ClinicDB's, TN3K's or ISIC's folder names)",
    recognise=lambda root: bool(_present(root)),
    read=_read,
    supervised=True,
)
