"""The versions of a station, the way back to one of them, and the log."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from oddlens.errors import UsageError
from oddlens.io.paths import is_file, read_bytes
from oddlens.io.strict_json import form_fault, parse_json
from oddlens.station.document import FORMAT, STATION, read_document
from oddlens.station.folder import LOG, locked, read_station, version_path, write_station
from oddlens.station.state import Version


class LogEntry(NamedTuple):
    """Something that was done with a station. time: ISO 8601 in UTC. version: the one in force afterwards."""

    time: str
    verb: str
    what: str
    version: int


_FORM: dict[str, Any] = {"time": str, "verb": str, "what": str, "version": int}


def versions(folder: str | os.PathLike[str]) -> list[Version]:
    """The versions of a station, the newest, which is in force, last.

    Raises `UsageError` where there is no station, or a version is damaged.

    Example:
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
    paths = [version_path(root, number) for number in range(1, current.number)]
    return [*(Version.from_dict(read_document(path)["version"]) for path in paths if is_file(path)), current]


def rollback(folder: str | os.PathLike[str], number: int) -> Version:
    """Put an earlier version of a station in force again, as a new version.

    Raises `UsageError` where there is no such version, `ModelError` where a file that it names is missing or damaged.
    """
    with locked(folder):
        state = read_station(folder, number)
        newest = read_station_version(folder)
        if number == newest:
            raise UsageError(f"version {number} is in force already: give an earlier one")
        return write_station(replace(state, version=None), folder, verb="rollback", what=f"version {number} again")


def read_station_version(folder: str | os.PathLike[str]) -> int:
    """The number of the version in force. Raises `UsageError` where there is no station."""
    number: int = read_document(Path(folder) / STATION)["version"]["number"]
    return number


def read_log(folder: str | os.PathLike[str]) -> list[LogEntry]:
    """What was done with a station, in its order. A line that was not written to its end is passed over; its version stands for it.

    Raises `UsageError` where there is no station.
    """
    known = {each.number: LogEntry(each.time, each.verb, each.what, each.number) for each in versions(folder)}
    path = Path(folder) / LOG
    entries = []
    for line in read_bytes(path).splitlines() if is_file(path) else ():
        try:
            found = parse_json(line)
        except ValueError:
            continue
        if not form_fault(found, _FORM) and found["version"] in known:
            entries.append(LogEntry(**{name: found[name] for name in _FORM}))
    written = set(entries)
    entries += [entry for entry in known.values() if entry not in written]
    return sorted(entries, key=lambda entry: entry.version)  # which keeps the order within a version
