"""What a person says of an inspection: as an entry of the history, and as a mark that its station learns of."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import get_args

from oddlens.errors import UsageError, check_name
from oddlens.history.drawing import pixel_digest
from oddlens.history.pictures import Pictures
from oddlens.history.records import FeedbackEntry, Inspection
from oddlens.station import utc_now
from oddlens.station.defects import check_defect_name
from oddlens.station.feedback import Judged, Mark, Said, add_feedback, said_by

LONGEST_COMMENT = 2000
"""Letters."""


def entry_of(
    found: Inspection,
    *,
    judged: Judged | None = None,
    said: Said | None = None,
    defect: str | None = None,
    comment: str | None = None,
    reviewer: str | None = None,
) -> FeedbackEntry:
    """What a person says of an inspection now.

    Args:
        found: The inspection.
        judged: Whether its verdict is right.
        said: What the part is; None: as `judged` says it.
        defect: What the defect is called; of a part that is not bad it is left out.
        comment: What else there is to say.
        reviewer: Who says it.

    Raises `UsageError` where nothing is said, and for a comment, a defect or a name that cannot be.
    """
    if said is None and judged is None:
        raise UsageError(f"nothing is said: give judged, one of {', '.join(get_args(Judged))}, or said")
    said = said or said_by(judged or "unsure", found.verdict)
    if reviewer is not None:
        check_name("the reviewer's name", reviewer)
    if comment is not None and len(comment) > LONGEST_COMMENT:
        raise UsageError(f"the comment has {len(comment)} letters: give at most {LONGEST_COMMENT}")
    return FeedbackEntry(
        inspection_id=found.id,
        said=said,
        defect=check_defect_name(defect) if defect and said == "bad" else None,
        comment=comment or None,
        reviewer=reviewer,
        time=datetime.now(UTC),
    )


def tell_station(
    folder: str | os.PathLike[str], pictures: Pictures, found: Inspection, entry: FeedbackEntry
) -> str | None:
    """Mark the image of an inspection, so that its station can learn of it.

    Args:
        folder: The station.
        pictures: Where the image is kept.
        found: The inspection.
        entry: What is said of it.

    Returns why the station cannot learn of it, in a sentence; None where it can.
    """
    path = pictures.path(found.digest)
    if found.score is None or path is None:
        return "the station cannot learn from it: " + (
            "it could not be inspected" if found.score is None else "the image is no longer kept"
        )
    mark = Mark(
        time=utc_now(),
        image=str(path.resolve()),
        sha256=pixel_digest(pictures, found),
        said=entry.said,
        verdict=found.verdict,
        score=found.score,
        audit=found.audit,
        defect=entry.defect,
        comment=entry.comment,
        reviewer=entry.reviewer,
        version=found.station_version,
    )
    add_feedback(folder, [mark])
    return None
