"""What can be wrong with a data set on disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from oddlens.errors import as_argument, counted, one_line

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


def problems_found(name: str, count: int, folder: object) -> str:
    """That opening a data set found problems, and what looks for all of them: no image or mask is read to open one."""
    return (
        f"{name}: {counted(count, 'problem')} found without reading its images: "
        f"'oddlens data check {as_argument(folder)}' reads them and lists all problems"
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a data set.

    Attributes:
        path: The file or folder at fault.
        kind: The kind of fault, for programs.
        sentence: What is wrong, for people: lower case, without a full stop, as in errors.
    """

    path: Path
    kind: ProblemKind
    sentence: str

    def __post_init__(self) -> None:
        """Bring the sentence to one line, with any names in it."""
        object.__setattr__(self, "sentence", one_line(self.sentence))
