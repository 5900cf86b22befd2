"""Listing folders and pairing pictures with their masks: what every layout shares.

Nothing here opens a picture. Masks are paired with pictures by stem, never by position: one missing file would shift every
pair after it without a word.
"""

import csv
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from oddlens.data.problem import Problem
from oddlens.data.record import Record
from oddlens.decoding import FORMAT_OF_SUFFIX
from oddlens.errors import DataError
from oddlens.paths import exists, is_dir, is_file


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    if not is_dir(folder):
        return []
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be listed ({error.strerror}): change its permissions.") from error


def folders_in(folder: Path) -> list[Path]:
    """The visible sub-folders of a folder, by name; none if there is no such folder."""
    return [Path(entry.path) for entry in _entries(folder) if is_dir(entry)]


def images_in(folder: Path) -> list[Path]:
    """The visible image files directly in a folder, by name; none if there is no such folder."""
    return [
        Path(entry.path)
        for entry in _entries(folder)
        if os.path.splitext(entry.name)[1].lower() in FORMAT_OF_SUFFIX and is_file(entry)  # noqa: PTH122 a path a file is slow
    ]


def child(folder: Path, name: str) -> Path | None:
    """The sub-folder of that name, whatever its case; None if there is none."""
    return next((each for each in folders_in(folder) if each.name.casefold() == name.casefold()), None)


def holds_images(folder: Path) -> bool:
    """Whether an image lies in the folder or anywhere below it."""
    return bool(images_in(folder)) or any(holds_images(each) for each in folders_in(folder))


def _holds_files(folder: Path) -> bool:
    return any(not is_dir(entry) or _holds_files(Path(entry.path)) for entry in _entries(folder))


def list_images(folder: Path, problems: list[Problem]) -> list[Path]:
    """The image files of a folder that should hold some; an empty folder and two images of one stem are problems."""
    images = images_in(folder)
    if not images:
        problems.append(Problem(folder, "folder-empty", f"The folder {folder} holds no image."))
    seen: dict[str, Path] = {}
    for image in images:
        twin = seen.setdefault(image.stem.casefold(), image)
        if twin is not image:
            sentence = f"{image} and {twin.name} share a name, so that a mask of it could be either's."
            problems.append(Problem(image, "name-duplicate", sentence))
    return images


def find_categories(
    root: Path, is_category: Callable[[Path], bool], problems: list[Problem] | None = None
) -> list[tuple[str, Path]]:
    """The categories of a root as (name, folder): the root itself if it is one, else its sub-folders that are.

    With `problems`, the other sub-folders are reported: an empty one is most likely a category that never arrived, and one
    with images is left out, which must not happen in silence.
    """
    if is_category(root):
        return [(root.name, root)]
    categories = []
    for folder in folders_in(root):
        if is_category(folder):
            categories.append((folder.name, folder))
        elif problems is not None and holds_images(folder):
            sentence = f"The folder {folder} holds images but is not laid out like a category, so it is left out."
            problems.append(Problem(folder, "folder-unknown", sentence))
        elif problems is not None and not _holds_files(folder):
            problems.append(Problem(folder, "category-empty", f"The category folder {folder} is empty."))
    return categories


def read_table(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header, as (line number, {column: cell}); missing cells are "", spaces are stripped.

    Raises:
        DataError: the file is not text in UTF-8, or no CSV.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="", restval="", skipinitialspace=True)
            return [(reader.line_num, {key: str(cell).strip() for key, cell in row.items()}) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not readable as CSV in UTF-8 ({error}): correct or remove it.") from error


def stems_of(mask: Path, suffixes: Sequence[str]) -> list[str]:
    """The image stems a mask may belong to, case-folded: its own name less each of the suffixes it ends in."""
    stem = (mask.name if is_dir(mask) else mask.stem).casefold()
    return [stem.removesuffix(suffix.casefold()) for suffix in suffixes if stem.endswith(suffix.casefold())]


def match_masks(
    images: Iterable[Path], masks: Iterable[Path], suffixes: Sequence[str], problems: list[Problem]
) -> dict[Path, Path]:
    """Match masks with pictures by stem, as {image: mask}; a mask without a picture and a second mask of one are problems.

    `suffixes`: what a mask's stem may add to its image's stem ("" for nothing), the likeliest first.
    """
    by_stem = {image.stem.casefold(): image for image in images}
    matched: dict[Path, Path] = {}
    for mask in masks:
        image = next((by_stem[stem] for stem in stems_of(mask, suffixes) if stem in by_stem), None)
        if image is None:
            problems.append(Problem(mask, "mask-orphan", f"The mask {mask} belongs to no image: none has its name."))
        elif image in matched:
            sentence = f"{mask} and {matched[image].name} are both masks of {image.name}."
            problems.append(Problem(mask, "name-duplicate", sentence))
        else:
            matched[image] = mask
    return matched


def pair_masks(
    images: Sequence[Path], folder: Path, suffixes: Sequence[str], problems: list[Problem]
) -> dict[Path, Path]:
    """Match abnormal pictures with the masks of a folder, its image files and its sub-folders of such, as `match_masks` does.

    A picture without a mask is a problem; where none has one, the folder as a whole is.
    """
    masks = [*images_in(folder), *(each for each in folders_in(folder) if images_in(each))]
    if images and not masks:
        sentence = f"None of the {len(images)} abnormal images in {images[0].parent} has a mask in {folder}."
        problems.append(Problem(folder, "mask-missing", sentence))
        return {}
    matched = match_masks(images, masks, suffixes, problems)
    for image in images:
        if image not in matched:
            problems.append(
                Problem(image, "mask-missing", f"The abnormal image {image} has no mask of its name in {folder}.")
            )
    return matched


def drop_lost_masks(records: Sequence[Record], problems: list[Problem]) -> list[Record]:
    """The records of a listing, less the masks it names that are not on disk.

    An abnormal picture that is listed without a mask is a problem only where others of its category have one: elsewhere the set
    is an image-level one.
    """
    drawn = {record.category for record in records if record.mask is not None}
    kept = []
    for record in records:
        if record.mask is None and record.label == 1 and record.category in drawn:
            sentence = f"The abnormal image {record.image} is listed without a mask, unlike others of its category."
            problems.append(Problem(record.image, "mask-missing", sentence))
        if record.mask is not None and not exists(record.mask):
            sentence = f"The mask {record.mask} of {record.image} is not there."
            problems.append(Problem(record.image, "mask-missing", sentence))
            record = replace(record, mask=None)
        if record.ignore is not None and not exists(record.ignore):
            sentence = f"The ignore mask {record.ignore} of {record.image} is not there."
            problems.append(Problem(record.image, "mask-missing", sentence))
            record = replace(record, ignore=None)
        if record.classes is not None and not exists(record.classes):
            sentence = f"The class labels {record.classes} of {record.image} are not there."
            problems.append(Problem(record.image, "mask-missing", sentence))
            record = replace(record, classes=None)
        kept.append(record)
    return kept
