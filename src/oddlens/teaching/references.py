"""Other references of a station, and what becomes of its thresholds."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace

from oddlens.calibration import Accepted, Calibration, Rates, Readiness, Vetting
from oddlens.detection import Thresholds
from oddlens.detector import Detector
from oddlens.detector.embedding import embeddings_of
from oddlens.encoding import EncodedBatch, joined
from oddlens.errors import OddlensWarning, UsageError, counted
from oddlens.io.images import Picture
from oddlens.station.feedback import read_feedback

GIVEN_FOR_OTHERS = "The thresholds that were given by hand were for other scores, and went."


def flagged_references(detector: Detector, station: str | os.PathLike[str]) -> frozenset[str]:
    """The digests of the references that joined because they were flagged, which make no thresholds.

    Where an earlier version of oddlens did not say it, the marks do: those that would join are the ones that have joined.
    """
    digests = () if detector.references is None else detector.references.digests
    return (read_feedback(station).joining if detector.flagged is None else detector.flagged) & frozenset(digests)


def taken_out(detector: Detector) -> frozenset[str]:
    """The digests of references that joined because they were flagged, and that somebody took out again: no lesson adds them."""
    digests = () if detector.references is None else detector.references.digests
    return (detector.flagged or frozenset()) - frozenset(digests)


def calibrate_by_unflagged(detector: Detector, rates: Rates, flagged: Collection[str]) -> int:
    """Thresholds by the references that were not flagged, each held against the others of these; all stay in the memory.

    Args:
        detector: It is changed, and knows the flagged ones from then on.
        rates: See `rates_for`.
        flagged: Digests of references.

    Returns:
        How many references made them; with fewer than two there are none.
    """
    references = detector.references
    detector.flagged = frozenset(flagged) | taken_out(detector)
    if references is None:
        return 0
    others = without(references, flagged)
    detector.accepted = Accepted.of((), detector.accepted, kept=references.sources)
    if len(others) < 2:
        detector.calibrate_by(Rates())
    elif len(others) < len(references):
        calibrate_by_some(detector, others, rates)
    else:
        detector.calibrate_by(rates_for(rates, len(others)))
    return len(others)


def calibrate_by_some(detector: Detector, references: EncodedBatch, rates: Rates) -> None:
    """Thresholds by some of a detector's references, two or more, each held against the others of these.

    rates: See `rates_for`.
    """
    these = detector.with_references(references)
    these.calibrate_by(rates_for(rates, len(references)))
    calibration = these.calibration(detector.object_name)
    assert calibration is not None
    detector.calibrate_by(calibration)


def rates_for(rates: Rates, count: int) -> Rates:
    """Rates for another number of images: a false-alarm rate that somebody asked for, unless they are too few to promise it."""
    try:
        rates.check(count)
    except UsageError:
        return replace(rates, false_alarm_rate=None)
    return rates


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


def check_some_stay(detector: Detector, leaving: int, joining: int, which: str = "the last references") -> None:
    """Raise `UsageError` where so few references would be left that the method cannot do with them. which: go, for the sentence."""
    known = 0 if detector.references is None else len(detector.references)
    if leaving and known - leaving + joining < max(1, detector.least_references):
        raise UsageError(f"{which} cannot go: add others first, on the page Teach")


def change_references(
    detector: Detector, joining: Sequence[Picture] = (), leaving: Collection[str] = (), flagged: Collection[str] = ()
) -> list[str]:
    """Add and remove references by hand; what became of the thresholds, in words.

    Thresholds of the references are made anew: at the rates that somebody asked for, else at those that their number allows. Those
    of other good images stay where references only join others, which makes no score higher; where one goes, or the first ones
    come, they do not hold any more.

    Args:
        detector: It is changed.
        joining: Images that join.
        leaving: Digests of references that go.
        flagged: Digests of references that joined because they were flagged, which make no thresholds. Those of them that go are
            remembered, so that no lesson adds them again.

    Raises:
        UsageError: There is no such reference, none would be left, or the method takes none.
        ImageError: An image cannot be used.
    """
    known = () if detector.references is None else detector.references.digests
    if missing := [digest for digest in leaving if digest not in known]:
        raise UsageError(f"there is no reference {missing[0][:12]}: it may be removed by now")
    check_some_stay(detector, len(leaving), len(joining))
    before, rates, said = detector.calibration(), detector.rates, []
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
            if 0 < added < len(joining):
                copies = counted(len(joining) - added, "image is a copy", "images are copies")
                said.append(f"{copies} of a reference, and left out: the same image counts once.")
        stay = bool(known) and not leaving
        if not known and detector.thresholds != Thresholds():
            detector.thresholds = Thresholds()
            said.append(GIVEN_FOR_OTHERS)
        said.append(_thresholds(detector, before, rates, stay, flagged))
    return [each for each in said if each]


def made_anew(detector: Detector, count: int) -> str:
    """That references made the thresholds anew, and which ones stay because they were given by hand. count: of the references."""
    by = f"by {count} references, each against the others."
    given = detector.thresholds
    names = {"NG above": given.image, "review above": given.review, "marked above": given.pixel}
    stay = [f"{name} {value:.4g}" for name, value in names.items() if value is not None]
    if not stay:
        return f"The thresholds were made anew, {by}"
    stays = f"What was given by hand stays ({', '.join(stay)})."
    return stays if None not in (given.image, given.pixel) else f"{stays} The other thresholds were made anew, {by}"


def accept_new(detector: Detector, vetting: Vetting, known: Collection[str]) -> None:
    """Note which doubtful references a person accepted: the detector's promise names them. known: digests of those before."""
    earlier = detector.accepted
    new = (row for row in vetting.flagged if row.observation.digest not in known)
    detector.accepted = Accepted.of(new, earlier, () if earlier is None else earlier.names)


def _thresholds(
    detector: Detector, before: Calibration | None, rates: Rates, stay: bool, flagged: Collection[str]
) -> str:
    """What becomes of the thresholds, in words. stay: whether no score is higher than before."""
    references = detector.references
    if before is not None and before.kind == "split" and stay:
        detector.flagged = frozenset(flagged) | taken_out(detector)
        detector.calibrate_by(before)
        return "The thresholds stay."
    count = calibrate_by_unflagged(detector, rates, flagged)
    if references is None or len(references) < 2:
        return "There are too few references for thresholds."
    if count < 2:
        return "The thresholds do not hold any more: calibrate the station again."
    detector.state = Readiness("learning")
    if detector.scene is None:
        detector.scene = detector.scene_of()
    said = made_anew(detector, count)
    if before is not None and before.kind == "split":
        gone = f"The calibration on {counted(len(before), 'other good image')} went with it ({before.thresholds.in_words()})"
        said = f"{gone}: calibrate the station again for its promise. {said}"
    asked = rates.false_alarm_rate
    if asked is None or rates_for(rates, count) == rates:
        return said
    return f"{said} They are too few for the false-alarm rate of {asked:.6g} that was asked for: it is what their number allows."
