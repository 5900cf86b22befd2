"""The contents of files as short hashes: they tell whether an image is another one, or the same one under another name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from oddlens.data.masks import mask_files
from oddlens.data.record import Record
from oddlens.io.hashes import file_hash
from oddlens.io.loader import thread_count

DIGITS = 16
"""Of a file's SHA-256, in hexadecimal: two different files among a million have the same ones with a probability of 3e-8."""


class Contents:
    """Short hashes of the contents of files. Each file is read once, by several threads."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def hashes(self, paths: Iterable[Path], advance: Callable[[int], object] = lambda _: None) -> list[str]:
        """The first `DIGITS` digits of the SHA-256 of each file, in order; "" for a file that cannot be read.

        advance: Called with how many more files of those that are not known yet were read.
        """
        wanted = list(paths)
        unknown = [path for path in dict.fromkeys(wanted) if path not in self._known]
        if unknown:
            with ThreadPoolExecutor(thread_count()) as pool:
                for path, found in zip(unknown, pool.map(_short_hash, unknown), strict=True):
                    self._known[path] = found
                    advance(1)
        return [self._known[path] for path in wanted]


class TrainingImages:
    """What weights keep of their training images. Each is read once, when it is asked for."""

    def __init__(self, images: Iterable[Path]) -> None:
        self._images = list(images)
        self._contents = Contents()

    def __len__(self) -> int:
        """How many there are."""
        return len(set(self._images))

    def sha256(self, advance: Callable[[int], object] = lambda _: None) -> str:
        """The short hashes, each once, sorted, with spaces between them. advance: see `Contents.hashes`."""
        return " ".join(sorted(set(self._contents.hashes(self._images, advance)) - {""}))


def files_of(record: Record) -> Iterator[Path]:
    """All files of a record: its image, and those that say what is true of it."""
    yield record.image
    if record.mask is not None:
        yield from mask_files(record.mask)
    yield from (each for each in (record.ignore, record.classes, record.legend) if isinstance(each, Path))


def _short_hash(path: Path) -> str:
    try:
        return file_hash(path)[:DIGITS]
    except OSError:
        return ""
