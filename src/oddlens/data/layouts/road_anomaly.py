"""RoadAnomaly (Lis et al., ICCV 2019): 60 images of unusual objects on the road, in one of two forms; everything is test.

frame_list.json    frames/<stem>.jpg    frames/<stem>.labels/labels_semantic.png    (the release: 2 is the anomaly)
original/<stem>.jpg    labels/<stem>.png    (as others handed it on: 1 is the anomaly)
"""

from pathlib import Path

from oddlens.data.files import images_in, list_images, match_masks
from oddlens.data.layouts.base import by_category
from oddlens.data.layouts.label_files import labelled_frames, report_left_out
from oddlens.data.listing import absence, locate, read_json
from oddlens.data.problem import Loss, Problem
from oddlens.data.record import Record
from oddlens.errors import DataError
from oddlens.io.paths import is_dir, is_file

LISTING, FRAMES = "frame_list.json", "frames"
IMAGES, LABELS = "original", "labels"


def _is_release(folder: Path) -> bool:
    return is_file(folder / LISTING) and is_dir(folder / FRAMES)


def _is_set(folder: Path) -> bool:
    return _is_release(folder) or bool(images_in(folder / IMAGES) and images_in(folder / LABELS))


def _listed(listing: Path) -> list[str]:
    names = read_json(listing)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{listing} is not a list of file names: correct it")
    return names


def _read(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    if _is_release(folder):
        frames = _of_release(folder, category, problems)
    else:
        images = list_images(folder / IMAGES, problems)
        labels = match_masks(images, images_in(folder / LABELS), ("",), problems)
        frames = [(image, labels[image], "ood") for image in images if image in labels]
        for image in images:
            if image not in labels:
                report_left_out(image, str(folder / LABELS / f"{image.stem}.png"), category, "test", problems)
    return labelled_frames(frames, category, "test", problems, all_abnormal=True)


def _of_release(folder: Path, category: str, problems: list[Problem]) -> list[tuple[Path, Path, str]]:
    frames = []
    for name in _listed(folder / LISTING):
        image = locate(folder / FRAMES, name)
        if reason := absence(image, file=True):
            sentence = f"{folder / LISTING} lists {image}, {reason}"
            problems.append(Problem(image, "image-missing", sentence, Loss(category, "test")))
            continue
        labels = image.with_suffix(".labels") / "labels_semantic.png"
        if not is_file(labels):
            report_left_out(image, str(labels), category, "test", problems)
        else:
            frames.append((image, labels, "road-anomaly"))
    return frames


LAYOUT = by_category(
    "road-anomaly",
    f"{LISTING} and {FRAMES}/, or {IMAGES}/ and {LABELS}/",
    _is_set,
    _read,
    citations=("lis2019detecting",),
)
