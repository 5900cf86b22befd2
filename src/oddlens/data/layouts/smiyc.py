"""SegmentMeIfYouCan (Chan et al., NeurIPS 2021): RoadAnomaly21 and RoadObstacle21, a category each.

    dataset_AnomalyTrack/images/<stem>.jpg       dataset_AnomalyTrack/labels_masks/<stem>_labels_semantic.png
    dataset_ObstacleTrack/images/<stem>.webp     dataset_ObstacleTrack/labels_masks/<stem>_labels_semantic.png

Labels are public for the frames called `validation*`, and these are "test"; all others are "unlabelled".
"""

from pathlib import Path

from oddlens.data.files import images_in, list_images, match_masks
from oddlens.data.layouts.base import by_category
from oddlens.data.layouts.label_files import labelled_frames, unlabelled_frame
from oddlens.data.problem import Problem
from oddlens.data.record import Record
from oddlens.io.paths import is_dir

IMAGES, LABELS = "images", "labels_masks"
SUFFIX = "_labels_semantic"
COLOURED = f"{SUFFIX}_color"
"""How the images in colour end that lie beside the labels."""


def _is_track(folder: Path) -> bool:
    return is_dir(folder / IMAGES) and is_dir(folder / LABELS)


def _read_track(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    images = list_images(folder / IMAGES, problems)
    files = [file for file in images_in(folder / LABELS) if not file.stem.endswith(COLOURED)]
    labels = match_masks(images, files, (SUFFIX,), problems)
    labelled = [(image, labels[image], "ood") for image in images if image in labels]
    records = labelled_frames(labelled, category, "test", problems, all_abnormal=True)
    return records + [unlabelled_frame(image, category) for image in images if image not in labels]


LAYOUT = by_category(
    "smiyc", f"<track>/{IMAGES} and <track>/{LABELS}", _is_track, _read_track, citations=("chan2021segmentmeifyoucan",)
)
