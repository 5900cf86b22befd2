"""Other references of a station, and what becomes of its thresholds."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace

from oddlens.calibration import Accepted, Calibration, Rates, Readiness
from oddlens.detector import Detector
from oddlens.detector.embedding import embeddings_of
from oddlens.encoding import EncodedBatch, joined
from oddlens.errors import OddlensWarning, UsageError, counted
from oddlens.io.images import Picture


def calibrate_by_some(detector: Detector, references: EncodedBatch, rates: Rates) -> None:
    """Thresholds by some of a detector's references, two or more, each held against the others of these.

    rates: Where these are too few for them, the thresholds follow the rule for their number.
    """
    these = detector.with_references(references)
    if suffices(rates, len(references)):
        these.calibrate_by(rates)
    calibration = these.calibration(detector.object_name)
    assert calibration is not None
    detector.calibrate_by(calibration)


def suffices(rates: Rates, count: int) -> bool:
    """Whether so many images are enough for these rates."""
    try:
        rates.check(count)
    except UsageError:
        return False
    return True


def without(references: EncodedBatch, digests: Collection[str]) -> EncodedBatch:
    """The references that are not named by the digest of their pixels; all where nobody knows these."""
    if not references.digests:
        return references
    return joined([references[n : n + 1] for n, digest in enumerate(references.digests) if digest not in digests])


def remove_references(detector: Detector, digests: Collection[str]) -> None:
    """Take references out, by the digests of their pixels. What is known of the line stays; thresholds of the references go."""
    references = detector.references
    if references is None:
        return
    scene, state, accepted = detector.scene, detector.state, detector.accepted
    left = without(references, digests)
    detector.references = left if len(left) else None
    if scene is not None and len(left):
        detector.scene = replace(scene, references=embeddings_of(left))
    detector.state = state
    if accepted is not None:
        gone = set(references.sources) - set(left.sources)
        detector.accepted = Accepted.of((), accepted, kept=accepted.reasons.keys() - gone)


def change_references(
    detector: Detector, joining: Sequence[Picture] = (), leaving: Collection[str] = (), flagged: Collection[str] = ()
) -> list[str]:
    """Add and remove references by hand; what became of the thresholds, in words.

    Thresholds of the references are made anew, at the same rates. Those of other good images stay where references only join,
    which makes no score higher; where one goes they do not hold any more.

    Args:
        detector: It is changed.
        joining: Images that join.
        leaving: Digests of references that go.
        flagged: Digests of references that joined because they were flagged, which make no thresholds.

    Raises:
        UsageError: There is no such reference, none would be left, or the method takes none.
        ImageError: An image cannot be used.
    """
    known = () if detector.references is None else detector.references.digests
    if missing := [digest for digest in leaving if digest not in known]:
        raise UsageError(f"there is no reference {missing[0][:12]}: it may be removed by now")
    if leaving and len(known) - len(leaving) + len(joining) < max(1, detector.least_references):
        raise UsageError("the last references cannot go: add others first")
    before, said = detector.calibration(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OddlensWarning)  # what becomes of the calibration is said below
        if leaving:
            remove_references(detector, leaving)
            said.append(f"{counted(len(leaving), 'reference')} removed.")
        if joining:
            count = len(known) - len(leaving)
            detector.add_references(list(joining))
            added = len(detector.references or ()) - count
            said.append(f"{counted(added, 'reference')} added." if added else "All of them are references already.")
        said.append(_thresholds(detector, before, bool(leaving), flagged))
    return [each for each in said if each]


def _thresholds(detector: Detector, before: Calibration | None, removed: bool, flagged: Collection[str]) -> str:
    references = detector.references
    if before is not None and before.kind == "split" and not removed:
        detector.calibrate_by(before)
        return "The thresholds stay."
    if references is None or len(references) < 2:
        return "There are too few references for thresholds."
    others = without(references, flagged)
    if len(others) < 2:
        return "The thresholds do not hold any more: calibrate the station again."
    rates = Rates() if before is None or before.kind == "split" else before.rates
    if len(others) < len(references):
        calibrate_by_some(detector, others, rates)
    else:
        detector.calibrate_by(rates if suffices(rates, len(others)) else Rates())
    detector.state = Readiness("learning")
    if detector.scene is None:
        detector.scene = detector.scene_of()
    return f"The thresholds were made anew, by {len(others)} references, each against the others."
