"""What a layout is: how one family of data sets is arranged on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from oddlens.data.files import find_categories
from oddlens.data.problem import Problem
from oddlens.data.record import Record


@dataclass(frozen=True, slots=True)
class Layout:
    """One way a data set is arranged on disk.

    Attributes:
        name: What `open_dataset(..., layout=)` and `Dataset.layout` call it.
        looks_for: What has to be there, in a few words, for the error that lists the layouts.
        recognise: `recognise(root)` says whether that is there; cheap, opens no image.
        read: `read(root, problems)` gives the records, in a stable order, and appends faults to `problems`.
        citations: What a paper that uses it cites, where it is the layout of one data set: keys of `evaluation/citations.bib`.
        supervised: The set is made for supervised learning, so that defects among its training images are no fault.
    """

    name: str
    looks_for: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path, list[Problem]], list[Record]]
    supervised: bool = False
    citations: tuple[str, ...] = ()


def by_category(
    name: str,
    looks_for: str,
    is_category: Callable[[Path], bool],
    read_category: Callable[[Path, str, list[Problem]], list[Record]],
    supervised: bool = False,
    citations: tuple[str, ...] = (),
) -> Layout:
    """A layout with one folder a category, opened by the folder of all of them or by a single one.

    `read_category(folder, category, problems)` returns one category's records.
    """

    def read(root: Path, problems: list[Problem]) -> list[Record]:
        found = find_categories(root, is_category, problems)
        return [record for category, folder in found for record in read_category(folder, category, problems)]

    return Layout(name, looks_for, lambda root: bool(find_categories(root, is_category)), read, supervised, citations)
