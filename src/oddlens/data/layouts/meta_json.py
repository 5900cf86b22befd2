"""`meta.json`, the listing of AnomalyCLIP and APRIL-GAN, with the known faults of its generators.

    {"train" | "test": {<category>: [{img_path, mask_path ("" = none), cls_name, specie_name, anomaly: 0 | 1}, ...]}}

- DAGM's generator writes "Train" and "Test": the names of the parts count in any case.
- Those of the medical sets write absolute paths of their authors' machine: such a path is taken from the root's own folder name
  on; where that leads nowhere it is reported.
- Most pair masks by position, so that one surplus file shifts every pair after it: a mask that by its name belongs to another
  listed image is reported and not used.
- Image-level sets list abnormal images with an empty mask path: see `drop_lost_masks`.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NotRequired, TypedDict, TypeGuard

from oddlens.data.files import stems_of
from oddlens.data.layouts.base import Layout
from oddlens.data.listing import absence, drop_lost_masks, locate, read_json
from oddlens.data.problem import Loss, Problem
from oddlens.data.record import NORMAL, SPLITS, Record, Split
from oddlens.data.words import label_of, name_key, split_of
from oddlens.errors import DataError
from oddlens.io.paths import is_file
from oddlens.io.strict_json import checked

NAME = "meta.json"
MASK_SUFFIXES = ("", "_mask", "_label", "_gt", "_segmentation")
ABSOLUTE = re.compile(r"/|[A-Za-z]:/")


class _Entry(TypedDict):
    img_path: str
    anomaly: object
    mask_path: NotRequired[str | None]
    specie_name: NotRequired[str | None]


def _file(root: Path) -> Path:
    return root if is_file(root) else root / NAME


def _load(meta: Path) -> dict[str, dict[str, list[object]]]:
    listing = read_json(meta)
    try:
        return checked(listing, dict[str, dict[str, list[object]]])
    except ValueError:
        raise DataError(
            f'{meta} is not a listing of the form {{"test": {{category: [entries]}}}}: correct or remove it'
        ) from None


def _entries(meta: Path, problems: list[Problem]) -> Iterator[tuple[Split, str, _Entry]]:
    for part, categories in _load(meta).items():
        split = split_of(part)
        if split is None:
            sentence = f'{meta} has a part "{part}", which is none of {", ".join(SPLITS)}'
            problems.append(Problem(meta, "row-invalid", sentence))
            continue
        for category, entries in categories.items():
            for number, entry in enumerate(entries):
                if _is_entry(entry):
                    yield split, category, entry
                else:
                    sentence = f'entry {number} of "{part}", "{category}" in {meta} lacks a path as text or an anomaly of 0 or 1'
                    problems.append(Problem(meta, "row-invalid", sentence, Loss(category, split)))


def _is_entry(entry: object) -> TypeGuard[_Entry]:
    if not isinstance(entry, dict) or not entry.get("img_path") or label_of(entry.get("anomaly")) is None:
        return False
    return all(isinstance(entry.get(key) or "", str) for key in ("img_path", "mask_path", "specie_name"))


def _locate(root: Path, listed: str) -> Path:
    found, slashed = locate(root, listed), listed.replace("\\", "/")
    if not ABSOLUTE.match(slashed) or absence(found) is None:
        return found
    parts = Path(slashed).parts
    tails = [
        locate(root, "/".join(parts[i + 1 :])) for i, part in enumerate(parts) if name_key(part) == name_key(root.name)
    ]
    return next((tail for tail in tails if absence(tail) is None), found)


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    meta, records = _file(root), []
    for split, category, entry in _entries(meta, problems):
        image = _locate(meta.parent, entry["img_path"])
        if reason := absence(image, file=True):
            sentence = f"{meta} lists {image}, {reason}"
            problems.append(Problem(image, "image-missing", sentence, Loss(category, split)))
            continue
        if label_of(entry["anomaly"]):
            mask = _locate(meta.parent, listed) if (listed := entry.get("mask_path")) else None
            records.append(Record(image, mask, 1, category, entry.get("specie_name") or "anomaly", split))
        else:
            records.append(Record(image, None, 0, category, NORMAL, split))
    names = {(record.image.parent, name_key(record.image.stem)) for record in records}
    return [_with_its_own_mask(record, names, problems) for record in drop_lost_masks(records, problems)]


def _with_its_own_mask(record: Record, names: set[tuple[Path, str]], problems: list[Problem]) -> Record:
    image, mask = record.image, record.mask
    if mask is None:
        return record
    if name_key(mask.parent.name) == name_key(image.stem):  # MVTec LOCO: a folder of masks, of which one is listed
        return replace(record, mask=mask.parent)
    stems = stems_of(mask, MASK_SUFFIXES)
    if name_key(image.stem) not in stems and any((image.parent, stem) in names for stem in stems):
        sentence = f"the mask {mask} is listed for {image} but by its name belongs to another image, so it is not used"
        problems.append(Problem(image, "mask-mismatched", sentence))
        return replace(record, mask=None)
    return record


LAYOUT = Layout("meta-json", NAME, lambda root: _file(root).name == NAME and is_file(_file(root)), _read)
