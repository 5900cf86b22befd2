"""Fishyscapes Lost and Found, its public validation set (Blum et al., IJCV 2021): own labels for 100 frames of Lost and Found.

    fishyscapes_lostandfound/<NNNN>_<stem>_labels.png    (the release)
    [dataset_FishyLAF/]labels/[val/]<stem>_fishy-labels.png    (SegmentMeIfYouCan's form of it)

The frames come from Lost and Found, and lie in its tree or all together:

    [<any folder>/]leftImg8bit/<split>/<place>/<stem>_leftImg8bit.png    or    {laf_images,images}/<stem>_leftImg8bit.*
"""

import re
from pathlib import Path

from oddlens.data.files import images_in, report_orphan
from oddlens.data.layouts.base import Layout
from oddlens.data.layouts.label_files import labelled_frames
from oddlens.data.problem import Loss, Problem
from oddlens.data.record import Record
from oddlens.io.paths import matching

RELEASE = "fishyscapes_lostandfound"
TOOLKIT = ("labels", "labels/val", "dataset_FishyLAF/labels", "dataset_FishyLAF/labels/val")
NAMES = {RELEASE: re.compile(r"\d{4}_(.+)_labels")} | dict.fromkeys(TOOLKIT, re.compile(r"(.+)_fishy-labels"))
FRAMES = ("laf_images/*", "images/*", "leftImg8bit/*/*/*", "*/leftImg8bit/*/*/*")
SUFFIX = "_leftImg8bit"


def _labels(root: Path) -> list[tuple[Path, str]]:
    """The label files, each with the stem of its frame."""
    files = ((file, name) for folder, name in NAMES.items() for file in images_in(root / folder))
    return [(file, match[1]) for file, name in files if (match := name.fullmatch(file.stem))]


def _read(root: Path, problems: list[Problem]) -> list[Record]:
    images = {
        path.stem.removesuffix(SUFFIX): path
        for pattern in FRAMES
        for path in matching(root, pattern)
        if path.stem.endswith(SUFFIX)
    }
    frames = []
    files = dict(_labels(root))
    for folder in dict.fromkeys(file.parent for file in files):
        for other in images_in(folder):
            if other not in files:
                report_orphan(other, problems, "it is not called like the label files beside it")
    for labels, stem in files.items():
        if stem in images:
            frames.append((images[stem], labels, "ood"))
        else:
            sentence = f"the frame {stem}{SUFFIX} of {labels} is not below {root}: it is one of Lost and Found, put that beside"
            problems.append(Problem(labels, "image-missing", sentence, Loss(root.name, "test")))
    return labelled_frames(frames, root.name, "test", problems)


LAYOUT = Layout(
    "fishyscapes-laf",
    f"{RELEASE}/<NNNN>_<stem>_labels.png",
    lambda root: bool(_labels(root)),
    _read,
    citations=("blum2021fishyscapes", "pinggera2016lost"),
)
