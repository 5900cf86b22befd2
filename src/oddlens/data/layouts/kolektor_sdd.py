"""KolektorSDD (Tabernik et al., 2019): 50 commutators, every image with a label image, black where there is no defect.

    kos<nn>/Part<n>.jpg    kos<nn>/Part<n>_label.bmp

Only the pixels tell which images are normal, so this layout reads the labels when it is opened. The set states no split (its
authors cross-validate): everything is test.
"""

from pathlib import Path

from oddlens.data.files import folders_in, images_in, match_beside
from oddlens.data.layouts.base import Layout
from oddlens.data.layouts.labelled_pairs import read_labelled_pairs
from oddlens.data.problem import Problem
from oddlens.data.record import Record

SUFFIX = "_label"


def _parts(root: Path) -> list[list[Path]]:
    return [images_in(folder) for folder in folders_in(root) if folder.name.startswith("kos")]


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    images: list[Path] = []
    masks: dict[Path, Path] = {}
    for files in _parts(root):
        own_images, own_masks = match_beside(files, SUFFIX, problems)
        images += own_images
        masks |= own_masks
    return read_labelled_pairs(images, masks, root.name, "test", problems)


LAYOUT = Layout(
    "kolektor-sdd",
    "kos<nn>/Part<n>_label.bmp",
    lambda root: any(_parts(root)),
    _read,
    citations=("tabernik2020segmentation",),
)
