"""A plain folder, as somebody with a camera makes it: `good/` and, beside it, one folder a kind of defect; everything is test.

    [<category>/]{good|ok|normal}/*    [<category>/]<defect>/*
    [<category>/]{masks|mask|ground_truth}/[<defect>/]<stem>.png or <stem>_mask.png, if there are any

Masks may also lie beside their images: <stem>_mask.png, or labelme's <stem>.json. Or any folders, named: see `read_named`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from oddlens.data.files import (
    child,
    find_masks,
    folders_in,
    holds_images,
    list_images,
    normal_folders,
    report_loose,
)
from oddlens.data.layouts.base import by_category
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record
from oddlens.errors import UsageError
from oddlens.io.paths import is_dir

MASK_NAMES = ("masks", "mask", "ground_truth")
MASK_SUFFIXES = ("_mask", "", "_label")


def _is_category(folder: Path) -> bool:
    return bool(normal_folders(folder))


def _read_category(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    report_loose(folder, problems)
    normal = normal_folders(folder)
    truth = next((found for name in MASK_NAMES if (found := child(folder, name)) is not None), None)
    kinds = [kind for kind in folders_in(folder) if kind not in normal and kind != truth]
    return _records(category, normal, kinds, truth, problems)


def _records(
    category: str, normal: Sequence[Path], kinds: Sequence[Path], truth: Path | None, problems: list[Problem]
) -> list[Record]:
    records = [
        Record(image, None, 0, category, NORMAL, "test") for folder in normal for image in list_images(folder, problems)
    ]
    images = {kind: list_images(kind, problems) for kind in kinds}
    masks = _masks(images, truth, problems)
    return records + [
        Record(image, masks.get(image), 1, category, kind.name, "test") for kind in kinds for image in images[kind]
    ]


def _masks(images: Mapping[Path, Sequence[Path]], truth: Path | None, problems: list[Problem]) -> dict[Path, Path]:
    if truth is None or not any(child(truth, kind.name) for kind in images):
        return find_masks(images, truth, MASK_SUFFIXES, problems)
    masks: dict[Path, Path] = {}
    for kind, own in images.items():
        masks |= find_masks({kind: own}, child(truth, kind.name) or truth / kind.name, MASK_SUFFIXES, problems)
    return masks


def read_named(
    root: Path,
    normal_dir: str | Path | None,
    abnormal_dir: str | Path | None,
    mask_dir: str | Path | None,
    problems: list[Problem],
) -> list[Record]:
    """The records of folders named by hand, relative to the root or absolute; the category is the root's name.

    `abnormal_dir` is one kind of defect or, where its images lie in sub-folders, one a sub-folder.

    Raises:
        UsageError: A named folder is not there.
    """
    named: dict[str, Path | None] = {}
    for option, given in (("normal_dir", normal_dir), ("abnormal_dir", abnormal_dir), ("mask_dir", mask_dir)):
        named[option] = None if given is None else root / given
        if given is not None and not is_dir(root / given):
            raise UsageError(f"{option} names {root / given}, which is no folder: correct it")
    abnormal = named["abnormal_dir"]
    kinds: list[Path] = []
    if abnormal is not None:
        kinds = [kind for kind in folders_in(abnormal) if holds_images(kind) and kind not in named.values()] or [
            abnormal
        ]
    normal = named["normal_dir"]
    return _records(root.name, [] if normal is None else [normal], kinds, named["mask_dir"], problems)


LAYOUT = by_category("folder", "good/ (or ok/, normal/) and folders of defects", _is_category, _read_category)
