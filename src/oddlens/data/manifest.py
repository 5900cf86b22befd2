"""A data set as one file: a table of its records, in JSON lines or CSV.

One record a line, with the fields of `Record` as keys or columns; paths are relative to the manifest's folder:

    {"image": "test/crack/000.png", "mask": "masks/000.png", "label": 1, "category": "bottle", "defect": "crack", "split": "test"}

Required are `image` and, unless the split is "unlabelled", `label`: 0 or normal, 1 or abnormal, as `words.label_of` reads them.
The defaults of the others: no mask, the folder's name as category, "good" or "anomaly" as defect, split "test". A manifest pairs
masks explicitly: their names need not match. A "legend" is one of `legend.LEGENDS`, or the path of a file.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from oddlens.data.dataset import Dataset
from oddlens.data.legend import LEGENDS
from oddlens.data.listing import absence, drop_lost_masks, locate, read_table, read_text
from oddlens.data.problem import Loss, Problem
from oddlens.data.record import NORMAL, SPLITS, Record, Split
from oddlens.data.words import label_of, split_of
from oddlens.errors import DataError, UsageError, nearest
from oddlens.io.atomic import write_text
from oddlens.io.paths import is_file
from oddlens.io.strict_json import parse_json

SUFFIXES = (".jsonl", ".csv")
TEXTS = ("image", "mask", "category", "defect", "split", "ignore", "classes", "legend")
"""The fields that are text."""


def write_manifest(dataset: Dataset, path: str | Path) -> None:
    """Write the records of a data set as JSON lines, their paths relative to the file's folder; whole or not at all.

    Raises:
        UsageError: The name does not end in .jsonl.
        OddlensError: The file cannot be written.
    """
    if Path(path).suffix != ".jsonl":
        raise UsageError(
            f"{path} does not end in .jsonl, as a manifest of JSON lines must to be opened again: rename it"
        )
    folder = Path(path).absolute().parent
    write_text(path, "".join(_line(record, folder) + "\n" for record in dataset))


def manifest_hash(dataset: Dataset) -> str:
    """SHA-256 (hex) of the records of a data set, in any order, wherever it lies.

    Paths count relative to the data set's root; the images' bytes do not count.
    """
    lines = sorted(_line(record, dataset.root) for record in dataset)
    return hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()


def read_manifest(path: Path, problems: list[Problem]) -> list[Record]:
    """The records of a manifest, .jsonl or .csv by its suffix; faulty lines and files become `problems`.

    Raises:
        DataError: The file cannot be read, is no text, or is a table without a column "image".
    """
    records = []
    for number, row in _rows(path):
        where = f"line {number} of {path}"
        if isinstance(row, str):
            problems.append(Problem(path, "row-invalid", f"{where} is {row}"))
            continue
        if fault := _fault(row):
            problems.append(Problem(path, "row-invalid", f"{where} has {fault}", _loss(row, path.parent)))
            continue
        record = _record(row, path.parent)
        if reason := absence(record.image, file=True):
            sentence = f"{where} lists {record.image}, {reason}"
            loss = None if record.label is None else Loss(record.category, record.split)
            problems.append(Problem(record.image, "image-missing", sentence, loss))
        elif isinstance(record.legend, Path) and not is_file(record.legend):
            sentence = f"{where} names the legend {record.legend}, neither one of ours nor a file"
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


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    """The rows with their line numbers; of a line that is none, what it is instead."""
    if path.suffix == ".csv":
        table = read_table(path)
        if table and "image" not in table[0][1]:
            columns = ", ".join(filter(None, table[0][1]))
            raise DataError(f'{path} has no column "image": it has {columns or "none"}; rename the one with the paths')
        yield from table
        return
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            try:
                row = parse_json(line)
            except ValueError as error:
                yield number, f"no JSON ({error})"
            else:
                yield number, row if isinstance(row, dict) else "no JSON object"


def _fault(row: Mapping[str, object]) -> str | None:
    """What is wrong with a row, as the rest of a sentence that ends "... has"; None if nothing."""
    no_text = next((key for key in TEXTS if not isinstance(row.get(key), str | None)), None)
    if no_text is not None:
        return f"the {no_text} {_shown(row[no_text])}, which is no text"
    if not row.get("image"):
        return "no image"
    if row.get("classes") and not row.get("legend"):
        return "classes, but no legend that says what their values mean"
    split = _split(row)
    if split is None:
        return f"the split {_shown(row['split'])}, which is none of {', '.join(SPLITS)}{nearest(row['split'], SPLITS)}"
    if split != "unlabelled" and label_of(row.get("label")) is None:
        label = row.get("label")
        given = "no label" if label in (None, "") else f"the label {_shown(label)}"
        return f"{given}: give 0 (normal) or 1 (abnormal)"
    return None


def _loss(row: Mapping[str, object], folder: Path) -> Loss:
    """What figures lack for a faulty row, as far as it says where it belongs."""
    category = row.get("category")
    return Loss(category if isinstance(category, str) and category else folder.name, _split(row) or "test")


def _split(row: Mapping[str, object]) -> Split | None:
    word = str(row.get("split") or "test")
    return "unlabelled" if word.casefold() in ("unlabelled", "unlabeled") else split_of(word)


def _shown(value: object) -> str:
    """A value of a listing inside a sentence, in quotes and cut short."""
    text = repr(value) if not isinstance(value, str) else value
    return f'"{text[:40]}{"..." if len(text) > 40 else ""}"'


def _record(row: Mapping[str, object], folder: Path) -> Record:
    split = _split(row)
    assert split is not None  # or the row has a fault
    label = None if split == "unlabelled" else label_of(row["label"])
    texts = {key: str(row.get(key) or "") for key in TEXTS}
    mask, ignore, classes = (
        locate(folder, texts[key]) if texts[key] else None for key in ("mask", "ignore", "classes")
    )
    legend: str | Path | None = texts["legend"] or None
    if isinstance(legend, str) and legend not in LEGENDS:
        legend = locate(folder, legend)
    defect = texts["defect"] or {0: NORMAL, 1: "anomaly", None: "unknown"}[label]
    category = texts["category"] or folder.name
    return Record(locate(folder, texts["image"]), mask, label, category, defect, split, ignore, classes, legend)
