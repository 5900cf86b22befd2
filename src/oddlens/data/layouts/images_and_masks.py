"""Segmentation sets: a folder of images beside a folder of their masks. An image whose mask is black is normal.

CVC-ColonDB, CVC-ClinicDB, Kvasir-SEG, Endo (EndoTect 2020), ISIC 2016, TN3K, what label tools export as images/ and masks/, and
what else has the folders of `PAIRS`, or images/ and masks/ in those of its splits. A folder good/ (ok/, normal/) beside them holds
normal images. A set of one part only is test; several objects lie in a folder each. Masks, of which some may be labelme's files,
are read when the set is opened.
"""

from pathlib import Path

from oddlens.data.files import list_images, masks_in, match_masks, normal_folders, split_folders
from oddlens.data.layouts.base import by_category
from oddlens.data.layouts.labelled_pairs import read_labelled_pairs
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.io.paths import is_dir

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


def _present(folder: Path) -> list[tuple[Path, Path, Split]]:
    found = [(folder / images, folder / masks, split) for images, masks, split in PAIRS]
    found += [(place / "images", place / "masks", split) for place, split in split_folders(folder)]
    return [pair for pair in found if is_dir(pair[0]) and is_dir(pair[1])]


def _is_category(folder: Path) -> bool:
    return bool(_present(folder))


def _read_category(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    records = []
    for place, truth, split in _present(folder):
        images = list_images(place, problems)
        masks = match_masks(images, masks_in(truth), MASK_SUFFIXES, problems)
        records += read_labelled_pairs(images, masks, category, split, problems)
    for normal in normal_folders(folder):
        records += [Record(image, None, 0, category, NORMAL, "test") for image in list_images(normal, problems)]
    return records


LAYOUT = by_category(
    "images-and-masks",
    "images/ and masks/ (or CVC-ClinicDB's, TN3K's or ISIC's folder names)",
    _is_category,
    _read_category,
    supervised=True,
)
