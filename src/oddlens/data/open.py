"""Opening a data set: recognise its layout, read its records, check its structure. No image is decoded.

(KolektorSDD, KolektorSDD2 and most road sets are the exception: there only the pixels of the masks tell which images are normal.)
"""

import os
from itertools import islice
from pathlib import Path

from oddlens.data.dataset import Dataset
from oddlens.data.layouts import LAYOUTS
from oddlens.data.layouts.base import Layout
from oddlens.data.layouts.folder import read_named
from oddlens.data.problem import Problem
from oddlens.data.record import Record
from oddlens.errors import DataError, LayoutError, UsageError, check_path, known_name, nearest, printable
from oddlens.io.paths import exists, expanded, is_closed, is_dir, why_absent

FOLDER = "folder"
AUTO = "auto"


def open_dataset(
    path: str | Path,
    layout: str = AUTO,
    *,
    normal_dir: str | Path | None = None,
    abnormal_dir: str | Path | None = None,
    mask_dir: str | Path | None = None,
) -> Dataset:
    """Open the data set at a path.

    Args:
        path: Its folder (of all categories or of one), or its listing (a manifest, a meta.json).
        layout: A layout's name in any case of letters, or "auto": the most specific one that recognises the path;
            `Dataset.layout` says which.
        normal_dir: The folder of normal images of a plain set with names of its own, relative to `path`.
        abnormal_dir: The folder of its abnormal images.
        mask_dir: The folder of its masks.

    Returns:
        The data set. What is wrong with single files is no error: it is in `Dataset.problems`.

    Raises:
        UsageError: There is nothing at the path, the layout has no such name, or a named folder is not there.
        LayoutError: No layout recognises the path, the named one does not, or it holds no image.
        DataError: None of the images that it names can be used.
    """
    check_path("a data set", path, "give the path of its folder or its listing")
    root = expanded(path).absolute()
    if is_closed(root):
        raise UsageError(f"{printable(str(root))} {why_absent(root)}")
    if not exists(root):
        near = nearest(root.name, _neighbours(root))
        give = f"{near} Give" if near else ": give"
        raise UsageError(f"there is nothing at {printable(str(root))}{give} the folder of a data set or its listing")
    layout = known_name("layout", layout, (AUTO, *(each.name for each in LAYOUTS)))
    problems: list[Problem] = []
    if normal_dir is not None or abnormal_dir is not None or mask_dir is not None:
        if layout not in (AUTO, FOLDER):
            raise UsageError(
                f'normal_dir, abnormal_dir and mask_dir belong to the layout "{FOLDER}", not to "{layout}"'
            )
        name, supervised = FOLDER, False
        records = read_named(root, normal_dir, abnormal_dir, mask_dir, problems)
    else:
        chosen = _recognise(root) if layout == AUTO else _named(root, layout)
        name, supervised = chosen.name, chosen.supervised
        records = chosen.read(root, problems)
    records = _without_repeats(records, problems)
    if not records:
        raise (DataError if problems else LayoutError)(_no_picture(root, name, problems))
    problems += _structural_problems(root, records, supervised)
    folder, listing = (root, None) if is_dir(root) else (root.parent, root)
    return Dataset(folder, name, tuple(records), tuple(problems), listing)


def _without_repeats(records: list[Record], problems: list[Problem]) -> list[Record]:
    """The records, less those whose image was there before: counted twice, it would weigh twice."""
    first: dict[Path, Record] = {}
    for record in records:
        earlier = first.setdefault(record.image, record)
        if earlier is not record:
            contradiction = "" if earlier.label == record.label else ", with another label"
            sentence = f"the image {record.image} is listed more than once{contradiction}: only the first counts"
            problems.append(Problem(record.image, "image-repeated", sentence))
    return list(first.values())


def _no_picture(root: Path, layout: str, problems: list[Problem]) -> str:
    """The sentence for a data set without an image; what is wrong with the first of those that it names is part of it."""
    sentence = f'{printable(str(root))}, read by the layout "{layout}", holds no image'
    if not problems:
        return f"{sentence}: fill it or name another"
    others = "" if len(problems) == 1 else f" ({len(problems) - 1} more problems like this one)"
    return f"{sentence} that can be used: {printable(problems[0].sentence)}{others}"


def _neighbours(path: Path) -> list[str]:
    """The names beside a path, one of which may have been meant: a thousand of them at most."""
    try:
        with os.scandir(path.parent) as entries:
            return [entry.name for entry in islice(entries, 1000)]
    except (OSError, ValueError):
        return []


def _recognise(root: Path) -> Layout:
    found = next((layout for layout in LAYOUTS if layout.recognise(root)), None)
    if found is None:
        raise LayoutError(
            f"{printable(str(root))} is laid out like no data set known here ({', '.join(layout.name for layout in LAYOUTS)}): "
            "arrange it like one of these (docs/guides/data.md shows them, and how Python names folders of other names), or write "
            "a manifest"
        )
    return found


def _named(root: Path, name: str) -> Layout:
    layout = next(layout for layout in LAYOUTS if layout.name == name)
    if not layout.recognise(root):
        raise LayoutError(f'{printable(str(root))} is not laid out like "{name}": it lacks {layout.looks_for}')
    return layout


def _structural_problems(root: Path, records: list[Record], supervised: bool) -> list[Problem]:
    problems = []
    for category in dict.fromkeys(record.category for record in records):
        ours = [record for record in records if record.category == category]
        training = [record for record in ours if record.split == "train"]
        abnormal = [record for record in training if record.label == 1]
        if abnormal and not supervised:
            sentence = (
                f'{len(abnormal)} of the {len(training)} training images of "{category}" are abnormal, '
                f"such as {abnormal[0].image}: they must not serve as good examples"
            )
            problems.append(Problem(abnormal[0].image.parent, "abnormal-in-train", sentence))
        if all(record.split in ("train", "validation") for record in ours):
            problems.append(Problem(root, "test-empty", f'the category "{category}" of {root} has no test image'))
    return problems
