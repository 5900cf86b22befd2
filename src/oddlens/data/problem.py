"""What can be wrong with a data set on disk."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from oddlens.data.record import Split
from oddlens.errors import as_argument, counted, first_and_more, one_line, printable

ProblemKind = Literal[
    "abnormal-in-train",
    "category-empty",
    "folder-empty",
    "folder-unknown",
    "image-doubtful",
    "image-format",
    "image-loose",
    "image-missing",
    "image-repeated",
    "image-shared",
    "image-unreadable",
    "mask-empty",
    "mask-inverted",
    "mask-missing",
    "mask-mismatched",
    "mask-not-binary",
    "mask-of-normal",
    "mask-orphan",
    "mask-size",
    "mask-unreadable",
    "name-duplicate",
    "row-invalid",
    "test-empty",
]


def problems_found(name: str, count: int, place: object, left_out: Sequence[str] = ()) -> list[str]:
    """That opening a data set found problems, in sentences; none without problems.

    Args:
        name: What it is called.
        count: The number of its problems.
        place: What opens it, for what looks for all problems: no image or mask is read to open one. None: it is not known.
        left_out: See `folders_left_out`.
    """
    said = []
    if left_out:
        said.append(
            f"{name}: the images of {counted(len(left_out), 'folder')} are left out ({printable(first_and_more(left_out, 3))}), "
            "not laid out as categories are here: give a data set of its own by its own path"
        )
    if count:
        check = "'oddlens data check'" if place is None else f"'oddlens data check {as_argument(place)}'"
        said.append(
            f"{name}: {counted(count, 'problem')} found without reading its images: {check} reads them and lists all problems"
        )
    return said


@dataclass(frozen=True, slots=True)
class Loss:
    """What the figures of a category lack.

    Attributes:
        category: The category.
        split: The split that lacks an image, or what is known of one.
        left_out: Nobody says what the image shows, so that it is left out. Else a file that belongs to the data set cannot be read:
            figures without it would be those of another data set.
    """

    category: str
    split: Split
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a data set.

    Attributes:
        path: The file or folder at fault.
        kind: The kind of fault, for programs.
        sentence: What is wrong, for people: lower case, without a full stop, as in errors.
        loss: What figures lack for it; None: nothing that is known.
    """

    path: Path
    kind: ProblemKind
    sentence: str
    loss: Loss | None = None

    def __post_init__(self) -> None:
        """Bring the sentence to one line, with any names in it."""
        object.__setattr__(self, "sentence", one_line(self.sentence))


def losses(problems: Iterable[Problem], *splits: Split, category: str | None = None, left_out: bool) -> list[Problem]:
    """What splits of a category (None: of all) lack, see `Loss`: images that are left out, or files that cannot be read."""
    return [
        each
        for each in problems
        if each.loss is not None
        and each.loss.split in splits
        and each.loss.left_out == left_out
        and category in (None, each.loss.category)
    ]


def first_of(problems: Sequence[Problem]) -> str:
    """The sentence of the first problem, and how many more there are."""
    others = f" ({len(problems) - 1} more problems like this one)" if problems[1:] else ""
    return f"{problems[0].sentence}{others}"


def folders_left_out(problems: Iterable[Problem]) -> list[str]:
    """The names of the folders whose images are no part of a data set. problems: of the data set."""
    return [each.path.name for each in problems if each.kind == "folder-unknown"]
