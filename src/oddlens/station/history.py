"""The versions of a station, the way back to one of them, and the log."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypedDict

from oddlens.errors import UsageError, counted
from oddlens.io.atomic import remove
from oddlens.io.paths import is_file, read_bytes
from oddlens.io.strict_json import checked, parse_json
from oddlens.station.document import FORMAT, STATION, VERSIONS, read_document, version_numbers, version_path
from oddlens.station.folder import LOG, add_to_log, locked, read_station, tidy, write_station
from oddlens.station.state import Version, utc_now

_DAMAGED = "-"
"""Stands for the verb of a version whose file says nothing."""


class LogEntry(NamedTuple):
    """Something that was done with a station. time: ISO 8601 in UTC. version: the one in force afterwards."""

    time: str
    verb: str
    what: str
    version: int


class _Line(TypedDict):
    """A line of the log."""

    time: str
    verb: str
    what: str
    version: int


def versions(folder: str | os.PathLike[str]) -> list[Version]:
    """The versions of a station, the newest, which is in force, last.

    An earlier version whose file is damaged is among them, and says so. Raises `UsageError` where there is no station.

    Examples:
        >>> import oddlens
        >>> from oddlens.station import rollback, versions
        >>> detector = oddlens.load("winclip", device="cpu").set_thresholds(image=0.5)
        >>> detector.save("line-3", note="as agreed with quality")
        >>> detector.set_thresholds(image=0.4).save("line-3", note="stricter")
        >>> [(each.number, each.what) for each in versions("line-3")]
        [(1, 'as agreed with quality'), (2, 'stricter')]
        >>> rollback("line-3", 1).what
        'version 1 again'
        >>> oddlens.open_station("line-3", device="cpu").thresholds.image
        0.5
        >>> oddlens.open_station("line-3", device="cpu", version=2).thresholds.image
        0.4
    """
    root = Path(folder)
    document = read_document(root / STATION)
    current = Version.from_dict(document["version"])
    if document["format"] != FORMAT:
        return [current]
    return [*(_earlier(root, number) for number in version_numbers(root) if number < current.number), current]


def _earlier(root: Path, number: int) -> Version:
    path = version_path(root, number)
    try:
        return Version.from_dict(read_document(path)["version"])
    except UsageError:
        return Version(number=number, time="", verb=_DAMAGED, what=f"{VERSIONS}/{path.name} is damaged")


def prune(folder: str | os.PathLike[str], keep: int) -> list[int]:
    """Remove the oldest versions of a station, and the files that no other version names; their numbers.

    The version in force is one of those that stay. The log keeps its lines. A stop leaves a station with more versions.

    Args:
        folder: The station.
        keep: How many versions stay, the newest ones; 1 or more.

    Raises:
        UsageError: There is no station, another program is writing to it, or `keep` is less than 1.
        OddlensError: A file cannot be removed.
    """
    if keep < 1:
        raise UsageError(f"{keep} versions cannot stay: the one in force does, so give 1 or more")
    root = Path(folder)
    with locked(root):
        gone = [each.number for each in versions(root)[:-keep]]
        for number in gone:
            remove(version_path(root, number))
        if gone:
            what = f"{counted(len(gone), 'old version')} removed, up to version {gone[-1]}"
            add_to_log(root, Version(number=read_station_version(root), time=utc_now(), verb="prune", what=what))
        tidy(root)
    return gone


def rollback(folder: str | os.PathLike[str], number: int) -> Version:
    """Put an earlier version of a station in force again, as a new version; where station.json is damaged, any version.

    What was edited by hand in station.json is no version yet, so that one can also go back to the version that was edited.

    Raises `UsageError` where there is no such version, `ModelError` where a file that it names is missing or damaged.
    """
    with locked(folder):
        state = read_station(folder, number)
        if _is_in_force(Path(folder), number):
            raise UsageError(f"version {number} is in force already: give an earlier one")
        return write_station(replace(state, version=None), folder, verb="rollback", what=f"version {number} again")


def _is_in_force(root: Path, number: int) -> bool:
    """Whether station.json says what a version says."""
    with suppress(UsageError):
        current = read_document(root / STATION)
        return current["version"]["number"] == number and (
            current["format"] != FORMAT or current == read_document(version_path(root, number))
        )
    return False


def read_station_version(folder: str | os.PathLike[str]) -> int:
    """The number of the version in force. Raises `UsageError` where there is no station."""
    return read_document(Path(folder) / STATION)["version"]["number"]


def read_log(folder: str | os.PathLike[str]) -> list[LogEntry]:
    """What was done with a station, in its order. A line that was not written to its end is passed over; its version stands for it.

    Raises `UsageError` where there is no station.
    """
    there = versions(folder)
    known = [LogEntry(each.time, each.verb, each.what, each.number) for each in there if each.verb != _DAMAGED]
    newest = there[-1].number
    path = Path(folder) / LOG
    entries = []
    for line in read_bytes(path).splitlines() if is_file(path) else ():
        try:
            found = checked(parse_json(line), _Line)
        except ValueError:
            continue
        if 1 <= found["version"] <= newest:
            entries.append(LogEntry(found["time"], found["verb"], found["what"], found["version"]))
    written = set(entries)
    entries += [entry for entry in known if entry not in written]
    return sorted(entries, key=lambda entry: entry.version)  # which keeps the order within a version
