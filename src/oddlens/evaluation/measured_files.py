"""The files that a cell was measured on, by hashes of their contents: it is used again only where these are as they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

from oddlens.data import Record
from oddlens.data.contents import files_of
from oddlens.data.named import NamedDataset
from oddlens.errors import counted, first_and_more


class MeasuredFiles(TypedDict, total=False):
    """The contents of `measured_files`, in their order, as `Contents` has them. Cells of earlier versions do not say them."""

    files_sha256: list[str]


def measured_files(source: NamedDataset, records: Sequence[Record], examples: Sequence[Record]) -> list[Path]:
    """Test images, the files that say what is true of them, and good examples, in the order of their paths in the data set."""
    files = {file for record in records for file in files_of(record)}
    return sorted(files | {record.image for record in examples}, key=source.relative)


def changed_files(before: MeasuredFiles, now: MeasuredFiles, files: Iterable[str]) -> str:
    """What is not as it was, in words; "" where all is, or where nothing is said of before. files: the names of the files now."""
    old, new = before.get("files_sha256"), now["files_sha256"]
    if old is None or old == new:
        return ""
    if len(old) != len(new):  # a mask may be a folder of files: all other files have the paths that they had
        return "a folder of masks"
    changed = [name for name, was, is_now in zip(files, old, new, strict=True) if was != is_now]
    return f"{counted(len(changed), 'file')} ({first_and_more(changed)})"
