"""The folder that a run writes, and continuing in it after a stop.

OUT/run.json        the settings of the run and the machine: see `RunInfo.settings`
OUT/results.jsonl   one line an image, written as it is done; in the order of the images once the run has ended
OUT/overlays/*.png  OUT/maps/*.tiff  ...  what is drawn of each image: see `oddlens.inference.kinds`
"""

from __future__ import annotations

import json
import os
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from oddlens.errors import OddlensError, UsageError, printable
from oddlens.inference.kinds import DRAWINGS, KINDS
from oddlens.inference.records import FileDocument, Record, line_of, read_records
from oddlens.inference.run_document import RunDocument, read_document
from oddlens.io.atomic import LEFT_OVER, append, check_target, remove, unwritable, write_bytes, write_text
from oddlens.io.finding import path_identity
from oddlens.io.lock import FolderLock
from oddlens.io.paths import is_dir, is_file, matching, read_bytes, why_no_folder
from oddlens.io.remote import ImagePath, RemotePath, remote_version
from oddlens.provenance import differing, respelled

JUDGED = ("thresholds", "calibration", "marking")
"""The settings that verdicts, regions and masks follow from, and no score or map: with other ones results can be judged again."""

_LONGEST_NAME = 200
_SHORT_NAME = 50


class Named(Protocol):
    """An object with a path and a stem: a path, a frame of a video."""

    @property
    def stem(self) -> str:
        """Its name without folder and suffix."""

    def __fspath__(self) -> str:
        """Its path."""


Source = TypeVar("Source", bound=Named)


class ResultsFolder:
    """The folder OUT of a run. Until `begin` it is only read.

    Attributes:
        root: The folder.
        lines: The file of results.
        drawings: The folders of what is drawn, by kind.
        document: What run.json of the results to continue says; its "run" is {} where none are continued.

    Args:
        root: The folder.
        resume: Continue with the results in it, also those of images that this run does not have; lines of failed images are
            dropped, so that they run again.
        overwrite: Start over; earlier results and drawings are removed, also those of images that this run does not have.
        appends: Continue behind every line that is there, also those of failed images: for a run that has no end.

    Raises:
        UsageError: There are results and neither is given; the results cannot be continued; there are images that no run drew, or
            results of a benchmark; another run is writing.
    """

    def __init__(self, root: Path, *, resume: bool = False, overwrite: bool = False, appends: bool = False) -> None:
        self.root = root
        self._appends = appends
        self.lines = root / "results.jsonl"
        self.drawings = {name: root / name for name in KINDS}
        self._settings_file = root / "run.json"
        self._overwrite = overwrite
        self._begun = False
        self.document: RunDocument = {"run": {}}
        self._earlier: Mapping[str, object] | None = None
        self._now: Mapping[str, object] | None = None
        self._done: dict[str, Record] | None = {}
        self._identity = path_identity()
        self._place = os.path.realpath(root)
        shown = printable(str(root))
        if reason := why_no_folder(root):
            raise UsageError(f"{shown} {reason}")
        self._lock = FolderLock(root)
        self._lock.check()
        self._seen = self._state()
        is_of_a_run = is_file(self._settings_file) or is_file(self.lines)
        if not is_of_a_run and (is_file(root / "metrics.json") or matching(root / "cells", "*/*/*.json")):
            raise UsageError(f"{shown} holds results of a benchmark: give another --out")
        if not is_of_a_run and is_file(root / "station.json"):
            raise UsageError(f"{shown} is a station, and results do not belong into it: give another --out")
        if not is_of_a_run and (other := next(filter(is_file, self._drawn()), None)):
            # Data sets also have a folder "labels" of their truth, and its files are named like the images.
            raise UsageError(
                f"{printable(str(other))} lies where a run would draw, and no run has been there: give another --out"
            )
        if not is_file(self.lines) or overwrite:
            return
        if not (resume or appends):
            raise UsageError(
                f"{shown} holds results already: add --resume to go on, --overwrite to start over, or give another --out"
            )
        self.document = read_document(self._settings_file)
        self._earlier = self.document["run"]
        self._done = None

    @property
    def continues(self) -> bool:
        """Whether there are results that this run continues."""
        return self._earlier is not None

    @property
    def done(self) -> Mapping[str, Record]:
        """Records of images that need not run again, by the key of their file (`file_of`)."""
        if self._done is None:
            lines = read_records(self.lines)
            self._done = {key: record for key, record in lines.items() if "error" not in record and "file" in record}
        return self._done

    def key_of(self, path: ImagePath, frame: int | None = None) -> str:
        """The key of an image in OUT: its path from there, one for all spellings, or its address.

        frame: its number in the video at the path.
        """
        if isinstance(path, RemotePath):
            return path.address
        place = self._identity(path)
        with suppress(ValueError):  # of Windows: it is on another drive
            place = os.path.relpath(place, self._place)
        name = Path(place).as_posix()
        return name if frame is None else f"{name}#{frame:06d}"

    def file_of(self, path: ImagePath, frame: int | None = None) -> FileDocument | None:
        """What a line says of an image's file: its key, size in bytes and time of change; None if there is no such file."""
        if isinstance(path, RemotePath):
            return _remote_file(path)
        try:
            stat = path.stat()
        except (OSError, ValueError):
            return None
        return {"path": self.key_of(path, frame), "bytes": stat.st_size, "modified": stat.st_mtime}

    def known(self, file: FileDocument | None) -> Record | None:
        """The record of an image that is done: an earlier run read the same file, and it has not changed since."""
        record = None if file is None else self.done.get(file["path"])
        return record if record is not None and record["file"] == file else None

    def names(self, images: Mapping[Source, str]) -> dict[Source, str]:
        """A name for the drawings of each image (to its key): the one it had, else one that no other image in OUT has."""
        had = {key: name for key, record in self.done.items() if (name := drawn_name(record)) is not None}
        given = {source: had[key] for source, key in images.items() if key in had}
        return unique_names(list(images), given, had.values())

    def check(self, settings: RunDocument) -> None:
        """Raise UsageError if the results to continue were made with other settings; the sentence names what differs."""
        if self._earlier is None:
            return
        if self._earlier.get("format") != settings["run"].get("format"):
            raise UsageError(
                f"{printable(str(self.root))} holds results of another version of oddlens, whose lines do not say which file "
                "they are of: give another --out to keep them, or add --overwrite to start over"
            )
        self.check_judged()
        names = differing(self._earlier, settings["run"])
        if "calibration" in names and _had_another_rule(self._earlier):
            others = ", ".join(name for name in names if name not in ("calibration", "oddlens"))
            raise UsageError(
                f"{printable(str(self.root))} holds results of an earlier version of oddlens, whose thresholds followed another "
                f"rule{others and f', and of other settings ({others})'}: "
                "give another --out to keep them, or add --overwrite to start over"
            )
        if names:
            names = [name for name in names if name not in JUDGED] or names  # with those alone results are judged again
            raise UsageError(
                f"{printable(str(self.root))} holds results of other settings ({', '.join(names)}): "
                "give the same ones, or another --out"
            )

    @property
    def is_half_judged(self) -> bool:
        """Whether somebody began to give the results new verdicts and was stopped: see `oddlens.inference.judge`."""
        judged = self.document.get("judged")
        return isinstance(judged, Mapping) and judged.get("is_done") is False

    def check_judged(self) -> None:
        """Raise UsageError where the results are half judged."""
        if self.is_half_judged:
            raise UsageError(
                f"{printable(str(self.root))} holds results that 'oddlens judge' was stopped in giving new verdicts: call it again"
            )

    def needs_judging(self, settings: RunDocument) -> bool:
        """Whether the results to continue differ from these settings (see `check`) in nothing but what verdicts follow from."""
        if self._earlier is None or self._earlier.get("format") != settings["run"].get("format"):
            return False
        names = set(differing(self._earlier, settings["run"]))
        if "calibration" in names and _had_another_rule(self._earlier):
            return False
        return names <= set(JUDGED) and (bool(names) or self.is_half_judged)

    def check_writable(self) -> None:
        """Raise OddlensError if no results can be written there, before anything is computed. Nothing stays behind."""
        for file in (self._settings_file, self.lines):
            check_target(file)
        folder = next(each for each in (self.root, *self.root.parents) if is_dir(each))
        probe = folder / f"{LEFT_OVER}{secrets.token_hex(8)}"
        try:
            try:
                probe.write_bytes(b"\n")
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(self.root, error) from error

    def begin(self, settings: RunDocument) -> None:
        """Write run.json and prepare for the first result. Further calls do nothing until `close`.

        Raises:
            UsageError: Another run is writing, or has written since this one read the folder.
        """
        if self._begun:
            return
        self._lock.acquire()
        if self._state() != self._seen:
            self._lock.release()
            raise UsageError(
                f"another run has written to {printable(str(self.root))} since this one began: start this one again"
            )
        self._begun = True
        appends = self._appends and self._earlier is not None
        done = {} if appends else self.done
        self.clean()
        if self._overwrite:
            for path in (self.lines, *self._drawn_by_runs()):
                remove(path)
        write_text(self._settings_file, json.dumps(settings, indent=2) + "\n")
        if appends:
            _cut_to_whole_lines(self.lines)
        else:
            write_text(self.lines, "".join(map(line_of, done.values())))
        self._overwrite, self._now = False, settings["run"]

    def clean(self) -> None:
        """Remove what a killed program left; only where no other one can be writing."""
        for folder in (self.root, *self.drawings.values()):
            for path in matching(folder, f"{LEFT_OVER}*"):
                remove(path)

    def append(self, record: Record, file: FileDocument | None = None) -> Record:
        """Add one line; returns its record.

        The line of a failed image names no file, unless it replaces an earlier result.

        Args:
            record: The result.
            file: What `file_of` gave before the image was read.

        Raises:
            OddlensError: The line cannot be written.
        """
        if file is not None and ("error" not in record or file["path"] in self.done):
            record = record | {"file": file}
        try:
            append(self.lines, line_of(record).encode("ascii"))
        except OddlensError as error:
            raise type(error)(f"{error}, then go on with --resume") from error
        return record

    def finish(self, images: Sequence[Collection[str]], settings: RunDocument) -> None:
        """Put the lines in the order of the images, one each; those of other images stay in front. Only a continued run needs it.

        Args:
            images: The key and the path of each image.
            settings: As for `begin`.
        """
        if self._earlier is None:
            return
        place = {name: number for number, names in enumerate(images) for name in names}
        if not self._begun:
            if read_bytes(self.lines) == self._ordered(place):
                return
            self.begin(settings)
        write_bytes(self.lines, self._ordered(place))

    def _ordered(self, place: Mapping[str, int]) -> bytes:
        """The lines by the place of their image, one each, without anything else that may stand among them."""
        lines = sorted(read_records(self.lines).items(), key=lambda line: place.get(line[0], -1))
        return "".join(line_of(record) for _, record in lines).encode("ascii")

    def close(self) -> None:
        """Let other runs write. If this run begins again, it continues with the results in the folder."""
        if not self._begun:
            return
        self._begun, self._earlier, self._done = False, self._now, None
        self._seen = self._state()
        self._lock.release()

    def is_output(self, path: Path) -> bool:
        """Whether an image lies among the drawings, which no run reads."""
        parent = os.path.realpath(path.parent)
        return parent in set(map(os.path.realpath, self.drawings.values()))

    def _drawn(self) -> Iterator[Path]:
        """The image files in the folders of drawings."""
        return (path for name, folder in self.drawings.items() for path in matching(folder, KINDS[name].pattern))

    def _drawn_by_runs(self) -> list[Path]:
        """The drawings of earlier runs. Without run.json they are those that lines name: others may be somebody's own."""
        drawn = list(self._drawn())
        if is_file(self._settings_file) or not drawn or not is_file(self.lines):
            return drawn if is_file(self._settings_file) else []
        records = read_records(self.lines).values()
        named = {record[kind] for record in records for kind in DRAWINGS if kind in record}
        return [path for path in drawn if path.relative_to(self.root).as_posix() in named]

    def _state(self) -> object:
        """A value that changes when another run writes lines."""
        try:
            stat = self.lines.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_size, stat.st_mtime_ns


def kept_results(root: Path) -> ResultsFolder:
    """The results of a run that ended, or was stopped. Raises `UsageError` where there are none."""
    folder = ResultsFolder(root, resume=True)
    if not folder.document["run"]:
        raise UsageError(f"{printable(str(root))} holds no results: give the folder of a run, 'oddlens detect --out'")
    return folder


def _remote_file(path: RemotePath) -> FileDocument | None:
    known = remote_version(path.address)
    if known is None:
        return None
    size, version = known
    file: FileDocument = {"path": path.address, "version": version}
    return file if size is None else file | {"bytes": size}


def _cut_to_whole_lines(path: Path) -> None:
    """Take away what a stop left of the last line."""
    try:
        with path.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            while end:
                start = max(0, end - 65536)
                file.seek(start)
                if (last := file.read(end - start).rfind(b"\n")) >= 0:
                    end = start + last + 1
                    break
                end = start
            file.truncate(end)
    except OSError as error:
        raise unwritable(path, error) from error


def unique_names(
    paths: Sequence[Source], given: Mapping[Source, str] | None = None, taken: Iterable[str] = ()
) -> dict[Source, str]:
    """A file name without suffix for each path: its stem ("000"); with its folder ("scratch-000") if several share the stem, in any
    case of letters; and with a part of the path's hash if that is not enough, or too long to take a suffix.

    Args:
        paths: The paths.
        given: Names that some of the paths have already.
        taken: Names that none of the others may have.
    """
    names = dict(given or {})
    used = {name.casefold() for name in chain(taken, names.values())}
    left = dict.fromkeys(paths)
    for spell in (_stem, _with_folder):  # a stem has precedence over an equal name with a folder or a hash
        spelled = {path: spell(path) for path in left}
        shared = Counter(name.casefold() for name in spelled.values())
        for path, name in spelled.items():
            folded = name.casefold()
            if path not in names and shared[folded] == 1 and folded not in used and not _is_long(name):
                names[path] = name
                used.add(folded)
    for path in left:
        if path not in names:
            names[path] = next(name for name in _hashed(path) if name.casefold() not in used)
            used.add(names[path].casefold())
    return {path: names[path] for path in paths}


def spellings(stem: str, sha256: str) -> Iterator[str]:
    """The names that the drawings of an image may have, by its content: the first one that is free is taken."""
    if not _is_long(stem):
        yield stem
    for length in (12, 64):
        yield f"{stem[:_SHORT_NAME] if _is_long(stem) else stem}-{sha256[:length]}"


def _stem(path: Named) -> str:
    return path.stem


def _with_folder(path: Named) -> str:
    folder = os.path.basename(os.path.dirname(os.path.abspath(path)))  # noqa: PTH100, PTH119, PTH120 a frame is no Path
    return f"{folder}-{path.stem}" if folder else path.stem


def _hashed(path: Named) -> Iterator[str]:
    """Names with more and more of the path's hash."""
    name = next((name for name in (_with_folder(path), path.stem) if not _is_long(name)), path.stem[:_SHORT_NAME])
    digest = sha256(os.fsencode(path)).hexdigest()
    for length in range(8, 41):
        yield f"{name}-{digest[:length]}"


def _is_long(stem: str) -> bool:
    return len(os.fsencode(stem)) > _LONGEST_NAME


def drawn_name(record: Record) -> str | None:
    """The name of the drawings of a record; None if there are none."""
    return next((PurePosixPath(record[kind]).stem for kind in DRAWINGS if kind in record), None)


def _had_another_rule(run: Mapping[str, object]) -> bool:
    """Whether the version that made results calibrated by a rule that run.json did not name yet."""
    count = respelled(run).get("reference_count")
    return "calibration" not in run and isinstance(count, int) and count > 1
