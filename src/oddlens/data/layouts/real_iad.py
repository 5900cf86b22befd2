"""Real-IAD (Wang et al., CVPR 2024): 30 objects, each seen by five cameras; a JSON file a category lists its images.

    realiad_jsons/<category>.json (or realiad_jsons/realiad_jsons/<category>.json, or beside the categories):
        {"meta": {"normal_class": "OK", "prefix": "<category>/"}, "train": [entries], "test": [entries]}
        an entry: {"category", "anomaly_class", "image_path": "OK/S0001/...jpg", "mask_path": "NG/.../...png" or null}
    {realiad_1024,realiad_512,realiad_256,realiad_raw}/<category>/{OK,NG/<kind>}/S<NNNN>/*.jpg, and masks *.png beside them

The root is that of the release, a folder of such JSON files (realiad_jsons_sv, whose splits are of one camera, or
realiad_jsons_fuiad_0.1, whose training images are partly abnormal), or one of the files. Of several sizes of the images the
first of those above that is there is read.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NotRequired, TypedDict, TypeGuard

from oddlens.data.files import annotations_in
from oddlens.data.layouts.base import Layout
from oddlens.data.listing import absence, drop_lost_masks, locate, read_json
from oddlens.data.problem import Loss, Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.errors import DataError
from oddlens.io.paths import is_dir, is_file

LISTINGS = (".", "realiad_jsons", "realiad_jsons/realiad_jsons")
SIZES = (".", "realiad_1024", "realiad_512", "realiad_256", "realiad_raw")
LABELLED = ("OK", "NG")
SPLITS: tuple[Split, ...] = ("train", "test")


class _Entry(TypedDict):
    anomaly_class: str
    image_path: str
    mask_path: NotRequired[str | None]


def _is_entry(entry: object) -> TypeGuard[_Entry]:
    if not isinstance(entry, dict) or not isinstance(entry.get("mask_path"), str | None):
        return False
    return all(isinstance(text := entry.get(key), str) and text for key in ("anomaly_class", "image_path"))


def _listings(root: Path) -> list[Path]:
    """The JSON files whose category's folder is there, in the first folder that has such."""
    if is_file(root):
        return [root] if root.suffix.lower() == ".json" and _images(root) else []
    found = ([file for file in annotations_in(root / folder) if _images(file)] for folder in LISTINGS)
    return next(filter(None, found), [])


def _images(listing: Path) -> Path | None:
    """The folder that a category's folder lies in; None if it is not near its listing."""
    bases = [listing.parent, *listing.parents[1:3]]
    folders = (base / size for size in SIZES for base in bases)
    return next((each for each in folders if any(is_dir(each / listing.stem / name) for name in LABELLED)), None)


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    return [record for listing in _listings(root) for record in _read_category(listing, problems)]


def _read_category(listing: Path, problems: list[Problem]) -> list[Record]:
    content = read_json(listing)
    meta = content.get("meta", {}) if isinstance(content, dict) else None
    if (
        not isinstance(content, dict)
        or not isinstance(meta, dict)
        or not all(isinstance(content.get(split, []), list) for split in SPLITS)
    ):
        raise DataError(f'{listing} is no listing of Real-IAD, {{"meta": {{}}, "train": [], "test": []}}: correct it')
    normal, prefix = meta.get("normal_class", "OK"), meta.get("prefix", f"{listing.stem}/")
    folder = _images(listing)
    if not isinstance(prefix, str) or folder is None:
        raise DataError(f'{listing} has a "prefix" that is no text: correct it')
    records = []
    for split, where, entry in _entries(listing, content, problems):
        image = locate(folder, prefix + entry["image_path"])
        if reason := absence(image, file=True):
            sentence = f"{where} lists {image}, {reason}"
            problems.append(Problem(image, "image-missing", sentence, Loss(listing.stem, split)))
        elif entry["anomaly_class"] == normal:
            records.append(Record(image, None, 0, listing.stem, NORMAL, split))
        else:
            mask = locate(folder, prefix + listed) if (listed := entry.get("mask_path")) else None
            records.append(Record(image, mask, 1, listing.stem, entry["anomaly_class"], split))
    return drop_lost_masks(records, problems)


def _entries(
    listing: Path, content: Mapping[str, list[object]], problems: list[Problem]
) -> Iterator[tuple[Split, str, _Entry]]:
    for split in SPLITS:
        for number, entry in enumerate(content.get(split, [])):
            where = f'entry {number} of "{split}" in {listing}'
            if _is_entry(entry):
                yield split, where, entry
            else:
                sentence = f"{where} lacks an anomaly_class or an image_path, or has something else there than text"
                problems.append(Problem(listing, "row-invalid", sentence, Loss(listing.stem, split)))


LAYOUT = Layout(
    "real-iad",
    "<category>.json or realiad_jsons/<category>.json, and <category>/OK or realiad_1024/<category>/OK",
    lambda root: bool(_listings(root)),
    _read,
    citations=("wang2024realiad",),
)
