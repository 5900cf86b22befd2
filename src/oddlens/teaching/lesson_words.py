"""What a lesson did to a station, in words."""

from __future__ import annotations

from collections.abc import Iterator

from oddlens.detection import Thresholds
from oddlens.errors import counted


def what_happened(
    joined: int, left: int, defects: int, named: int, gone: int, remade: bool, has_thresholds: bool
) -> Iterator[str]:
    """What became of references and known defects.

    Args:
        joined: Flagged images that joined the references.
        left: References that were marked bad, and left.
        defects: Images of defective parts that are known now.
        named: Those among them that name others.
        gone: Known ones that changed or went.
        remade: Whether the thresholds were made anew because scores are others.
        has_thresholds: Whether the station has calibrated ones now.
    """
    if joined:
        stays = has_thresholds and not remade and not left
        stay = " The thresholds stay." if stays else ""
        yield (
            f"{counted(joined, 'flagged image joins', 'flagged images join')} the references.{stay} "
            "What was flagged sets no threshold: its high score would raise it, and let defects pass."
        )
    if left:
        yield f"{counted(left, 'image that was', 'images that were')} marked bad left the references."
    if defects:
        by_name = f", {named} by name" if named else ""
        yield (
            f"{counted(defects, 'image of a defective part is', 'images of defective parts are')} known now{by_name}."
        )
    elif named:
        yield f"{counted(named, 'known defect names', 'known defects name')} others now."
    if remade and has_thresholds:  # else something else was said of them
        yield "Scores are others, so the thresholds were made anew, by the references that were not flagged."
    if gone:
        yield f"{counted(gone, 'image of a defective part', 'images of defective parts')} changed or went."


ONE_NAME = "One name has nothing to be chosen from: regions get names when defects of a second name are known."
"""What is said where all named regions of a station have one name."""


def moved(were: Thresholds, now: Thresholds) -> Iterator[str]:
    """Which thresholds are others now, in words."""
    for name, before, after in (
        ("threshold", were.image, now.image),
        ("review threshold", were.review, now.review),
        ("pixel threshold", were.pixel, now.pixel),
    ):
        if before is not None and before != after:
            yield f"The {name} was {before:.4g} and is {'none' if after is None else f'{after:.4g}'} now."


def teaches_nothing(reason: str) -> str:
    """What a station cannot be taught, and what to do instead. reason: `Detector.no_references`."""
    return (
        f"{reason.partition(':')[0]}, so that images that are marked good teach it nothing: to change its verdicts calibrate the "
        "station on good images ('oddlens calibrate --good'), or move its threshold ('oddlens station set --threshold')."
    )
