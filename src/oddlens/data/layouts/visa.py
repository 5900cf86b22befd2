"""VisA as published (Zou et al., 2022): the split is a table.

    split_csv/1cls.csv: object, split, label (normal | anomaly), image, mask; paths relative to the root
    <object>/Data/Images/{Normal,Anomaly}/<stem>.JPG    <object>/Data/Masks/Anomaly/<stem>.png

The table says which images there are and what they are; masks are paired by stem in their folder, as everywhere. Their values
number the kinds of defect.
"""

from dataclasses import replace
from pathlib import Path

from oddlens.data.files import pair_masks
from oddlens.data.layouts.base import Layout
from oddlens.data.listing import absence, locate, read_table
from oddlens.data.problem import Loss, Problem
from oddlens.data.record import NORMAL, Record
from oddlens.data.words import is_normal_word, split_of
from oddlens.io.paths import is_file

TABLE = "split_csv/1cls.csv"


def _read_rows(root: Path, problems: list[Problem]) -> list[Record]:
    table, records = root / TABLE, []
    for number, row in read_table(table):
        category, label, name = row.get("object"), row.get("label"), row.get("image")
        split = split_of(row.get("split", ""))
        if not (category and label and name and split):
            sentence = f"line {number} of {table} lacks an object, a label, an image, or a split such as train or test"
            loss = Loss(category, split or "test") if category else None
            problems.append(Problem(table, "row-invalid", sentence, loss))
        elif reason := absence(image := locate(root, name), file=True):
            sentence = f"line {number} of {table} lists {image}, {reason}"
            problems.append(Problem(image, "image-missing", sentence, Loss(category, split)))
        elif is_normal_word(label):
            records.append(Record(image, None, 0, category, NORMAL, split))
        else:
            records.append(Record(image, None, 1, category, label, split))
    return records


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    records = _read_rows(root, problems)
    masks: dict[Path, Path] = {}
    for category in dict.fromkeys(record.category for record in records):
        abnormal = [record.image for record in records if record.category == category and record.label]
        masks |= pair_masks(abnormal, root / category / "Data" / "Masks" / "Anomaly", ("",), problems)
    return [replace(record, mask=masks.get(record.image)) for record in records]


LAYOUT = Layout("visa", TABLE, lambda root: is_file(root / TABLE), _read, citations=("zou2022spot",))
