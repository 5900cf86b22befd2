"""KolektorSDD2 (Bozic et al., 2021), a supervised set: images beside their label images, defects in both splits.

{train,test}/<stem>.png    {train,test}/<stem>_GT.png, black where there is no defect; read when the set is opened.
"""

from pathlib import Path

from oddlens.data.files import images_in, match_beside
from oddlens.data.layouts.base import Layout
from oddlens.data.layouts.labelled_pairs import read_labelled_pairs
from oddlens.data.problem import Problem
from oddlens.data.record import Record, Split

SUFFIX = "_GT"
SPLITS: tuple[Split, ...] = ("train", "test")


def _recognise(root: Path) -> bool:
    return any(file.stem.endswith(SUFFIX) for split in SPLITS for file in images_in(root / split))


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    return [
        record
        for split in SPLITS
        for record in read_labelled_pairs(
            *match_beside(images_in(root / split), SUFFIX, problems), root.name, split, problems
        )
    ]


LAYOUT = Layout(
    "kolektor-sdd2",
    "train/<stem>_GT.png or test/<stem>_GT.png",
    _recognise,
    _read,
    supervised=True,
    citations=("bozic2021mixed",),
)
