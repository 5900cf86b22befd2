"""Stations on disk: what a detector is, as plain values and arrays, in a folder with everything needed to detect again.

    STATION/station.json          the version in force: what makes the detections (`provenance.Identity`), thresholds, references
    STATION/versions/0001.json    every version, in the same form
    STATION/files/                what they name, by SHA-256 (see `oddlens.station.files`)
    STATION/line.json             the last comparison with the line (see `oddlens.station.comparison`)
    STATION/log.jsonl             what was done with the station, a line each (see `oddlens.station.history`)

docs/guides/stations.md has it field by field. A version is never changed: what is written next is a new one. station.json is
replaced last and in one step, so that a program that is killed leaves the station as it was.

This module needs no torch and knows no detector: `Detector.save` fills a `StationState`, `oddlens.open_station` makes a detector of
one. Formats 1 to 4 of earlier versions, which have one version and a file of each kind beside station.json, are read too, and
become version 1 of a station that is written over them. 1 has no checksums of weights and references, 1 and 2 nest the model, and
1 to 3 do not say how thresholds were calibrated: they are made anew of the references, by the rule of today, and only those given
by hand stay as they are.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oddlens.errors import OddlensError, UsageError, printable, shortened
from oddlens.io.atomic import append, write_text
from oddlens.io.lock import FolderLock
from oddlens.io.paths import is_dir, is_file, matching, read_bytes
from oddlens.station import files
from oddlens.station.comparison import with_comparison
from oddlens.station.contents import to_document, to_state
from oddlens.station.document import (
    FORMAT,
    REFERENCES,
    STATION,
    VERSIONS,
    Document,
    is_later_format,
    last_whole_version,
    parse_document,
    read_document,
    version_numbers,
    version_path,
)
from oddlens.station.state import StationState, Version, utc_now

LOG = "log.jsonl"
FEEDBACK = "feedback.jsonl"


def read_station(folder: str | os.PathLike[str], version: int | None = None) -> StationState:
    """What a station says, checked as far as it can be without its model; every file by its SHA-256.

    version: an earlier one; None: the one in force, with what its line said of it since (see `oddlens.station.comparison`).

    Raises `UsageError` where there is no station, or no such version, or the document is damaged, `ModelError` where a file is
    missing, damaged, or another one.
    """
    root = Path(folder)
    state = to_state(read_version(root, version), root)
    return state if version is not None else with_comparison(state, root)


def read_version(root: Path, version: int | None = None) -> Document:
    """The document of a version, None: of the one in force. Raises `UsageError` as `read_station`; no file but it is read."""
    if version is None:
        return read_document(root / STATION)
    numbers = version_numbers(root)
    try:
        current = read_document(root / STATION)
    except UsageError:
        if not numbers:
            raise
    else:
        newest = current["version"]["number"]
        earlier = numbers if current["format"] == FORMAT else []  # a program that was killed may have left later ones
        numbers = [*(number for number in earlier if number < newest), newest]
        if version == newest and newest not in earlier:
            return current
    if version not in numbers:
        first, last = numbers[0], numbers[-1]
        there = f"version {first}" if first == last else f"versions {first} to {last}"
        raise UsageError(f"{printable(str(root))} has no version {shortened(version)}: it has {there}")
    return read_document(version_path(root, version))


def write_station(
    state: StationState, folder: str | os.PathLike[str], *, verb: str = "save", what: str = "saved"
) -> Version:
    """Write a station, as the next version where one is there. What it names is copied.

    verb, what: what is being done, for the list of versions and the log.

    Raises `UsageError` for a folder that holds something else, a station of a later version of oddlens, or one that another
    program is writing to; `OddlensError` where the disk takes no more.
    """
    root = Path(folder)
    refuse_other_files(root)
    with locked(root, new=True):
        files.remove_temporaries(root)
        version = Version(number=_adopt_current(root) + 1, time=utc_now(), verb=verb, what=what)
        text = _written(root, to_document(state, version, root))
        try:
            write_text(root / STATION, text)  # last: a station without it is not one
        except OddlensError:
            with suppress(OSError):
                version_path(root, version.number).unlink()  # it never was in force
            raise
        add_to_log(root, version)
        tidy(root)
    return version


_HELD = threading.local()
"""The stations that a thread has locked, so that a verb can lock one for as long as it runs and write it meanwhile."""


@contextmanager
def locked(folder: str | os.PathLike[str], *, new: bool = False) -> Iterator[None]:
    """Lock a station against other writers; what the same thread writes inside is let through.

    new: whether the folder may be no station yet.

    Raises `UsageError` where another program is writing to it, or where there is no station.
    """
    root = Path(os.path.realpath(folder))
    held: set[Path] = _HELD.__dict__.setdefault("stations", set())
    if root in held:
        yield
        return
    if not new:
        check_is_station(Path(folder))  # no folder is made for what is none
    lock = FolderLock(
        root, f"another program is writing to the station {printable(os.fspath(folder))}: try again later"
    )
    lock.acquire()
    held.add(root)
    try:
        yield
    finally:
        held.discard(root)
        lock.release()


def check_is_station(root: Path) -> None:
    """Raise `UsageError` for a folder that is no station. One with a damaged station.json and a whole version is one."""
    if last_whole_version(root) is None:
        read_document(root / STATION)


def add_to_log(folder: str | os.PathLike[str], version: Version) -> None:
    """Append a line to the log of a station: what was done, and the version after it. One that cannot be written stops nothing."""
    entry = {"time": version.time, "verb": version.verb, "what": version.what, "version": version.number}
    with suppress(OddlensError):
        append(Path(folder) / LOG, json.dumps(entry).encode() + b"\n")


def _written(root: Path, document: Document) -> str:
    """A document among the versions of a station; its text."""
    text = json.dumps(document, indent=2) + "\n"
    write_text(version_path(root, document["version"]["number"]), text)
    return text


def _adopt_current(root: Path) -> int:
    """Make what station.json says the last of the versions, where it is not; its number. 0 where there is nothing."""
    numbers = version_numbers(root)
    try:
        data = read_bytes(root / STATION)
    except OSError:
        return max(numbers, default=0)
    try:
        document = parse_document(data, root / STATION)
    except UsageError:
        if _is_of_later_version(data):
            raise
        return max(numbers, default=0)  # it is damaged: the earlier versions stay
    version = Version.from_dict(document["version"])
    if document["format"] != FORMAT:
        with suppress(OddlensError):  # it is damaged, or nothing vouches for its references
            state = to_state(document, root)
            if state.is_sealed:
                _written(root, to_document(state, version, root))
                return version.number
        return 0
    path = version_path(root, version.number)
    if not is_file(path) or read_bytes(path) != data:
        edited = Version(number=version.number + 1, time=utc_now(), verb="edit", what=f"{STATION} was edited by hand")
        _written(root, {**document, "version": edited.to_dict()})
        return edited.number
    return version.number


def _is_of_later_version(data: bytes) -> bool:
    try:
        return is_later_format(json.loads(data)["format"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def tidy(root: Path) -> None:
    """Remove what formats 1 to 4 left beside station.json, versions that a killed writer left, and files that no version names.

    Of what such a format called `weights.*`, `model/*` and `references.safetensors` only that goes which a version holds by its
    SHA-256: the rest is the user's own. What cannot be removed stays. A station that is of such a format still, or is damaged, is
    left alone.
    """
    with suppress(OSError, ValueError, UsageError):
        current = read_document(root / STATION)
        if current["format"] != FORMAT:
            return
        texts = [read_bytes(root / STATION).decode()]
        for path in matching(root, f"{VERSIONS}/*.json"):
            if path.stem.isdecimal() and int(path.stem) > current["version"]["number"]:
                path.unlink()
            else:
                texts.append(read_bytes(path).decode())
        files.remove_unnamed(root, texts)
        earlier = [*matching(root, f"{files.MODEL}/*"), *matching(root, "weights.*"), root / REFERENCES]
        files.remove_copies(filter(is_file, earlier), texts)
        with suppress(OSError):
            (root / files.MODEL).rmdir()  # only where it is empty


def refuse_other_files(root: Path) -> None:
    """Raise `UsageError` for a folder that holds something and no station. What a stopped `write_station` left may lie there."""
    if is_file(root / STATION):
        return
    other = next((path for path in matching(root, "*") if not path.name.startswith(".") and not _is_ours(path)), None)
    if other is not None:
        raise UsageError(
            f"{printable(str(root))} is no station and holds other files ({printable(other.name)}): give an empty or a new folder"
        )


def _is_ours(path: Path) -> bool:
    inside = [each for each in matching(path, "*") if not each.name.startswith(".")] if is_dir(path) else []
    if path.name == files.FOLDER:
        return all(map(files.is_ours, inside))
    if path.name == VERSIONS:
        return all(each.suffix == ".json" and each.stem.isdecimal() for each in inside)
    return path.name in (LOG, FEEDBACK) and is_file(path)
