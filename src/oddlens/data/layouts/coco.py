"""Images with annotations in COCO's form, as label tools export them; an image on which nothing is drawn is normal.

    {train,valid,test}/_annotations.coco.json and the images beside it (Roboflow)
    annotations/instances_<name>.json and images/ or images/<name>/ or <name>/ (CVAT, COCO)
    result.json and images/ (Label Studio)

The root is the folder of them, or one such file. The name of the file or of its folder says the split; without such a name
everything is test. Files are known by `NAMES`; one of another name is given as the root.
"""

import re
from fnmatch import fnmatch
from pathlib import Path

from oddlens.data.annotations import read_annotations
from oddlens.data.coco import Coco
from oddlens.data.files import annotations_in, images_in, split_folders
from oddlens.data.layouts.base import Layout
from oddlens.data.layouts.labelled_pairs import kind_of
from oddlens.data.listing import absence, locate
from oddlens.data.problem import Loss, Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.data.words import split_of
from oddlens.errors import DataError
from oddlens.io.paths import is_file

NAMES = ("*coco*.json", "instances*.json", "annotations.json", "result.json")


def _files(root: Path) -> list[Path]:
    if is_file(root):
        return [root] if root.suffix.lower() == ".json" else []
    folders = [root, root / "annotations", *(folder for folder, _ in split_folders(root))]
    listed = (file for folder in folders for file in annotations_in(folder))
    return [file for file in listed if any(fnmatch(file.name.lower(), name) for name in NAMES) and _is_coco(file)]


def _is_coco(file: Path) -> bool:
    try:
        return isinstance(read_annotations(file), Coco)
    except DataError:
        return "coco" in file.name.lower()  # reading it gives the error


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    category = root.stem if is_file(root) else root.name
    records = [record for file in _files(root) for record in _read_file(file, category, problems)]
    listed = {record.image for record in records}
    for folder in dict.fromkeys(image.parent for image in listed):
        for image in images_in(folder):
            if image not in listed:
                sentence = f"the image {image} is listed in no annotation file, so it is left out"
                problems.append(Problem(image, "image-loose", sentence))
    return records


def _read_file(file: Path, category: str, problems: list[Problem]) -> list[Record]:
    content = read_annotations(file)
    if not isinstance(content, Coco):
        raise DataError(f"{file} is the annotation of one image: give the folder of both")
    split, folders = _split(file), _folders(file)
    records: list[Record] = []
    for entry in content.entries:
        images = [locate(folder, entry.name) for folder in folders]
        image = next((each for each in images if is_file(each)), images[0])
        if reason := absence(image, file=True):
            sentence = f"{file} lists {image}, {reason}"
            problems.append(Problem(image, "image-missing", sentence, Loss(category, split)))
        elif entry.kinds:
            records.append(Record(image, file, 1, category, kind_of(entry.kinds), split))
        else:
            records.append(Record(image, None, 0, category, NORMAL, split))
    return records


def _split(file: Path) -> Split:
    words = [*re.findall(r"[a-z]+", file.stem.lower())[::-1], file.parent.name]
    return next((split for word in words if (split := split_of(word)) is not None), "test")


def _folders(file: Path) -> list[Path]:
    """Where the images of a file may lie: beside it, or in folders for them, of which some have the file's name."""
    here, name = file.parent, file.stem.removeprefix("instances_")
    above = here.parent if here.name == "annotations" else here
    return [*dict.fromkeys((here, above / "images", above / "images" / name, above / name, above))]


LAYOUT = Layout(
    name="coco",
    looks_for="an annotation file of COCO (_annotations.coco.json, instances_*.json, result.json) and its images",
    recognise=lambda root: bool(_files(root)),
    read=_read,
    supervised=True,
)
