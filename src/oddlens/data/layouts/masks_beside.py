"""Images with their masks beside them in one folder, as label tools export them. An image whose mask is black is normal.

    [{train|valid|test}/]<stem>.*    [{train|valid|test}/]<stem>_mask.*, or <stem>.json of labelme

A folder good/ (ok/, normal/) beside them holds normal images. Without folders of splits everything is test. Masks are read when
the set is opened.
"""

from pathlib import Path

from oddlens.data.files import list_images, masks_beside, normal_folders, split_folders
from oddlens.data.layouts.base import Layout
from oddlens.data.layouts.labelled_pairs import read_labelled_pairs
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record, Split


def _places(root: Path) -> list[tuple[Path, Split]]:
    own: list[tuple[Path, Split]] = [(root, "test")]
    return [(place, split) for place, split in own + split_folders(root) if masks_beside(place)]


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    records = []
    for place, split in _places(root):
        images = list_images(place, problems)
        records += read_labelled_pairs(images, masks_beside(place), root.name, split, problems)
    for folder in normal_folders(root):
        records += [Record(image, None, 0, root.name, NORMAL, "test") for image in list_images(folder, problems)]
    return records


LAYOUT = Layout(
    name="masks-beside",
    looks_for="<stem>_mask.* beside <stem>.*, or labelme's <stem>.json",
    recognise=lambda root: bool(_places(root)),
    read=_read,
    supervised=True,
)
