"""Stations for others: the version in force, with everything that it needs and without what people said of its images."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from oddlens.calibration import Calibration, percent_up
from oddlens.errors import as_argument, counted, printable
from oddlens.io.new_folder import new_folder
from oddlens.sharing.bundle import CARD, write_bundle
from oddlens.sharing.card import card, facts
from oddlens.sharing.place import parse_place
from oddlens.sharing.transport import pulled, push, take
from oddlens.station import StationState, Version, read_station, write_station
from oddlens.station.folder import LOG


def push_station(folder: str | os.PathLike[str], place: str, *, private: bool = True) -> str:
    """Push a station's version in force. Feedback, the log and earlier versions stay where they are.

    Args:
        folder: The station.
        place: A new folder, or hf://owner/name.
        private: Whether a repository that is made can be seen by nobody else.

    Returns:
        Where it is now.

    Raises:
        UsageError: There is no station, the place cannot be used, or the station holds files that need trust, as .pth.
        ModelError: A file of the station is damaged, or the hub does not take it.
    """
    to = parse_place(place, exists=False)
    state = read_station(folder)
    name = printable(Path(folder).absolute().name)
    number = 0 if state.version is None else state.version.number

    def fill(made: Path, before: str | None) -> None:
        write_station(state, made, verb="push", what=f"pushed as version {number} of {name}")
        (made / LOG).unlink(missing_ok=True)
        write_bundle(made, "station", _identity(state))
        text = card(f"{name}: a station of oddlens", state.identity.method, _body(state, name), before)
        (made / CARD).write_text(text, encoding="utf-8")

    return push(to, fill, f"Station {name}, version {number}", private=private)


def pull_station(place: str, folder: str | os.PathLike[str]) -> Version:
    """Pull a station into a new folder. Every file is checked by its SHA-256 before anything is there.

    Args:
        place: A folder, or hf://owner/name[@revision].
        folder: The folder to make.

    Returns:
        The version that is in force.

    Raises:
        UsageError: The folder is there already, or the place holds something else.
        ModelError: A file is damaged, or the hub cannot be reached.
    """
    target = Path(folder)
    with pulled(parse_place(place, exists=True), "station", target) as (parts, document), new_folder(target) as made:
        take(parts, document, made)
        version = read_station(made).version
        assert version is not None
    return version


def _identity(state: StationState) -> dict[str, object]:
    """What made a station, with its references."""
    references = state.references
    if references is None:
        return state.identity.to_dict()
    count, digest = len(references.sources), references.content_sha256()
    return replace(state.identity, reference_count=count, references_sha256=digest).to_dict()


def _body(state: StationState, name: str) -> str:
    """What oddlens says of a station."""
    references, thresholds, calibration = state.references, state.thresholds_in_force, state.calibration_in_force
    about: dict[str, object] = {
        "object": state.object_name or "part",
        "method": f"{state.identity.method} on {state.identity.model.name}",
        "good examples": "none" if references is None else counted(len(references.sources), "image"),
        "verdict": thresholds.in_words() or "none: there is no threshold",
        "thresholds from": thresholds.source,
        "promise": thresholds.promise,
    }
    if isinstance(calibration, Calibration):
        about["calibration"] = (
            f"{counted(len(calibration), 'score')} of good images ({calibration.kind}), "
            f"{percent_up(calibration.false_alarm_rate)} of good images NG declared"
        )
    if state.state is not None:
        about["state"] = state.state.stage
    if state.defects is not None:
        about["defects"] = state.defects.summary
    return f"""A station finds what is odd in images of one part. Use it with oddlens:

```console
oddlens station pull hf://OWNER/NAME --to {as_argument(name)}
oddlens detect parts/ --station {as_argument(name)}
```

{facts(about)}

## What made it

{facts(_identity(state))}
"""
