"""The COVID-19 Radiography Database: an image-level set, everything is test.

<class>/images/*.png, the class "Normal" is normal and every other is a defect. <class>/masks/ outlines the lungs, not a defect,
and is not read. (The first edition has the images directly in the class folders: that is the layout "folder".)
"""

from pathlib import Path

from oddlens.data.files import child, folders_in, list_images
from oddlens.data.layouts.base import Layout
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record
from oddlens.io.paths import is_dir


def _recognise(root: Path) -> bool:
    normal = child(root, "Normal")
    return normal is not None and is_dir(normal / "images")


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    records = []
    for folder in folders_in(root):
        if is_dir(folder / "images"):
            abnormal = folder.name.casefold() != "normal"
            defect = folder.name if abnormal else NORMAL
            for image in list_images(folder / "images", problems):
                records.append(Record(image, None, int(abnormal), root.name, defect, "test"))
    return records


LAYOUT = Layout("covid", "Normal/images and <class>/images", _recognise, _read)
