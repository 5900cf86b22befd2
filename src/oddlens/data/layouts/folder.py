"""A plain folder, as somebody with a camera makes it: `good/` and, beside it, one folder a kind of defect; everything is test.

    [<category>/]{good|ok|normal}/*    [<category>/]<defect>/*
    [<category>/]{masks|mask|ground_truth}/[<defect>/]<stem>.png or <stem>_mask.png, if there are any

Or any folders, named by hand: see `read_named`.
"""

from collections.abc import Sequence
from pathlib import Path

from oddlens.data.files import child, folders_in, holds_images, list_images, pair_masks
from oddlens.data.layouts.base import by_category
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record
from oddlens.errors import UsageError
from oddlens.paths import is_dir

NORMAL_NAMES = ("good", "ok", "normal")
MASK_NAMES = ("masks", "mask", "ground_truth")
MASK_SUFFIXES = ("_mask", "", "_label")


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next((found for name in names if (found := child(folder, name)) is not None), None)


def _is_category(folder: Path) -> bool:
    return _first(folder, NORMAL_NAMES) is not None


def _read_category(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    normal, truth = _first(folder, NORMAL_NAMES), _first(folder, MASK_NAMES)
    kinds = [kind for kind in folders_in(folder) if kind not in (normal, truth)]
    return _records(category, normal, kinds, truth, problems)


def _records(
    category: str, normal: Path | None, kinds: Sequence[Path], truth: Path | None, problems: list[Problem]
) -> list[Record]:
    records = []
    if normal is not None:
        records = [Record(image, None, 0, category, NORMAL, "test") for image in list_images(normal, problems)]
    images = {kind: list_images(kind, problems) for kind in kinds}
    masks: dict[Path, Path] = {}
    if truth is not None and any(child(truth, kind.name) for kind in kinds):
        for kind in kinds:
            masks |= pair_masks(images[kind], child(truth, kind.name) or truth / kind.name, MASK_SUFFIXES, problems)
    elif truth is not None:
        masks = pair_masks([image for kind in kinds for image in images[kind]], truth, MASK_SUFFIXES, problems)
    return records + [
        Record(image, masks.get(image), 1, category, kind.name, "test") for kind in kinds for image in images[kind]
    ]


def read_named(
    root: Path,
    normal_dir: str | Path | None,
    abnormal_dir: str | Path | None,
    mask_dir: str | Path | None,
    problems: list[Problem],
) -> list[Record]:
    """The records of folders named by hand, relative to the root or absolute; the category is the root's name.

    `abnormal_dir` is one kind of defect or, where its pictures lie in sub-folders, one a sub-folder.

    Raises:
        UsageError: a named folder is not there.
    """
    named: dict[str, Path | None] = {}
    for option, given in (("normal_dir", normal_dir), ("abnormal_dir", abnormal_dir), ("mask_dir", mask_dir)):
        named[option] = None if given is None else root / given
        if given is not None and not is_dir(root / given):
            raise UsageError(f"{option} names {root / given}, which is no folder: correct it.")
    abnormal = named["abnormal_dir"]
    kinds: list[Path] = []
    if abnormal is not None:
        kinds = [kind for kind in folders_in(abnormal) if holds_images(kind) and kind not in named.values()] or [
            abnormal
        ]
    return _records(root.name, named["normal_dir"], kinds, named["mask_dir"], problems)


LAYOUT = by_category("folder", "good/ (or ok/, normal/) and folders of defects", _is_category, _read_category)
