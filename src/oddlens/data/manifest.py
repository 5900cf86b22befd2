"""A data set as one file: a table of its records, in JSON lines or CSV.

One record a line, with the fields of `Record` as keys or columns; paths are relative to the manifest's folder:

    {"image": "test/crack/000.png", "mask": "masks/000.png", "label": 1, "category": "bottle", "defect": "crack", "split": "test"}

Needed are `image` and, unless the split is "unlabelled", `label` (0 normal, 1 abnormal). Without the others: no mask, the
folder's name as category, "good" or "anomaly" as defect, split "test". A manifest means what it says: its masks are not held
against names. A "legend" is the name of one of ours, or the path of a file.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from oddlens.atomic import write_text
from oddlens.data.dataset import Dataset
from oddlens.data.files import drop_lost_masks, read_table
from oddlens.data.legend import LEGENDS
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, SPLITS, Record, Split
from oddlens.errors import DataError, UsageError
from oddlens.paths import is_file

SUFFIXES = (".jsonl", ".csv")


def write_manifest(dataset: Dataset, path: str | Path) -> None:
    """Write the records of a data set as JSON lines, their paths relative to the file's folder; whole or not at all.

    Raises:
        UsageError: the name does not end in .jsonl.
        OddlensError: the file cannot be written.
    """
    if Path(path).suffix != ".jsonl":
        raise UsageError(
            f"{path} does not end in .jsonl, as a manifest of JSON lines must to be opened again: rename it."
        )
    folder = Path(path).absolute().parent
    write_text(path, "".join(_line(record, folder) + "\n" for record in dataset))


def manifest_hash(dataset: Dataset) -> str:
    """SHA-256 (hex) of which pictures a data set holds and what it says about them, in any order, wherever it lies.

    Paths count relative to the data set's root; the pictures' bytes do not count.
    """
    lines = sorted(_line(record, dataset.root) for record in dataset)
    return hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()


def read_manifest(path: Path, problems: list[Problem]) -> list[Record]:
    """The records of a manifest, .jsonl or .csv by its suffix; lines and files that are at fault go to `problems`.

    Raises:
        DataError: the file is not text in UTF-8.
    """
    records = []
    for number, row in _rows(path):
        fault = _fault(row)
        if fault:
            problems.append(Problem(path, "row-invalid", f"Line {number} of {path} {fault}."))
            continue
        record = _record(row, path.parent)
        if not is_file(record.image):
            sentence = f"Line {number} of {path} lists {record.image}, which is not there."
            problems.append(Problem(record.image, "image-missing", sentence))
        elif isinstance(record.legend, Path) and not is_file(record.legend):
            sentence = (
                f"Line {number} of {path} names the legend {record.legend}, which is neither one of ours nor a file."
            )
            problems.append(Problem(path, "row-invalid", sentence))
        else:
            records.append(record)
    return drop_lost_masks(records, problems)


def _line(record: Record, folder: Path) -> str:
    fields = {
        "image": _relative(record.image, folder),
        "mask": record.mask and _relative(record.mask, folder),
        "label": record.label,
        "category": record.category,
        "defect": record.defect,
        "split": record.split,
    }
    for key, path in (("ignore", record.ignore), ("classes", record.classes), ("legend", record.legend)):
        if path is not None:
            fields[key] = _relative(path, folder) if isinstance(path, Path) else path
    return json.dumps(fields)


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # Windows, on another drive
        return path.as_posix()


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    if path.suffix == ".csv":
        yield from read_table(path)
        return
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8: save it as such.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError:
                yield number, None


def _fault(row: Any) -> str | None:
    if not isinstance(row, dict):
        return "is no JSON object"
    texts = [row.get(key) for key in ("image", "mask", "category", "defect", "split", "ignore", "classes", "legend")]
    if not row.get("image") or not all(text is None or isinstance(text, str) for text in texts):
        return "has no image, or a field that should be text and is not"
    if row.get("classes") and not row.get("legend"):
        return "has classes, but no legend that says what their values mean"
    if _split(row) not in SPLITS:
        return f'has the split "{row["split"]}", which is none of {", ".join(SPLITS)}'
    if str(row.get("label")) not in ("0", "1") and _split(row) != "unlabelled":
        return "has no label of 0 or 1"
    return None


def _split(row: dict[str, Any]) -> Split:
    split: Split = row.get("split") or "test"
    return split


def _record(row: dict[str, Any], folder: Path) -> Record:
    label = None if _split(row) == "unlabelled" else int(row["label"])
    mask, ignore, classes = (folder / row[key] if row.get(key) else None for key in ("mask", "ignore", "classes"))
    legend = row.get("legend") or None
    if legend is not None and legend not in LEGENDS:
        legend = folder / legend
    defect = row.get("defect") or {0: NORMAL, 1: "anomaly", None: "unknown"}[label]
    category = row.get("category") or folder.name
    return Record(folder / row["image"], mask, label, category, defect, _split(row), ignore, classes, legend)
