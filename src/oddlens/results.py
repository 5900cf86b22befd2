"""The folder that a run writes, and going on in it after a stop.

OUT/run.json        what was run and where: see `DetectionRun.settings`
OUT/results.jsonl   one line a picture, written as it is done; in the order of the pictures once the run has ended
OUT/overlays/*.png  OUT/maps/*.tiff  OUT/labels/*.png
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from oddlens.atomic import write_text
from oddlens.errors import OddlensError, UsageError
from oddlens.paths import exists, is_dir, is_file
from oddlens.wording import printable

Record = dict[str, Any]
"""What is told of one picture: its path, and what was found (`Detection.to_dict`) or an error."""


class ResultsFolder:
    """The folder OUT of a run. What lies in it is only looked at until `begin`.

    resume: go on with the results in it, also those of pictures that are not looked at this time; lines of failed pictures are
    dropped, so that they are tried again. overwrite: begin anew; earlier results and all that was drawn are removed, also those of
    pictures that are not looked at any more. Raises `UsageError` where there are results and neither is given, where they cannot
    be gone on with, and where pictures lie that no run drew.
    """

    def __init__(self, root: Path, *, resume: bool = False, overwrite: bool = False) -> None:
        self.root = root
        self.lines = root / "results.jsonl"
        self.overlays = root / "overlays"
        self.maps = root / "maps"
        self.labels = root / "labels"
        self._told = root / "run.json"
        self._overwrite = overwrite
        self._begun = False
        self._earlier: dict[str, Any] | None = None
        self.done: dict[str, Record] = {}
        """Records of pictures that need not run again, by path."""
        shown = printable(str(root))
        if exists(root) and not is_dir(root):
            raise UsageError(f"{shown} is a file: give the name of a folder for the results")
        if not exists(self._told) and not exists(self.lines) and (other := next(filter(is_file, self._drawn()), None)):
            # "labels" is also what data sets call the folder of their truth, and its files are named like the pictures.
            raise UsageError(
                f"{printable(str(other))} lies where a run would draw, and no run has been there: give another --out"
            )
        if not exists(self.lines) or overwrite:
            return
        if not resume:
            raise UsageError(
                f"{shown} holds results already: add --resume to go on, --overwrite to begin anew, or give another --out"
            )
        self._earlier = _read_settings(self._told)
        self.done = {record["path"]: record for record in _whole_records(self.lines) if "error" not in record}

    def check(self, settings: Mapping[str, Any]) -> None:
        """Whether the results that are gone on with were made with these settings; `UsageError` naming what differs."""
        if self._earlier is None:
            return
        now = settings["run"]
        differing = [key for key in now if self._earlier.get(key) != now[key]]
        if differing:
            raise UsageError(
                f"{printable(str(self.root))} holds results of other settings ({', '.join(differing)}): "
                "give the same ones, or another --out"
            )

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Write run.json and make way for the first result. Further calls do nothing."""
        if self._begun:
            return
        self._begun = True
        if self._overwrite and exists(self._told):  # else it is no folder of ours, and the pictures in it neither
            _remove([self.lines, *self._drawn()])
        write_text(self._told, json.dumps(settings, indent=2) + "\n")
        write_text(self.lines, "".join(map(_line, self.done.values())))

    def append(self, record: Record) -> None:
        """Add one line. Raises `OddlensError` where it cannot be written."""
        try:
            with self.lines.open("a", encoding="ascii") as file:
                file.write(_line(record))
        except OSError as error:
            raise OddlensError(
                f"{printable(str(self.lines))} cannot be written ({error.strerror}): check the folder and free space, "
                "then go on with --resume"
            ) from error

    def finish(self, paths: Sequence[str]) -> None:
        """Put the lines in the order of the pictures; those of other pictures stay in front. Only going on needs it."""
        if self._earlier is None:
            return
        place = {path: number for number, path in enumerate(paths)}
        records = sorted(_whole_records(self.lines), key=lambda record: place.get(record["path"], -1))
        write_text(self.lines, "".join(map(_line, records)))

    def is_output(self, path: Path) -> bool:
        """Whether a picture lies among the overlays, maps or labels, which are not to be looked at again."""
        parent = os.path.realpath(path.parent)
        return parent in {os.path.realpath(folder) for folder in (self.overlays, self.maps, self.labels)}

    def _drawn(self) -> Iterator[Path]:
        """The pictures where a run draws its own."""
        return chain(self.overlays.glob("*.png"), self.maps.glob("*.tiff"), self.labels.glob("*.png"))


def _line(record: Record) -> str:
    return json.dumps(record, allow_nan=False) + "\n"


def _read_settings(path: Path) -> dict[str, Any]:
    """What numbers depend on, as an earlier run told it."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))["run"]
        if not isinstance(settings, dict):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{printable(str(path))}, which tells how the results beside it were made, is missing or damaged: "
            "add --overwrite to begin anew, or give another --out"
        ) from error
    return settings


def _whole_records(path: Path) -> Iterator[Record]:
    """The records of a results file. A line that a stop cut off is no record: its picture runs again."""
    for line in path.read_text(encoding="ascii", errors="replace").split("\n"):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "path" in record:
            yield record


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OddlensError(
                f"{printable(str(path))} cannot be removed ({error.strerror}): change its permissions, or give another --out"
            ) from error
