"""One picture of a data set and what is known about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Split = Literal["train", "validation", "test", "unlabelled"]
SPLITS: tuple[Split, ...] = get_args(Split)

NORMAL = "good"
"""The defect name of a normal picture in every layout, whatever its own folder is called."""


@dataclass(frozen=True, slots=True)
class Record:
    """One picture of a data set: paths and labels only, no pixels.

    - `image`: the picture's file.
    - `mask`: where its defect is drawn: an image file, or a folder whose image files count together (MVTec LOCO draws one
      file a defect). None for a normal picture, and for an abnormal one that nobody has drawn.
    - `label`: 0 normal, 1 abnormal, None where the data set does not tell (split "unlabelled").
    - `category`: the data set's own word for what is on the picture ("bottle").
    - `defect`: the kind of defect ("crack"); "good" for a normal picture.
    - `split`: "train" (normal pictures, unless the set is a supervised one), "validation" (normal pictures kept aside), "test",
      or "unlabelled".
    - `ignore`: a mask of the pixels that count neither as normal nor as abnormal; None = every pixel counts.
    - `classes`: a label file that tells the known class of every pixel (`read_classes`); None = nobody has told them.
    - `legend`: what the values of `mask`, `ignore` and `classes` mean, which may then be one and the same file: the name of one
      of `legend.LEGENDS`, or a JSON file of such; None = what is above 0 is marked.
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
