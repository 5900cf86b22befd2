"""Data sets with the names that results use for them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from oddlens.data import Dataset, Record, open_dataset
from oddlens.data.copies import copies
from oddlens.data.problem import Problem, losses
from oddlens.data.record import Split
from oddlens.errors import UsageError, counted, first_and_more
from oddlens.io.paths import expanded, is_file


@dataclass(frozen=True)
class NamedDataset:
    """A data set and its name: that of its folder, or of its listing if that is not called meta.json.

    left_out: test images that are not measured.
    """

    name: str
    dataset: Dataset
    left_out: frozenset[Path] = frozenset()

    def tests(self, category: str | None = None) -> tuple[Record, ...]:
        """The test images of a category (None: of all) whose label is known, without those that are left out."""
        records = self.dataset.select(category=category, split="test")
        return tuple(record for record in records if record.label is not None and record.image not in self.left_out)

    def losses(self, category: str, split: Split = "test", *, left_out: bool) -> list[Problem]:
        """What the images of a category lack, see `Loss`: images that are left out, or files that cannot be read."""
        return losses(self.dataset.problems, split, category=category, left_out=left_out)

    def unlabelled_notes(self, category: str) -> list[str]:
        """That test images of a category are left out, since only a mask would say what they show: a sentence, or none."""
        names = [self.relative(problem.path) for problem in self.losses(category, left_out=True)]
        are = "is" if len(names) == 1 else "are"
        without = f"{counted(len(names), 'test image')} without a mask {are} left out ({first_and_more(names)})"
        return [f"{without}: only a mask says what an image shows here"] if names else []

    def names_left_out(self, category: str) -> list[str]:
        """The test images of a category that are left out, by their relative path, in the order of these."""
        tests = self.dataset.select(category=category, split="test") if self.left_out else ()
        return sorted(self.relative(record) for record in tests if record.image in self.left_out)

    def without_copies(self) -> NamedDataset:
        """The same without the test images that are files of normal training images, any of which may be a good example."""
        pairs = (
            pair
            for category in self.dataset.categories
            for pair in copies(self.tests(category), self.normals(category).values())
        )
        return replace(self, left_out=self.left_out | {record.image for record, _ in pairs})

    def normals(self, category: str) -> dict[str, Record]:
        """The normal training images of a category by their relative path, in the order of these."""
        records = self.dataset.select(category=category, split="train", label=0)
        return dict(sorted((self.relative(record), record) for record in records))

    def relative(self, file: Record | Path) -> str:
        """The path of a file, or of a record's image, in the data set, with forward slashes."""
        path = file.image if isinstance(file, Record) else file
        return Path(os.path.relpath(path, self.dataset.root)).as_posix()


def open_sources(paths: Iterable[str | os.PathLike[str]]) -> tuple[NamedDataset, ...]:
    """Open data sets.

    Raises:
        UsageError: Two have the same name; there is nothing at a path; none is given.
        DataError: As `open_dataset`.
    """
    sources: dict[str, tuple[Path, NamedDataset]] = {}
    for given in map(Path, paths):
        dataset = open_dataset(given)
        path = Path(os.path.abspath(expanded(given)))  # noqa: PTH100 resolve() would give a link the name of its target
        name = path.stem if is_file(path) and path.name != "meta.json" else path.name or "data"
        if path.name == "meta.json":
            name = path.parent.name
        if name in sources:
            raise UsageError(
                f"{sources[name][0]} and {path} have the same name, which results use to distinguish them: "
                "make a link of another name to one of them"
            )
        sources[name] = path, NamedDataset(name, dataset)
    if not sources:
        raise UsageError("there is no data set to measure on: give at least one folder with --data")
    return tuple(source for _, source in sources.values())
