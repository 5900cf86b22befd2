"""What the last comparison with the line said of a station's calibration: STATION/line.json, until it is calibrated anew.

A comparison with the sample that a station keeps of its line counts as long as the sample is there: where its images were deleted,
as those of a trial, they say nothing any more.

Runs and services write it beside the versions, which it does not change; a station that cannot be written goes without.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from oddlens.calibration import Calibration, Exchangeability
from oddlens.errors import OddlensError
from oddlens.io.atomic import write_text
from oddlens.io.paths import read_bytes
from oddlens.io.strict_json import checked, parse_json
from oddlens.station.learning import kept_count
from oddlens.station.state import StationState, utc_now

LINE = "line.json"
"""The file in STATION."""


class _Document(TypedDict):
    """calibration: the SHA-256 of what was compared. compared: see `ExchangeabilityDocument`."""

    calibration: str
    compared: dict[str, object]


def keep_comparison(
    station: str | os.PathLike[str], calibration: Calibration, found: Exchangeability
) -> Exchangeability:
    """Keep what a comparison found, with its time; the same that was found earlier keeps its own."""
    known = last_comparison(Path(station), calibration)
    if known == found:
        return known
    found = replace(found, time=utc_now())
    document: _Document = {"calibration": calibration.sha256, "compared": {**found.to_dict()}}
    with suppress(OddlensError):
        write_text(Path(station) / LINE, json.dumps(document, indent=2) + "\n")
    return found


def with_comparison(state: StationState, station: Path) -> StationState:
    """The station with what the last comparison said of its calibration, where there was one."""
    calibration = state.calibration_in_force
    if state.state is None or calibration is None or (found := last_comparison(station, calibration)) is None:
        return state
    return replace(state, state=replace(state.state, tested=found))


def last_comparison(station: Path, calibration: Calibration) -> Exchangeability | None:
    """What the last comparison said of a calibration; None without one.

    What is damaged is as if it were not there: the next run compares again. So is what was found of images that were deleted since.
    """
    with suppress(OSError, ValueError, OddlensError):
        document = checked(parse_json(read_bytes(station / LINE)), _Document)
        if document["calibration"] == calibration.sha256:
            found = Exchangeability.from_dict(document["compared"])
            return None if found.groups == "line" and kept_count(station) < found.later else found
    return None
