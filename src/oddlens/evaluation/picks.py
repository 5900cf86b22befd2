"""Few-shot picks: the good examples of a category, chosen by a rule that any program can repeat and written as lists of files.

The rule (ours): the normal training images of a category are put in the order of the SHA-256 (hex) of "SEED/CATEGORY/NAME" in
UTF-8, where NAME is the file's name without folders; the first k are the picks for k shots. So the picks for k are among those
for k + 1, they do not depend on where the data set lies, on its layout or on any program's random numbers, and a file that is
added changes at most one of them. The papers' own picks cannot be drawn again: they depend on every random number that their
programs used before, which is why lists are what is exchanged.

    OUT/picks/<data set>/<category>-seed<k>.txt      one path a line, relative to the data set's folder
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from oddlens.data import Record
from oddlens.data.named import NamedDataset
from oddlens.data.object_names import path_name
from oddlens.errors import UsageError
from oddlens.io.atomic import write_bytes
from oddlens.io.paths import exists, is_file, read_bytes


class Picks(Protocol):
    """Chooses the good examples of a category for a seed, in order."""

    def of(self, source: NamedDataset, category: str, seed: int) -> tuple[Record, ...]:
        """All examples in order; k shots are the first k."""


class RulePicks:
    """Picks by the rule of this module."""

    def of(self, source: NamedDataset, category: str, seed: int) -> tuple[Record, ...]:
        """Every normal training image, in the rule's order."""

        def rank(item: tuple[str, Record]) -> tuple[str, str]:
            path, record = item
            return sha256(f"{seed}/{category}/{record.image.name}".encode(errors="surrogateescape")).hexdigest(), path

        return tuple(record for _, record in sorted(source.normals(category).items(), key=rank))


class ListedPicks:
    """Picks as listed: in a folder with a list a data set, category and seed, or in one file that serves all seeds.

    A line is a path relative to its data set's folder; empty lines and those that begin with # do not count, unless an image is
    called so. Spaces around a path do not count, either.
    """

    def __init__(self, place: Path, sources: Sequence[NamedDataset]) -> None:
        if not exists(place):
            raise UsageError(f"there are no picks at {place}: give a list of files, or a folder of lists")
        self._place = place
        if is_file(place):
            known = {path for source in sources for path in _usable(source)}
            for line in _lines(place, known):
                if line not in known:
                    raise _unusable(place, line)

    def of(self, source: NamedDataset, category: str, seed: int) -> tuple[Record, ...]:
        """The listed images of the category. Raises UsageError for a list that is missing or names another image."""
        usable = _usable(source)
        if is_file(self._place):
            listed = [usable[line] for line in _lines(self._place, usable) if line in usable]
            return tuple(record for record in listed if record.category == category)
        path = list_path(self._place, source.name, category, seed)
        if not is_file(path):
            raise UsageError(f"the list {path} is missing: add it, or leave that category or seed out")
        lines = _lines(path, usable)
        for line in lines:
            if line not in usable or usable[line].category != category:
                raise _unusable(path, line)
        return tuple(usable[line] for line in lines)


def list_path(folder: Path, dataset: str, category: str, seed: int) -> Path:
    """Where the list of a category and seed lies below a folder of picks."""
    return folder / path_name(dataset) / f"{path_name(category)}-seed{seed}.txt"


def write_picks(folder: Path, source: NamedDataset, category: str, seed: int, examples: Iterable[Record]) -> None:
    """Write a list, whole or not at all."""
    lines = [source.relative(record) + "\n" for record in examples]
    write_bytes(list_path(folder, source.name, category, seed), os.fsencode("".join(lines)))


def _usable(source: NamedDataset) -> dict[str, Record]:
    """The records that may serve as good examples: normal, and not in the test split."""
    return {
        source.relative(record): record for record in source.dataset if record.label == 0 and record.split != "test"
    }


def _unusable(path: Path, line: str) -> UsageError:
    return UsageError(
        f"{path} lists {line!r}, which is no normal image outside the test split here: "
        "give paths relative to the data set's folder"
    )


def _lines(path: Path, known: Container[str]) -> list[str]:
    """The paths in a list, each once. known: those that there are, as they are spelled."""
    try:
        text = read_bytes(path).decode("utf-8-sig", errors="surrogateescape")  # as file names are read
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): give a list of files, one a line") from error
    # A name may hold what `splitlines` takes for the end of a line, as U+2028, or begin with a space or with #.
    whole = [line.removesuffix("\r") for line in text.split("\n")]
    lines = [line if line in known else line.strip() for line in whole]
    return list(dict.fromkeys(line for line in lines if line in known or (line and not line.startswith("#"))))
