"""What a station is, on the screen."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.errors import counted, first_and_more, printable

if TYPE_CHECKING:
    from oddlens.detection import RegionOfInterest
    from oddlens.station import StationState

_SHOWN = 4
"""Names of references that are shown."""

_WIDTH = 20
"""Characters before a value."""


def print_station(folder: Path, version: int | None = None, *, as_json: bool = False) -> None:
    """Print the page, or all that the document of a version says. Raises as `read_station` does."""
    from oddlens.station import read_station
    from oddlens.station.feedback import estimates, read_feedback
    from oddlens.station.folder import read_version

    state, marks = read_station(folder, version), read_feedback(folder).last
    if as_json:
        document = dict(read_version(folder, version)) | {"in_force": state.thresholds_in_force.to_dict()}
        tested = None if state.state is None else state.state.tested
        document["compared_with_line"] = None if tested is None else tested.described()
        document["feedback"] = estimates(marks).to_dict() | {"marked": len(marks)}
        print(json.dumps({"station": str(folder), **document}, indent=2))
        return
    for line in _lines(folder, state):
        print(printable(line))
    if marks:
        for line in _fact(
            "feedback",
            " ".join([f"{counted(len(marks), 'image was', 'images were')} marked.", *estimates(marks).sentences]),
        ):
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
        yield from _fact("references", _listed(references.sources))
    if state.image_size is not None:
        width, height = state.image_size
        yield from _fact("images", f"{width} x {height} pixels")
    if state.state is not None:
        sampled = state.state.sampled
        line = f", calibrated on {sampled} images of its line" if sampled else ""
        yield from _fact("state", f"{state.state.stage}{line}")
    if state.accepted is not None:
        yield from _fact("accepted", "; ".join(f"{name} {why}" for name, why in state.accepted.reasons.items()))
    if state.preparation is not None:
        yield from _fact("preparation", str(state.preparation))
    if state.marking is not None:
        yield from _fact("marking", state.marking.in_words())
    if state.roi is not None:
        yield from _fact("region of interest", looked_at(state.roi))
    if state.defects is not None:
        yield from _fact("defects", state.defects.summary)
    yield from _threshold_lines(state)


def _listed(sources: Sequence[str]) -> str:
    """How many there are, and the names of the first; the folder once, where they share it."""
    folders = {os.path.dirname(source) for source in sources}  # noqa: PTH120 a source may be any text
    where = f" of {folders.pop()}" if len(folders) == 1 and "" not in folders else ""
    names = [os.path.basename(source) if where else source for source in sources]  # noqa: PTH119
    return f"{len(sources)}{where}: {first_and_more(names, _SHOWN)}"


def _threshold_lines(state: StationState) -> Iterator[str]:
    from oddlens.calibration import percent_up

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
        to_review = percent_up(calibration.review_rate) if thresholds.review is not None else "none"
        review = f", {to_review} to review" if state.thresholds.review is None else "; review is given by hand"
        yield from _fact("declared", f"{percent_up(calibration.false_alarm_rate)} of good images NG{review}")
    if thresholds.promise is not None:
        yield from _fact("promise", thresholds.promise)


def looked_at(roi: RegionOfInterest) -> str:
    """What a region of interest is made of, in words."""
    parts = [
        f"{counted(len(polygons), 'polygon')} to {what}"
        for polygons, what in ((roi.include, "look in"), (roi.ignore, "ignore"))
        if polygons
    ]
    return ", ".join([*parts, *(["a mask"] if roi.mask is not None else [])])


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
