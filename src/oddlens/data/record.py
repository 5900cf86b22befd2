"""One image of a data set and what is known about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Split = Literal["train", "validation", "test", "unlabelled"]
SPLITS: tuple[Split, ...] = get_args(Split)

NORMAL = "good"
"""The defect name of a normal image in every layout; its own folder may have another name."""


@dataclass(frozen=True, slots=True)
class Record:
    """One image of a data set: paths and labels only, no pixels.

    Attributes:
        image: The image's file.
        mask: Where its defect is drawn: an image file, or a folder whose image files count together (MVTec LOCO draws one
            file a defect). None for a normal image, and for an abnormal one without a mask.
        label: 0 normal, 1 abnormal, None if the data set has no label (split "unlabelled").
        category: The data set's own word for what is on the image ("bottle").
        defect: The defect type ("crack"); "good" for a normal image.
        split: "train" (normal images, unless the set is a supervised one), "validation" (normal images set aside),
            "test", or "unlabelled".
        ignore: A mask of the pixels that count neither as normal nor as abnormal; None = every pixel counts.
        classes: A label file with the known class of every pixel (`read_classes`); None = there are no class labels.
        legend: What the values of `mask`, `ignore` and `classes` mean, which may then be one and the same file: a name of
            `legend.LEGENDS`, or a JSON file in that form; None = values above 0 are marked.
    """

    image: Path
    mask: Path | None
    label: int | None
    category: str
    defect: str
    split: Split
    ignore: Path | None = None
    classes: Path | None = None
    legend: str | Path | None = None
