"""Listing folders and pairing images with their masks: what every layout shares.

Nothing here opens an image. Masks are paired with images by stem, never by position: one missing file would silently shift
every pair after it.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from oddlens.data.annotations import SUFFIX as ANNOTATION
from oddlens.data.annotations import is_annotation
from oddlens.data.problem import Problem
from oddlens.data.record import SPLITS, Split
from oddlens.data.words import is_like_a_split, is_normal_word, name_key, split_of
from oddlens.errors import DataError, counted, nearest
from oddlens.io.decoding import FORMAT_OF_SUFFIX
from oddlens.io.finding import JUNK_FOLDERS, MASK_ENDING, earlier_outputs, is_mask_name
from oddlens.io.paths import is_dir, is_file, is_link

OTHER_PICTURES = frozenset(
    {
        *(".avif", ".heic", ".heif", ".jp2", ".j2k", ".jpe", ".jxl", ".dcm", ".psd", ".exr", ".hdr", ".tga", ".svg"),
        *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2"),  # of cameras
    }
) - set(FORMAT_OF_SUFFIX)
"""The suffixes of images that are not read here."""


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    if not is_dir(folder):
        return []
    try:
        with os.scandir(folder) as entries:
            visible = sorted(
                (entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name
            )
    except OSError as error:
        raise DataError(f"the folder {folder} cannot be listed ({error.strerror}): change its permissions") from error
    ours = earlier_outputs({entry.name for entry in visible})
    return [entry for entry in visible if entry.name not in ours and entry.name.casefold() not in JUNK_FOLDERS]


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 a path a file is slow


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in _entries(folder)]


def folders_in(folder: Path) -> list[Path]:
    """The visible sub-folders of a folder, by name; none if there is no such folder.

    As in `find_images`, folders that systems leave there and the outputs of earlier runs are left out.
    """
    return [Path(entry.path) for entry in _entries(folder) if is_dir(entry)]


def images_in(folder: Path) -> list[Path]:
    """The visible image files directly in a folder, by name; none if there is no such folder.

    A link that leads nowhere is one, too, which cannot be read: as if it were not there, an image would be lost unseen.
    """
    return [
        Path(entry.path)
        for entry in _entries(folder)
        if _suffix(entry.name) in FORMAT_OF_SUFFIX and (is_file(entry) or (is_link(entry) and not is_dir(entry)))
    ]


def annotations_in(folder: Path) -> list[Path]:
    """The visible JSON files directly in a folder, by name; some may be annotations."""
    return [
        Path(entry.path) for entry in _entries(folder) if entry.name.lower().endswith(ANNOTATION) and is_file(entry)
    ]


def normal_folders(folder: Path) -> list[Path]:
    """The sub-folders whose name says that normal images lie in them: good, ok, normal, in any case."""
    return [each for each in folders_in(folder) if is_normal_word(each.name)]


def split_folders(folder: Path) -> list[tuple[Path, Split]]:
    """The sub-folders whose name is that of a split, in the order of `record.SPLITS`."""
    found = [(each, split) for each in folders_in(folder) if (split := split_of(each.name)) is not None]
    return sorted(found, key=lambda pair: SPLITS.index(pair[1]))


def child(folder: Path, name: str) -> Path | None:
    """The sub-folder of that name, in any case of letters; None if there is none."""
    return next((each for each in folders_in(folder) if name_key(each.name) == name_key(name)), None)


def holds_images(folder: Path) -> bool:
    """Whether an image lies in the folder or anywhere below it."""
    return any(images_in(each) for each in _folders_below(folder))


def _holds_files(folder: Path) -> bool:
    return any(not is_dir(entry) for each in _folders_below(folder) for entry in _entries(each))


def _folders_below(folder: Path) -> Iterator[Path]:
    """The folder and all below it, each once: a link may lead back to where it lies."""
    waiting, seen = [folder], set()
    while waiting:
        here = waiting.pop()
        real = os.path.realpath(here)
        if real not in seen:
            seen.add(real)
            yield here
            waiting += folders_in(here)


def list_images(folder: Path, problems: list[Problem]) -> list[Path]:
    """The image files of a folder that should hold some, less the masks beside them (`masks_beside`).

    An empty folder, two images of one stem, images in a format that is not read, and masks beside other images (<stem>_mask.*)
    that belong to none of them are problems.
    """
    files = images_in(folder)
    masks = set(_mask_images(files).values())
    images = [file for file in files if file not in masks]
    lost = [file for file in images if is_mask_name(file)]
    if lost and len(lost) < len(images):
        images = [file for file in images if file not in lost]
        for file in lost:
            report_orphan(file, problems)
    if not images:
        deeper = ", only folders of such" if holds_images(folder) else ""
        lacks = f"the folder {folder} holds no image{deeper}" if is_dir(folder) else f"there is no folder {folder}"
        problems.append(Problem(folder, "folder-empty", lacks))
    unread = [name for name in _names(folder) if _suffix(name) in OTHER_PICTURES]
    if unread:
        count = "an image" if len(unread) == 1 else f"{len(unread)} images"
        sentence = (
            f"the folder {folder} holds {count} in a format that is not read, such as {unread[0]}: save them as PNG"
        )
        problems.append(Problem(folder, "image-format", sentence))
    seen: dict[str, Path] = {}
    for image in images:
        twin = seen.setdefault(name_key(image.stem), image)
        if twin is not image:
            sentence = f"{image} and {twin.name} share a name, so that a mask of it could be either's"
            problems.append(Problem(image, "name-duplicate", sentence))
    return images


def masks_beside(folder: Path) -> dict[Path, Path]:
    """The masks that lie beside their images in one folder, as {image: mask}: <stem>_mask.*, or an annotation <stem>.json."""
    files = images_in(folder)
    masks = _mask_images(files)
    annotations = annotations_in(folder)
    by_stem = {name_key(file.stem): file for file in files} if annotations else {}
    for file in annotations:
        picture = by_stem.get(name_key(file.stem))
        if picture is not None and picture not in masks and is_annotation(file):
            masks[picture] = file
    return masks


def _mask_images(files: Sequence[Path]) -> dict[Path, Path]:
    masks = {name_key(file.stem).removesuffix(MASK_ENDING): file for file in files if is_mask_name(file)}
    return {file: masks[stem] for file in files if masks and (stem := name_key(file.stem)) in masks}


def find_categories(
    root: Path, is_category: Callable[[Path], bool], problems: list[Problem] | None = None
) -> list[tuple[str, Path]]:
    """The categories of a root as (name, folder): the root itself if it is one, else its sub-folders that are.

    With `problems`, the other sub-folders are reported: an empty one is most likely a category that was not copied, and one
    with images is left out, which must not happen silently.
    """
    if is_category(root):
        return [(root.name, root)]
    categories = []
    for folder in folders_in(root):
        if is_category(folder):
            categories.append((folder.name, folder))
        elif problems is not None and holds_images(folder):
            report_left_out(folder, "is not laid out like a category", problems)
        elif problems is not None and not _holds_files(folder):
            problems.append(Problem(folder, "category-empty", f"the category folder {folder} is empty"))
    return categories


def report_left_out(folder: Path, reason: str, problems: list[Problem]) -> None:
    """Report a folder whose images are not read. reason: continues the sentence "the folder ... "."""
    sentence = f"the folder {folder} holds images but {reason}, so it is left out"
    problems.append(Problem(folder, "folder-unknown", sentence))


def report_loose(folder: Path, problems: list[Problem]) -> None:
    """Report the images that lie directly in a folder of which only the sub-folders are read."""
    if loose := images_in(folder):
        where = "in none of its sub-folders and"
        count = counted(len(loose), f"image that lies {where} is left out", f"images that lie {where} are left out")
        sentence = f"the folder {folder} has {count}, such as {loose[0].name}"
        problems.append(Problem(folder, "image-loose", sentence))


def report_misspelt_folders(folder: Path, known: Sequence[str], problems: list[Problem]) -> None:
    """Report the sub-folders of a category that are called like a split (Test2, tets) or one of these names, and are none."""
    for other in folders_in(folder):
        if split_of(other.name) is not None or name_key(other.name) in map(name_key, known) or not holds_images(other):
            continue
        if is_like_a_split(other.name):
            report_left_out(other, "is called like no split known here", problems)
        elif near := nearest(other.name, (*known, *SPLITS)):
            problems.append(Problem(other, "image-loose", f"nothing reads the images in the folder {other}{near}"))


def stems_of(mask: Path, suffixes: Sequence[str]) -> list[str]:
    """The image stems a mask may belong to, as `name_key` gives them: its own name less each of the suffixes it ends in."""
    stem = name_key(mask.name if is_dir(mask) else mask.stem)
    return [stem.removesuffix(suffix.casefold()) for suffix in suffixes if stem.endswith(suffix.casefold())]


def match_masks(
    images: Iterable[Path], masks: Iterable[Path], suffixes: Sequence[str], problems: list[Problem]
) -> dict[Path, Path]:
    """Match masks with images by stem, as {image: mask}; a mask without an image and a second mask of one are problems.

    Args:
        images: The images.
        masks: The masks, files or folders.
        suffixes: What a mask's stem may add to its image's stem ("" for nothing), the likeliest first.
        problems: Problems are added here.
    """
    by_stem = {name_key(image.stem): image for image in images}
    matched: dict[Path, Path] = {}
    for mask in masks:
        image = next((by_stem[stem] for stem in stems_of(mask, suffixes) if stem in by_stem), None)
        if image is None:
            report_orphan(mask, problems, _expected(mask, by_stem, suffixes))
        elif image in matched:
            sentence = f"{mask} and {matched[image].name} are both masks of {image.name}"
            problems.append(Problem(mask, "name-duplicate", sentence))
        else:
            matched[image] = mask
    return matched


def _expected(mask: Path, by_stem: Mapping[str, Path], suffixes: Sequence[str]) -> str:
    """What a mask without an image, or its image, would have to be called."""
    stem = mask.name if is_dir(mask) else mask.stem
    if (image := by_stem.get(name_key(stem))) is not None:
        return f"a mask of {image.name} is called {image.stem}{suffixes[0]}{mask.suffix}"
    added = next((each for each in suffixes if name_key(stem).endswith(each.casefold())), None)
    if added is None:
        return f"its name does not end in {' or '.join(suffixes)}"
    return f"none is called {stem[: len(stem) - len(added)]}.*"


def report_orphan(mask: Path, problems: list[Problem], reason: str = "none has its name") -> None:
    """Report a mask or a label file that belongs to no image."""
    problems.append(Problem(mask, "mask-orphan", f"the mask {mask} belongs to no image: {reason}"))


def match_beside(files: Iterable[Path], suffix: str, problems: list[Problem]) -> tuple[list[Path], dict[Path, Path]]:
    """The images among the files of a folder, and those whose stem ends in the suffix as their masks, as `match_masks` does."""
    listed = list(files)
    masks = [file for file in listed if file.stem.endswith(suffix)]
    images = [file for file in listed if not file.stem.endswith(suffix)]
    return images, match_masks(images, masks, (suffix,), problems)


def masks_in(folder: Path) -> list[Path]:
    """What may be a mask in a folder of masks: image files, annotations, and sub-folders of images."""
    annotations = [file for file in annotations_in(folder) if is_annotation(file)]
    return [*images_in(folder), *annotations, *(each for each in folders_in(folder) if images_in(each))]


def find_masks(
    kinds: Mapping[Path, Sequence[Path]], truth: Path | None, suffixes: Sequence[str], problems: list[Problem]
) -> dict[Path, Path]:
    """The masks of abnormal images, as {image: mask}: those beside them, and of the others those in a folder of masks.

    Args:
        kinds: The images by the folder that they lie in.
        truth: The folder of masks, if there is one.
        suffixes: As for `match_masks`.
        problems: Problems are added here.
    """
    beside = {picture: mask for folder in kinds for picture, mask in masks_beside(folder).items()}
    others = [picture for pictures in kinds.values() for picture in pictures if picture not in beside]
    if truth is not None:
        return beside | pair_masks(others, truth, suffixes, problems)
    if beside:
        for picture in others:
            sentence = f"the abnormal image {picture} has no mask beside it, unlike others"
            problems.append(Problem(picture, "mask-missing", sentence))
    return beside


def pair_masks(
    images: Sequence[Path], folder: Path, suffixes: Sequence[str], problems: list[Problem]
) -> dict[Path, Path]:
    """Match abnormal images with the masks of a folder, as `match_masks` does.

    Masks are its image files, its annotations, and its sub-folders of images. An image without a mask is a problem; where none
    has one, the folder as a whole is.
    """
    masks = masks_in(folder)
    if images and not masks:
        sentence = f"none of the {len(images)} abnormal images in {images[0].parent} has a mask in {folder}"
        problems.append(Problem(folder, "mask-missing", sentence))
        return {}
    matched = match_masks(images, masks, suffixes, problems)
    for image in images:
        if image not in matched:
            problems.append(
                Problem(image, "mask-missing", f"the abnormal image {image} has no mask of its name in {folder}")
            )
    return matched
