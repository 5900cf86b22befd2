"""HeadCT as published (Kitamura, "Head CT - hemorrhage"): an image-level set whose labels are a table; everything is test.

    labels.csv: id, hemorrhage (0 | 1)    head_ct/head_ct/<id>.png, with leading zeros

(AnomalyCLIP's rearrangement of it, brain/test/{good,...}, is the layout "mvtec".)
"""

from pathlib import Path

from oddlens.data.files import list_images
from oddlens.data.layouts.base import Layout
from oddlens.data.listing import read_table
from oddlens.data.problem import Loss, Problem
from oddlens.data.record import NORMAL, Record
from oddlens.data.words import label_of
from oddlens.io.paths import is_dir, is_file

TABLE = "labels.csv"


def _folder(root: Path) -> Path:
    nested = root / "head_ct" / "head_ct"
    return nested if is_dir(nested) else root / "head_ct"


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    table, folder = root / TABLE, _folder(root)
    labels: dict[str, int] = {}
    for number, row in read_table(table):
        name, label = row.get("id", ""), label_of(row.get("hemorrhage"))
        if name.isdecimal() and label is not None:
            labels[name.lstrip("0")] = label
        else:
            sentence = f"line {number} of {table} is not an id and a hemorrhage of 0 or 1"
            problems.append(Problem(table, "row-invalid", sentence, Loss(root.name, "test")))
    records = []
    for image in list_images(folder, problems):
        known = labels.pop(image.stem.lstrip("0"), None)
        if known is None:
            problems.append(Problem(image, "row-invalid", f"{table} has no label for {image}, so it is left out"))
        else:
            records.append(Record(image, None, known, root.name, "hemorrhage" if known else NORMAL, "test"))
    for name in labels:
        sentence = f"{table} lists the id {name or 0}, which has no image in {folder}"
        problems.append(Problem(table, "image-missing", sentence, Loss(root.name, "test")))
    return records


LAYOUT = Layout("head-ct", f"{TABLE} and head_ct/", lambda root: is_file(root / TABLE) and is_dir(_folder(root)), _read)
