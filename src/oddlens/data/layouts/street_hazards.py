"""StreetHazards (Hendrycks et al., ICML 2022): streets rendered with 13 known classes, and with unknown objects in the test set.

    train/images/{training,validation}/<town>/<n>.png    train/annotations/{training,validation}/<town>/<n>.png
    test/images/test/<town>/<n>.png                      test/annotations/test/<town>/<n>.png

The frames to train and to validate with show no unknown object.
"""

from pathlib import Path

from oddlens.data.files import folders_in, images_in, list_images, report_orphan
from oddlens.data.layouts.base import by_category
from oddlens.data.layouts.label_files import labelled_frames, normal_frame, report_left_out
from oddlens.data.problem import Problem
from oddlens.data.record import Record, Split
from oddlens.io.paths import is_dir, is_file

LEGEND = "street-hazards"
PARTS: tuple[tuple[str, str, Split], ...] = (
    ("train", "training", "train"),
    ("train", "validation", "validation"),
    ("test", "test", "test"),
)


def _is_set(folder: Path) -> bool:
    return any(
        is_dir(folder / archive / "images" / part) and is_dir(folder / archive / "annotations" / part)
        for archive, part, _ in PARTS
    )


def _read(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    records = []
    for archive, part, split in PARTS:
        pairs = []
        for town in folders_in(folder / archive / "images" / part):
            images, annotations = list_images(town, problems), folder / archive / "annotations" / part / town.name
            stems = {image.stem for image in images}
            for file in images_in(annotations):
                if file.stem not in stems:
                    report_orphan(file, problems)
            for image in images:
                labels = annotations / f"{image.stem}.png"
                if is_file(labels):
                    pairs.append((image, labels))
                else:
                    report_left_out(image, str(labels), category, split, problems)
        if split == "test":
            frames = ((image, labels, LEGEND) for image, labels in pairs)
            records += labelled_frames(frames, category, split, problems)
        else:
            records += [normal_frame(image, labels, category, split, LEGEND) for image, labels in pairs]
    return records


LAYOUT = by_category(
    "street-hazards",
    "train/annotations/training or test/annotations/test, and images/ beside",
    _is_set,
    _read,
    citations=("hendrycks2022scaling",),
)
