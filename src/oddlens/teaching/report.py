"""What programs ask of a station: which good images are doubtful, what is promised, and what a change would turn."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from oddlens.calibration import Vetting, chosen, given_beside, vet
from oddlens.calibration.conformal import declared_bound, moved_bound
from oddlens.detection import Verdict
from oddlens.detector import Detector
from oddlens.errors import OddlensError
from oddlens.io.images import ImageInput, read_image
from oddlens.station.learning import ENOUGH
from oddlens.teaching.calibrating import sample_of

Document = dict[str, object]
"""JSON values."""


class DoubtfulError(OddlensError):
    """Good images are doubtful, and nobody said that they are good."""

    def __init__(self, vetting: Vetting) -> None:
        super().__init__(f"{vetting.sentence} Say which of them are good, or leave them out; nothing was changed.")
        self.vetting = rows_of(vetting)


def rows_of(vetting: Vetting) -> list[Document]:
    """Good images that were looked at, the most doubtful first."""
    return [
        {
            "name": row.source,
            "digest": row.observation.digest,
            "score": row.observation.score,
            "p_value": row.p_value,
            "flagged": bool(row.reasons),
            "reason": ", ".join(row.reasons) or None,
        }
        for row in vetting.rows
    ]


def refuse_doubtful(vetting: Vetting, accepted: Collection[str], known: Collection[str] = ()) -> None:
    """Raise `DoubtfulError` for a doubtful image that nobody accepted.

    accepted: names, or the word all. known: digests of images that nobody is asked about again.
    """
    doubtful = [row for row in vetting.flagged if row.observation.digest not in known and row.source not in accepted]
    if doubtful and "all" not in accepted:
        raise DoubtfulError(vetting)


def references_of(detector: Detector) -> list[Document]:
    """The references, with what each scores against the others."""
    references = detector.references
    if references is None:
        return []
    empty: Document = {"score": None, "p_value": None, "flagged": False, "reason": None}
    rows = [empty] * len(references)
    if detector.calibration() is not None and len(references) > 1 and not detector.recipe.alone:
        seen = detector.observe(looks=False)
        vetting = vet(seen)
        found = {id(row.observation): each for row, each in zip(vetting.rows, rows_of(vetting), strict=True)}
        rows = [found[id(image)] for image in seen]  # names may stand twice
    return [
        {
            "source": Path(source).name,
            "digest": references.digests[number] if references.digests else None,
            "size": list(references.sizes[number]),
        }
        | {name: rows[number][name] for name in empty}
        for number, source in enumerate(references.sources)
    ]


def calibration_document(detector: Detector, station: str | os.PathLike[str]) -> Document:
    """What the thresholds of a station rest on, and the bounds that hold wherever a handle is moved. detector: it, opened."""
    calibration = detector.calibration()
    thresholds = chosen(detector.thresholds, calibration)
    scores = [] if calibration is None else sorted(calibration.scores)
    count = len(scores)
    ranks = () if calibration is None or calibration.broken else range(count + 1)
    defects = detector.defects
    review_rate = None if calibration is None else calibration.review_rate
    if calibration is not None and calibration.thresholds.review is None:
        review_rate = 0.0  # the images are too few for any
    return {
        "kind": None if calibration is None else calibration.kind,
        "count": count,
        "scores": scores,
        "false_alarm_rate": None if calibration is None else calibration.false_alarm_rate,
        "review_rate": review_rate,
        "threshold": thresholds.image,
        "review_threshold": thresholds.review,
        "promise": thresholds.promise,
        "statement": None if calibration is None else calibration.statement,
        "by_hand": [] if calibration is None else given_beside(calibration, thresholds),
        "bounds": [moved_bound(count, rank) for rank in ranks],
        "declared": [declared_bound(count, rank) for rank in ranks],
        "bad": [] if defects is None else sorted(each.score for each in defects.known),
        "learning": {"kept": len(sample_of(detector, station)), "enough": ENOUGH},
    }


class Turned(NamedTuple):
    """An image of which a new version of a station says something else than the version in force says of it now.

    What was kept when the image was inspected may be a third verdict, of an earlier version.
    """

    id: int
    now: Verdict | None
    then: Verdict | None
    score_now: float
    score_then: float


def turned(old: Detector, new: Detector, images: Iterable[tuple[int, ImageInput]]) -> list[Turned]:
    """Those of some images, by number, of which a new version says something else than the old one. What is damaged is none.

    They were inspected before, so that no limit on their size counts.
    """
    found = []
    for number, image in images:
        try:
            encoded = new.encode_pictures([read_image(image, max_megapixels=math.inf)])
            (then,), (now,) = (each.predict(encoded, each.object_name) for each in (new, old))
        except OddlensError:
            continue
        if now.verdict != then.verdict:
            found.append(Turned(number, now.verdict, then.verdict, now.score, then.score))
    return found
