"""Segmentation sets: a folder of pictures beside a folder of their masks. A picture whose mask is black is normal.

CVC-ColonDB, CVC-ClinicDB, Kvasir-SEG, Endo (EndoTect 2020), ISIC 2016, TN3K, what label tools export as images/ and masks/, and
what else has the folders of `PAIRS`, or images/ and masks/ in those of its splits. A folder good/ (ok/, normal/) beside them holds
normal pictures. A set of one part only is test. Masks, of which some may be labelme's files, are read when the set is opened.
"""

from pathlib import Path

from oddlens.data.files import list_images, masks_in, match_masks, normal_folders, split_folders
from oddlens.data.layouts.base import Layout
from oddlens.data.layouts.labelled_pairs import read_labelled_pairs
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.paths import is_dir

PAIRS: tuple[tuple[str, str, Split], ...] = (
    ("images", "masks", "test"),
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
    found += [(place / "images", place / "masks", split) for place, split in split_folders(root)]
    return [pair for pair in found if is_dir(pair[0]) and is_dir(pair[1])]


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    records = []
    for folder, truth, split in _present(root):
        images = list_images(folder, problems)
        masks = match_masks(images, masks_in(truth), MASK_SUFFIXES, problems)
        records += read_labelled_pairs(images, masks, root.name, split, problems)
    for folder in normal_folders(root):
        records += [Record(image, None, 0, root.name, NORMAL, "test") for image in list_images(folder, problems)]
    return records


LAYOUT = Layout(
    name="images-and-masks",
    looks_for="images/ and masks/ (or CVC-ClinicDB's, TN3K's or ISIC's folder names)",
    recognise=lambda root: bool(_present(root)),
    read=_read,
    supervised=True,
)
