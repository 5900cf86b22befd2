"""Lost and Found (Pinggera et al., IROS 2016): small obstacles on the road, in Cityscapes' tree; a supervised set.

    leftImg8bit/{train,test}/<NN_place>/<stem>_leftImg8bit.png
    gtCoarse/{train,test}/<NN_place>/<stem>_gtCoarse_labelIds.png    (or ..._gtCoarse_labelTrainIds.png)

Only the free road and the obstacles on it count. The label ids are read where they are there: all objects are obstacles then, as
in SegmentMeIfYouCan's toolkit. The training ids leave out those that are no hazard.
"""

import re
from pathlib import Path

from oddlens.data.files import folders_in
from oddlens.data.layouts.base import by_category
from oddlens.data.layouts.cityscapes import IMAGES, frames, label_file, report_orphans
from oddlens.data.layouts.label_files import labelled_frames, report_left_out
from oddlens.data.problem import Problem
from oddlens.data.record import Record, Split
from oddlens.io.paths import is_dir

LABELS = "gtCoarse"
SPLITS: tuple[Split, ...] = ("train", "test")
LEGENDS = {"labelIds": "lost-and-found", "labelTrainIds": "lost-and-found-train-ids"}
PLACE = re.compile(r"\d\d_.+")
"""Cityscapes has coarse labels too, but its folders are called after cities, without a number."""


def _is_set(folder: Path) -> bool:
    places = (place for split in SPLITS for place in folders_in(folder / LABELS / split))
    return is_dir(folder / IMAGES) and any(PLACE.fullmatch(place.name) for place in places)


def _read(folder: Path, category: str, problems: list[Problem]) -> list[Record]:
    records = []
    for split in SPLITS:
        labelled = []
        for image, place, stem in frames(folder, split, problems):
            labels = folder / LABELS / split / place
            found = label_file(labels, LABELS, LEGENDS, stem)
            if found is None:
                report_left_out(image, f"in {labels}", category, split, problems)
            else:
                labelled.append((image, *found))
        report_orphans(folder, LABELS, split, problems)
        records += labelled_frames(labelled, category, split, problems)
    return records


LAYOUT = by_category(
    "lost-and-found",
    f"{IMAGES}/ and {LABELS}/<split>/<NN_place>",
    _is_set,
    _read,
    supervised=True,
    citations=("pinggera2016lost",),
)
