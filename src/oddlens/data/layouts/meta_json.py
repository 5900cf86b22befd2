"""`meta.json`, the listing of AnomalyCLIP and APRIL-GAN, with the known faults of its generators.

    {"train" | "test": {<category>: [{img_path, mask_path ("" = none), cls_name, specie_name, anomaly: 0 | 1}, ...]}}

- DAGM's generator writes "Train" and "Test": the names of the parts count in any case.
- Those of the medical sets write absolute paths of their authors' machine: such a path is taken from the root's own folder name
  on; where that leads nowhere it is reported.
- Most pair masks by position, so that one surplus file shifts every pair after it: a mask that by its name belongs to another
  listed picture is reported and not used.
- Image-level sets list abnormal pictures with an empty mask path: see `drop_lost_masks`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from oddlens.data.files import drop_lost_masks, stems_of
from oddlens.data.layouts.base import Layout
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.errors import DataError
from oddlens.paths import exists, is_file

NAME = "meta.json"
SPLIT_OF: Mapping[str, Split] = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
MASK_SUFFIXES = ("", "_mask", "_label", "_gt", "_segmentation")
ABSOLUTE = re.compile(r"/|[A-Za-z]:/")


def _file(root: Path) -> Path:
    return root if is_file(root) else root / NAME


def _load(meta: Path) -> dict[str, dict[str, list[Any]]]:
    try:
        listing = json.loads(meta.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise DataError(f"{meta} is not readable as JSON ({error}): generate it again or remove it.") from error
    parts = listing.values() if isinstance(listing, dict) else [None]
    if not all(
        isinstance(part, dict) and all(isinstance(entries, list) for entries in part.values()) for part in parts
    ):
        raise DataError(
            f'{meta} is not a listing of the form {{"test": {{category: [entries]}}}}: correct or remove it.'
        )
    return dict(listing)


def _entries(meta: Path, problems: list[Problem]) -> Iterator[tuple[Split, str, dict[str, Any]]]:
    for part, categories in _load(meta).items():
        split = SPLIT_OF.get(part.casefold())
        if split is None:
            problems.append(
                Problem(meta, "row-invalid", f'{meta} has a part "{part}", which is none of {", ".join(SPLIT_OF)}.')
            )
            continue
        for category, entries in categories.items():
            for number, entry in enumerate(entries):
                if _is_whole(entry):
                    yield split, category, entry
                else:
                    sentence = f'Entry {number} of "{part}", "{category}" in {meta} lacks a path as text or an anomaly of 0 or 1.'
                    problems.append(Problem(meta, "row-invalid", sentence))


def _is_whole(entry: object) -> bool:
    if not isinstance(entry, dict) or not entry.get("img_path") or entry.get("anomaly") not in (0, 1):
        return False
    return all(isinstance(entry.get(key) or "", str) for key in ("img_path", "mask_path", "specie_name"))


def _locate(root: Path, listed: str) -> Path:
    listed = listed.replace("\\", "/")
    if not ABSOLUTE.match(listed) or exists(Path(listed)):
        return root / listed
    parts = Path(listed).parts
    tails = [root.joinpath(*parts[i + 1 :]) for i, part in enumerate(parts) if part.casefold() == root.name.casefold()]
    return next((tail for tail in tails if exists(tail)), Path(listed))


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    meta, records = _file(root), []
    for split, category, entry in _entries(meta, problems):
        image = _locate(meta.parent, entry["img_path"])
        if not is_file(image):
            problems.append(Problem(image, "image-missing", f"{meta} lists {image}, which is not there."))
            continue
        if entry["anomaly"]:
            mask = _locate(meta.parent, entry["mask_path"]) if entry.get("mask_path") else None
            records.append(Record(image, mask, 1, category, entry.get("specie_name") or "anomaly", split))
        else:
            records.append(Record(image, None, 0, category, NORMAL, split))
    names = {(record.image.parent, record.image.stem.casefold()) for record in records}
    return [_with_its_own_mask(record, names, problems) for record in drop_lost_masks(records, problems)]


def _with_its_own_mask(record: Record, names: set[tuple[Path, str]], problems: list[Problem]) -> Record:
    image, mask = record.image, record.mask
    if mask is None:
        return record
    if mask.parent.name.casefold() == image.stem.casefold():  # MVTec LOCO: a folder of masks, of which one is listed
        return replace(record, mask=mask.parent)
    stems = stems_of(mask, MASK_SUFFIXES)
    if image.stem.casefold() not in stems and any((image.parent, stem) in names for stem in stems):
        sentence = f"The mask {mask} is listed for {image} but by its name belongs to another image, so it is not used."
        problems.append(Problem(image, "mask-mismatched", sentence))
        return replace(record, mask=None)
    return record


LAYOUT = Layout("meta-json", NAME, lambda root: _file(root).name == NAME and is_file(_file(root)), _read)
