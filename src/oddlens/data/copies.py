"""Images that are the same file twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress

from oddlens.data.record import Record
from oddlens.io.paths import read_bytes


def copies(records: Iterable[Record], examples: Iterable[Record]) -> Iterator[tuple[Record, Record]]:
    """Each record whose image is the file of an example, and the first such example: files of the same bytes.

    'oddlens data check' compares pixels. A file that cannot be read is no copy.
    """
    known: dict[int, list[Record]] = defaultdict(list)
    for example in examples:
        with suppress(OSError):
            known[example.image.stat().st_size].append(example)
    for record in records if known else ():
        with suppress(OSError):
            for example in known.get(record.image.stat().st_size, ()):
                if read_bytes(record.image) == read_bytes(example.image):
                    yield record, example
                    break
