"""A data set in memory: its records and its problems."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from oddlens.data.legend import load_legend
from oddlens.data.problem import Problem
from oddlens.data.record import SPLITS, Record, Split
from oddlens.errors import DataError, UsageError, choices, counted, printable, shortened
from oddlens.io.notebook import facts

_MOST_SHOWN = 20
"""Categories that a notebook lists."""


@dataclass(frozen=True)
class Dataset:
    """The images of a data set, in a stable order. `open_dataset` makes it; iterating gives its records.

    Attributes:
        root: The folder it lies in.
        layout: The name of the layout it was read by.
        records: One an image; no pixels.
        problems: What opening it found wrong. `check_dataset` finds more.
        listing: The file that names its images, where it was opened by one; None: it was opened by its folder.

    Examples:
        >>> good = Record(Path("bolt/good/1.png"), None, 0, "bolt", "good", "test")
        >>> bent = Record(Path("bolt/bent/1.png"), None, 1, "bolt", "bent", "test")
        >>> dataset = Dataset(Path("bolt"), "folder", (good, bent))
        >>> len(dataset), dataset.categories, [record.defect for record in dataset.select(label=1)]
        (2, ('bolt',), ['bent'])
    """

    root: Path
    layout: str
    records: tuple[Record, ...]
    problems: tuple[Problem, ...] = ()
    listing: Path | None = None

    @property
    def place(self) -> Path:
        """The path that opens it again."""
        return self.root if self.listing is None else self.listing

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __repr__(self) -> str:
        """Folder, layout and counts; the records are left out."""
        categories = self.categories
        kinds = counted(len(categories), "category", "categories")
        wrong = f", {counted(len(self.problems), 'problem')}" if self.problems else ""
        return (
            f"Dataset({shortened(str(self.root))}, layout {self.layout}, {counted(len(self), 'image')}, {kinds}{wrong})"
        )

    def _repr_html_(self) -> str:
        """The counts of each category, as notebooks show it."""
        rows = [("layout", self.layout), ("images", str(len(self)))]
        rows.append(("problems", f"{len(self.problems)}: see .problems" if self.problems else ""))
        counts = Counter((record.category, record.split, record.label) for record in self.records)
        labels = {0: "good", 1: "defective", None: "unlabelled"}
        shown = self.categories[:_MOST_SHOWN]
        for category in shown:
            parts = (
                f"{split} {counts[category, split, label]} {name}"
                for split in self.splits
                for label, name in labels.items()
                if counts[category, split, label]
            )
            rows.append((category, ", ".join(parts)))
        rest = len(self.categories) - len(shown)
        rows.append(("", f"and {rest} more categories: see .categories" if rest else ""))
        return facts(f"Dataset {printable(str(self.root))}", rows)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories, in the order of the records."""
        return tuple(dict.fromkeys(record.category for record in self.records))

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have a record, in the order of `record.SPLITS`."""
        present = {record.split for record in self.records}
        return tuple(split for split in SPLITS if split in present)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the known classes, in the order of the indices that `read_classes` gives; () for a set without classes.

        Raises:
            DataError: A legend cannot be read, or the records have different ones: select a category first.
        """
        legends = dict.fromkeys(record.legend for record in self.records if record.classes is not None)
        found = dict.fromkeys(load_legend(legend).names for legend in legends if legend is not None)
        if len(found) > 1:
            raise DataError(f"the images of {self.root} are labelled with different classes: select a category first")
        return next(iter(found), ())

    def select(self, category: str | None = None, split: Split | None = None, label: int | None = None) -> "Dataset":
        """The records of a category, of a split, of a label (0 normal, 1 abnormal), as a data set; None = any.

        The problems stay those of the whole. A split that this set lacks gives an empty set.

        Raises:
            UsageError: The data set has no such category, or `split` is none of `record.SPLITS`.
        """
        if category is not None and category not in self.categories:
            raise UsageError(f'{self.root} has no category "{category}"{choices(category, self.categories, "it has")}')
        if split is not None and split not in SPLITS:
            raise UsageError(f'"{split}" is no split{choices(split, SPLITS)}')
        chosen = (
            record
            for record in self.records
            if (category is None or record.category == category)
            and (split is None or record.split == split)
            and (label is None or record.label == label)
        )
        return replace(self, records=tuple(chosen))
