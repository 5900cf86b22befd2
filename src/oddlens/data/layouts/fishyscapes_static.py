"""Fishyscapes Static, its public validation set (Blum et al., IJCV 2021): objects pasted into frames of Cityscapes.

    fs_val_v<n>/<NNNN>_<stem>_labels.png
    fs_static_images_v<n>/<NNNN>_<stem>_rgb.png    (or beside the labels)

The release holds the differences to frames of Cityscapes, in .npz files; the images have to be made of them first. Every version
is a category.
"""

import re
from pathlib import Path

from oddlens.data.files import folders_in, images_in, report_orphan
from oddlens.data.layouts.base import Layout
from oddlens.data.layouts.label_files import labelled_frames
from oddlens.data.problem import Loss, Problem
from oddlens.data.record import Record

LABEL_FOLDER = re.compile(r"fs_val(_v\d+)?")
LABELS, IMAGE = "_labels", "_rgb"


def _versions(root: Path) -> list[Path]:
    return [folder for folder in (root, *folders_in(root)) if LABEL_FOLDER.fullmatch(folder.name)]


def _read_version(folder: Path, problems: list[Problem]) -> list[Record]:
    made = folder.parent / folder.name.replace("fs_val", "fs_static_images")
    images = {file.stem: file for file in (*images_in(folder), *images_in(made)) if file.stem.endswith(IMAGE)}
    frames = []
    for labels in images_in(folder):
        if labels.stem.endswith(LABELS):
            name = labels.stem.removesuffix(LABELS) + IMAGE
            if name in images:
                frames.append((images[name], labels, "ood"))
            else:
                places = f"neither in {folder} nor in {made}"
                sentence = f"the image {name} of {labels} is {places}: add its difference to the frame of Cityscapes"
                problems.append(Problem(labels, "image-missing", sentence, Loss(folder.name, "test")))
        elif not labels.stem.endswith(IMAGE):
            report_orphan(labels, problems, f"it ends neither in {LABELS} nor in {IMAGE}")
    return labelled_frames(frames, folder.name, "test", problems)


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    return [record for folder in _versions(root) for record in _read_version(folder, problems)]


LAYOUT = Layout(
    "fishyscapes-static",
    "fs_val_v<n>/",
    lambda root: bool(_versions(root)),
    _read,
    citations=("blum2021fishyscapes", "cordts2016cityscapes"),
)
