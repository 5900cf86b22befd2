"""KolektorSDD (Tabernik et al., 2019): 50 commutators, every picture with a label picture, black where there is no defect.

    kos<nn>/Part<n>.jpg    kos<nn>/Part<n>_label.bmp

Only the pixels tell which pictures are normal, so this layout reads the labels when it is opened. The set states no split (its
authors cross-validate): everything is test.
"""

from collections.abc import Sequence
from pathlib import Path

from oddlens.data.files import folders_in, images_in, match_masks
from oddlens.data.layouts.base import Layout
from oddlens.data.masks import read_mask
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.errors import DataError


def read_labelled_pairs(
    files: Sequence[Path], suffix: str, category: str, split: Split, problems: list[Problem]
) -> list[Record]:
    """The records of pictures that lie beside their label pictures `<stem><suffix>`; abnormal where a label is not black."""
    labels = [file for file in files if file.stem.endswith(suffix)]
    images = [file for file in files if not file.stem.endswith(suffix)]
    masks = match_masks(images, labels, (suffix,), problems)
    return [_record(image, masks.get(image), category, split, problems) for image in images]


def _record(image: Path, mask: Path | None, category: str, split: Split, problems: list[Problem]) -> Record:
    if mask is None:
        problems.append(
            Problem(image, "mask-missing", f"{image} has no label picture, which alone tells whether it is normal.")
        )
    else:
        try:
            abnormal = bool(read_mask(mask).any())
            return Record(
                image, mask if abnormal else None, int(abnormal), category, "defect" if abnormal else NORMAL, split
            )
        except DataError as error:
            problems.append(Problem(mask, "mask-unreadable", str(error)))
    return Record(image, None, None, category, "unknown", "unlabelled")


def _parts(root: Path) -> list[list[Path]]:
    return [images_in(folder) for folder in folders_in(root) if folder.name.startswith("kos")]


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    return [
        record for files in _parts(root) for record in read_labelled_pairs(files, "_label", root.name, "test", problems)
    ]


LAYOUT = Layout("kolektor-sdd", "kos<nn>/Part<n>_label.bmp", lambda root: any(_parts(root)), _read)
