"""A data set in memory: its records, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from oddlens.data.legend import load_legend
from oddlens.data.problem import Problem
from oddlens.data.record import SPLITS, Record, Split
from oddlens.errors import DataError, UsageError, choices


@dataclass(frozen=True)
class Dataset:
    """The pictures of a data set, in a stable order; made by `open_dataset`, iterated like the tuple of its records.

    - `root`: the folder it lies in.
    - `layout`: the name of the layout it was read by.
    - `records`: one a picture; no pixels.
    - `problems`: what opening it found wrong. `check_dataset` looks further.
    """

    root: Path
    layout: str
    records: tuple[Record, ...]
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

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
        """The names of the known classes, in the order of the indices that `read_classes` gives; () where nobody has told them.

        Raises:
            DataError: a legend cannot be read, or the records have different ones: select a category first.
        """
        legends = dict.fromkeys(record.legend for record in self.records if record.classes is not None)
        found = dict.fromkeys(load_legend(legend).names for legend in legends if legend is not None)
        if len(found) > 1:
            raise DataError(
                f"The pictures of {self.root} are labelled with different classes: select a category first."
            )
        return next(iter(found), ())

    def select(self, category: str | None = None, split: Split | None = None, label: int | None = None) -> "Dataset":
        """The records of a category, of a split, of a label (0 normal, 1 abnormal), as a data set; None = any.

        The problems stay those of the whole.

        Raises:
            UsageError: there is no such category, or the split is no word of ours. A split that this set lacks is just empty.
        """
        if category is not None and category not in self.categories:
            raise UsageError(f'{self.root} has no category "{category}"{choices(category, self.categories, "it has")}.')
        if split is not None and split not in SPLITS:
            raise UsageError(f'"{split}" is no split{choices(split, SPLITS)}.')
        chosen = (
            record
            for record in self.records
            if (category is None or record.category == category)
            and (split is None or record.split == split)
            and (label is None or record.label == label)
        )
        return replace(self, records=tuple(chosen))
