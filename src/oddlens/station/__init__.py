"""Stations on disk: a saved detector as a folder, with all its versions. See `oddlens.station.folder`."""

from oddlens.station.check import Check, Share
from oddlens.station.document import FORMAT, REFERENCES
from oddlens.station.folder import (
    FEEDBACK,
    add_to_log,
    locked,
    read_station,
    refuse_other_files,
    write_station,
)
from oddlens.station.history import LogEntry, prune, read_log, rollback, versions
from oddlens.station.state import SECTIONS, SavedReferences, Section, StationState, Version, utc_now

__all__ = [
    "FEEDBACK",
    "FORMAT",
    "REFERENCES",
    "SECTIONS",
    "Check",
    "LogEntry",
    "SavedReferences",
    "Section",
    "Share",
    "StationState",
    "Version",
    "add_to_log",
    "locked",
    "prune",
    "read_log",
    "read_station",
    "refuse_other_files",
    "rollback",
    "utc_now",
    "versions",
    "write_station",
]
