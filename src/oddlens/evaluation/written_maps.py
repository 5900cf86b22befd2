"""The maps that a run leaves: how they are called, and which of an earlier run are of no image any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from oddlens.data import Record
from oddlens.data.object_names import path_name
from oddlens.inference.results import unique_names
from oddlens.io.atomic import unwritable
from oddlens.io.paths import matching


def map_names(records: Sequence[Record]) -> dict[Path, str]:
    """<defect>/<id>.tiff for every image."""
    by_defect: dict[str, list[Path]] = defaultdict(list)
    for record in records:
        by_defect[record.defect].append(record.image)
    return {
        path: f"{path_name(defect)}/{name}.tiff"
        for defect, paths in by_defect.items()
        for path, name in unique_names(paths).items()
    }


def remove_others(folder: Path, records: Sequence[Record]) -> None:
    """Remove the maps that an earlier run wrote of images that are not there, or are called otherwise now.

    Args:
        folder: Of the maps of a cell.
        records: The test images, all of them; no other process writes maps of theirs now.

    Raises `OddlensError` where one cannot be removed.
    """
    kept = {folder / name for name in map_names(records).values()}
    for path in matching(folder, "*/*.tiff"):
        if path not in kept:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(path, error) from error
    for defect in matching(folder, "*"):
        with suppress(OSError):  # it holds maps, or something of the user's
            defect.rmdir()
