"""What a station is, on the screen."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oddlens.errors import printable

if TYPE_CHECKING:
    from oddlens.detection import Marking
    from oddlens.station import SectionValue, StationState

_SHOWN = 4
"""Names of references that are shown."""

_WIDTH = 20
"""Characters before a value."""

_TITLES = {
    "roi": "region of interest",
    "preparation": "preparation",
    "state": "state",
    "accepted": "accepted",
}
"""The sections that the page shows."""


def print_station(folder: Path, version: int | None = None, *, as_json: bool = False) -> None:
    """Print the page, or all that the document of a version says. Raises as `read_station` does."""
    from oddlens.station import read_station
    from oddlens.station.feedback import estimates, read_feedback
    from oddlens.station.folder import read_version

    state, marks = read_station(folder, version), read_feedback(folder).last
    if as_json:
        document = dict(read_version(folder, version)) | {"in_force": state.thresholds_in_force.to_dict()}
        document["feedback"] = estimates(marks).to_dict() | {"marked": len(marks)}
        print(json.dumps({"station": str(folder), **document}, indent=2))
        return
    for line in _lines(folder, state):
        print(printable(line))
    if marks:
        for line in _fact("feedback", " ".join([f"{len(marks)} images were marked.", *estimates(marks).sentences])):
            print(line)


def _lines(folder: Path, state: StationState) -> Iterator[str]:
    made, identity = state.version, state.identity
    assert made is not None
    yield f"station {folder}, version {made.number} of {when(made.time)}: {made.what}"
    yield from _fact("object", state.object_name or "part")
    learned = "" if state.weights is None else ", with learned weights"
    packaged = " (in oddlens)" if state.model is None else ""
    yield from _fact("method", f"{identity.method} on {identity.model.name}{packaged}{learned}")
    references = state.references
    if references is None:
        yield from _fact("references", "none")
    else:
        names = [*references.sources[:_SHOWN], *(["..."] if len(references.sources) > _SHOWN else [])]
        yield from _fact("references", f"{len(references.sources)}: {', '.join(names)}")
    if state.image_size is not None:
        width, height = state.image_size
        yield from _fact("images", f"{width} x {height} pixels")
    if state.marking is not None:
        yield from _fact("marking", marked(state.marking))
    for name, title in _TITLES.items():
        if (value := getattr(state, name)) is not None:
            yield from _fact(title, _summary(value))
    if state.defects is not None:
        yield from _fact("defects", state.defects.summary)
    yield from _threshold_lines(state)


def _threshold_lines(state: StationState) -> Iterator[str]:
    thresholds, calibration = state.thresholds_in_force, state.calibration_in_force
    if thresholds.image is None:
        yield from _fact(
            "verdict", "none: there is no threshold ('oddlens calibrate' or 'oddlens station set --threshold')"
        )
    else:
        review = "" if thresholds.review is None else f", review above {thresholds.review:.4g}"
        yield from _fact("verdict", f"NG above {thresholds.image:.4g}{review}")
    if thresholds.pixel is not None:
        yield from _fact("marked", f"where the map is above {thresholds.pixel:.4g}")
    if thresholds.source is not None:
        yield from _fact("from", thresholds.source)
    if calibration is not None and state.thresholds.image is None:
        rates = f"{100 * calibration.false_alarm_rate:.3g} % of good images NG, {100 * calibration.review_rate:.3g} % to review"
        yield from _fact("declared", rates)
    if thresholds.promise is not None:
        yield from _fact("promise", thresholds.promise)


def marked(marking: Marking) -> str:
    """Which regions are marked, in words."""
    scale = "" if marking.mm_per_pixel is None else f", a pixel is {marking.mm_per_pixel:g} mm wide"
    return f"regions from {marking.min_area:g} {marking.unit} on are marked{scale}"


def when(time: str) -> str:
    """A time of a version or of the log, for people; "-" where it is not known."""
    return f"{time[:10]} {time[11:16]} UTC" if time.endswith("+00:00") else time or "-"


def _fact(name: str, value: str) -> Iterator[str]:
    """A fact as a line, or on a terminal as many as its width asks for."""
    if not sys.stdout.isatty():
        yield f"{name:{_WIDTH}}{value}"
        return
    wrapped = textwrap.wrap(printable(value), max(20, shutil.get_terminal_size().columns - _WIDTH)) or [""]
    yield from (f"{name if not number else '':{_WIDTH}}{line}" for number, line in enumerate(wrapped))


def _summary(value: SectionValue) -> str:
    """A section in a line: its plain values, and how many entries its lists have."""
    assert value is not None
    plain: Mapping[str, Any] = value if isinstance(value, Mapping) else value.to_dict()
    said = []
    for name, each in plain.items():
        title = name.replace("_", " ")
        if isinstance(each, str | int | float) and each != "":
            said.append(f"{title} {each:g}" if isinstance(each, float) else f"{title} {each}")
        elif isinstance(each, list | tuple | dict) and each:
            said.append(f"{len(each)} {title}" if not isinstance(each, dict) else title)
    return ", ".join(said) or "none"
