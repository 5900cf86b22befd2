"""Cityscapes (Cordts et al., CVPR 2016): street scenes of 19 known classes; every frame is normal.

    leftImg8bit/{train,val,test}/<city>/<stem>_leftImg8bit.png
    gtFine/{train,val}/<city>/<stem>_gtFine_labelIds.png    (or ..._gtFine_labelTrainIds.png)

The official `val` is the split that everybody measures on, and is "test" here; the labels of `test` were never given out
(its files say "ignore" everywhere), so that it is "unlabelled".
"""

from collections.abc import Iterator
from pathlib import Path

from oddlens.data.files import folders_in, images_in, list_images, report_orphan
from oddlens.data.layouts.base import by_category
from oddlens.data.layouts.label_files import normal_frame, report_left_out, unlabelled_frame
from oddlens.data.problem import Problem
from oddlens.data.record import Record, Split
from oddlens.io.paths import is_dir, is_file

IMAGES, LABELS = "leftImg8bit", "gtFine"
SPLITS: tuple[tuple[str, Split], ...] = (("train", "train"), ("val", "test"))
LEGENDS = {"labelIds": "cityscapes", "labelTrainIds": "cityscapes-train-ids"}


def frames(folder: Path, split: str, problems: list[Problem]) -> Iterator[tuple[Path, str, str]]:
    """The images of a split in Cityscapes' tree, as (image, city, stem of its files)."""
    for city in folders_in(folder / IMAGES / split):
        for image in list_images(city, problems):
            if image.stem.endswith(f"_{IMAGES}"):
                yield image, city.name, image.stem.removesuffix(f"_{IMAGES}")


def label_file(folder: Path, kind: str, legends: dict[str, str], stem: str) -> tuple[Path, str] | None:
    """The label file of a frame, the first of the kinds there is, with the legend of its kind."""
    for suffix, legend in legends.items():
        file = folder / f"{stem}_{kind}_{suffix}.png"
        if is_file(file):
            return file, legend
    return None


def report_orphans(folder: Path, kind: str, split: str, problems: list[Problem]) -> None:
    """Report the images in a split's folder of labels that belong to no frame."""
    for city in folders_in(folder / kind / split):
        stems = {file.stem.removesuffix(f"_{IMAGES}") for file in images_in(folder / IMAGES / split / city.name)}
        for file in images_in(city):
            if file.stem.rpartition(f"_{kind}_")[0] not in stems:
                report_orphan(file, problems, f"none is called <stem>_{IMAGES} for its <stem>_{kind}_...")


def _is_set(folder: Path) -> bool:
    return is_dir(folder / IMAGES) and is_dir(folder / LABELS)


def _read(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    records = []
    for name, split in SPLITS:
        for image, city, stem in frames(folder, name, problems):
            labels = folder / LABELS / name / city
            found = label_file(labels, LABELS, LEGENDS, stem)
            if found is None:
                report_left_out(image, f"in {labels}", category, split, problems)
                records.append(unlabelled_frame(image, category))
            else:
                records.append(normal_frame(image, found[0], category, split, found[1]))
        report_orphans(folder, LABELS, name, problems)
    records += [unlabelled_frame(image, category) for image, _, _ in frames(folder, "test", problems)]
    return records


LAYOUT = by_category("cityscapes", f"{IMAGES}/ and {LABELS}/", _is_set, _read, citations=("cordts2016cityscapes",))
