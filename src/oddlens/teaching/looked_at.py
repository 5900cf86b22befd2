"""Good images that a program brings are looked at before a station is made of them, compares with them, or is calibrated on them.

What is doubtful and nobody accepted raises `DoubtfulError`; nothing is written here.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

from oddlens.calibration import Vetting, chosen, vet
from oddlens.detector import Detector
from oddlens.errors import counted, first_and_more
from oddlens.io.images import Picture
from oddlens.station import read_station
from oddlens.station.feedback import read_feedback
from oddlens.teaching.calibrating import (
    Seen,
    calibrate_station,
    check_count,
    held_against,
    observe_line,
    observe_references,
    of_references,
)
from oddlens.teaching.references import accept_new, change_references, flagged_references
from oddlens.teaching.report import Document, refuse_doubtful, rows_of

On = Literal["references", "learning", "files"]
"""What a station is calibrated on: its references, its sample of the line, or other good images."""


class LookedAt(NamedTuple):
    """What came of good images. what: for the log. sentences: for a person. vetting: see `rows_of`.

    copies: which images are the same as others and count once with them, in a sentence; None: there are none.
    """

    what: str
    sentences: list[str]
    vetting: list[Document]
    copies: str | None = None

    def to_dict(self) -> Document:
        """What a person is told, as JSON values."""
        return {"sentences": self.sentences, "vetting": self.vetting, "copies": self.copies}


def made_of(
    pictures: Sequence[Picture], object_name: str, runtime: str, accept: Collection[str]
) -> tuple[Detector, LookedAt]:
    """A new detector on the embedded model, calibrated on its references. accept: names of doubtful ones that are good."""
    vetted: list[Vetting] = []

    def look(found: Sequence[Vetting]) -> None:
        vetted.extend(found)
        for each in found:
            refuse_doubtful(each, accept)

    detector = of_references(pictures, object_name, runtime, look)
    promise = chosen(detector.thresholds, detector.calibration()).promise
    said = [each.sentence for each in vetted] + ([promise] if promise else [])
    rows = [row for each in vetted for row in rows_of(each)]
    what = f"made of {counted(len(detector.references or ()), 'reference')}"
    copies = [f"{name} is {earlier}" for name, earlier in _same(pictures)]
    if not copies:
        return detector, LookedAt(what, said, rows)
    sentence = f"The same image counts once ({first_and_more(copies, 3)}): the station is {what}."
    what = f"{what} ({counted(len(copies), 'copy', 'copies')} left out)"
    return detector, LookedAt(what, [sentence, *said], rows, sentence)


def _same(pictures: Sequence[Picture]) -> Iterator[tuple[str, str]]:
    """The names of images whose pixels are those of an earlier one, each with the name of that one."""
    first: dict[str, str] = {}
    for each in pictures:
        earlier = first.setdefault(each.digest(), each.source)
        if earlier != each.source:
            yield each.source, earlier


def with_other_references(
    detector: Detector,
    station: str | os.PathLike[str],
    joining: Sequence[Picture] = (),
    leaving: Collection[str] = (),
    accept: Collection[str] | None = (),
) -> LookedAt:
    """Add references of a station and remove some, see `change_references`.

    Args:
        detector: The station, opened; it is changed.
        station: Its folder.
        joining: Images that join.
        leaving: Digests of references that go.
        accept: Names of doubtful images that are good; None: it is only asked what would be, and nothing is refused.
    """
    known = () if detector.references is None else detector.references.digests
    flagged = flagged_references(detector, station)
    if joining:
        flagged |= read_feedback(station).joining & {each.digest() for each in joining} - set(known)
    said = change_references(detector, joining, leaving, flagged)
    rows: list[Document] = []
    if joining and detector.references is not None and len(detector.references) > 1:
        vetting = vet(detector.observe(looks=False))
        rows = rows_of(vetting)
        if accept is not None:
            refuse_doubtful(vetting, accept, known)
            accept_new(detector, vetting, known)
    return LookedAt(" ".join(said), said, rows)


def calibrated_on(
    on: On,
    detector: Detector,
    station: str | os.PathLike[str],
    pictures: Sequence[Picture] = (),
    accept: Collection[str] = (),
    rates: tuple[float | None, float | None] = (None, None),
) -> LookedAt:
    """Set the thresholds of a station by good images, see `calibrate_station`.

    Args:
        on: Which ones.
        detector: The station, opened; it is changed.
        station: Its folder.
        pictures: The images of "files".
        accept: Names of doubtful images that are good.
        rates: The false-alarm rate and the review rate.
    """
    if on == "references":
        seen = observe_references(detector, station)
    elif on == "learning":
        seen = observe_line(detector, station)
    else:
        seen = Seen(detector.observe(pictures))
    check_count(seen)
    vetting = vet(seen.images)
    known = () if detector.accepted is None else detector.accepted.names
    refuse_doubtful(vetting, {*accept, *known})
    earlier = held_against(read_station(station).thresholds_in_force, seen)
    calibrate_station(detector, station, seen, *rates)
    said = [*seen.said, *([] if earlier is None else [earlier.sentence])]
    return LookedAt(f"calibrated on {seen.what}", said, rows_of(vetting))
