"""Road scenes of a few known classes and some unknown ones, as CamVid-OOD is laid out: MVTec AD's tree and class labels beside it.

    <set>/{train,test}/good/<stem>.*    frames with nothing unknown, or a few pixels of it, which do not count
    <set>/test/ood/<stem>.*             frames with something unknown
    <set>/train/street/<stem>.*         frames to learn the known classes from; they may show the unknown, so that their labels
                                        leave it out: "unlabelled"
    <set>/labels/<split>_<folder>/<stem>.png    the class of every pixel
    <set>/classes.json                          the legend: {"classes": [...], "ood": [...], "ignore": ...}

Masks of the unknown and of what does not count, should there be any (ground_truth/, ignore/), say the same again and are not read.
"""

from pathlib import Path

from oddlens.data.files import folders_in, images_in, list_images, match_masks
from oddlens.data.layouts.base import by_category
from oddlens.data.layouts.label_files import ANOMALY, normal_frame, report_missing
from oddlens.data.legend import load_legend
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.io.paths import is_dir, is_file

LEGEND, LABELS = "classes.json", "labels"
SPLITS: tuple[Split, ...] = ("train", "test")
UNKNOWN = "ood"


def _is_set(folder: Path) -> bool:
    return is_file(folder / LEGEND) and is_dir(folder / LABELS)


def _read(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    legend = folder / LEGEND
    load_legend(legend)  # an error now is better than one a frame
    records = []
    for split in SPLITS:
        for kind in folders_in(folder / split):
            images = list_images(kind, problems)
            files = folder / LABELS / f"{split}_{kind.name}"
            labels = match_masks(images, images_in(files), ("",), problems)
            for image in images:
                file = labels.get(image)
                if file is None:
                    report_missing(image, f"in {files}", problems)
                records.append(_record(image, file, category, split, kind.name, legend))
    return records


def _record(image: Path, labels: Path | None, category: str, split: Split, kind: str, legend: Path) -> Record:
    if kind == NORMAL:
        return normal_frame(image, labels, category, split, legend)
    if kind == UNKNOWN:
        return Record(image, labels, 1, category, ANOMALY, split, labels, labels, legend)
    return Record(image, None, None, category, kind, "unlabelled", labels, labels, legend)


LAYOUT = by_category("camvid-ood", f"<set>/{LEGEND} and <set>/{LABELS}", _is_set, _read)
