"""What a detector is, in a few lines, for notebooks."""

from __future__ import annotations

from oddlens.detection import Thresholds
from oddlens.errors import counted, shortened


def summary(
    model: str, object_name: str, references: int, preparation: str, thresholds: Thresholds
) -> list[tuple[str, str]]:
    """Names and what they are; an empty text where there is nothing to say.

    references: how many. preparation: in words. thresholds: those in force, as far as they are computed.
    """
    said = thresholds.in_words()
    later = "of the references, at the first image" if references > 1 else "none: no verdict"
    return [
        ("model", model),
        ("object", shortened(object_name)),
        ("references", counted(references, "image")),
        ("images", preparation),
        ("thresholds", said or later),
        ("from", thresholds.source or ""),
        ("promise", thresholds.promise or ""),
    ]
