"""A station that is asked about another object, or looks elsewhere: all its scores are others."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from oddlens.calibration import Accepted, Calibration, Rates, Readiness
from oddlens.detection import RegionOfInterest
from oddlens.detector import Detector
from oddlens.errors import OddlensWarning, UsageError
from oddlens.station import StationState
from oddlens.station.changes import rates_of
from oddlens.teaching.references import calibrate_by_unflagged, flagged_references, rates_for


class Changed(NamedTuple):
    """What became of a station. said: what changed, in words. remark: what to do now, in a sentence; None: nothing."""

    state: StationState
    said: list[str]
    remark: str | None


def asked_otherwise(
    folder: str | os.PathLike[str],
    detector: Detector,
    state: StationState,
    *,
    object_name: str | None = None,
    roi: RegionOfInterest | None = None,
) -> Changed:
    """Another object or region of interest: all scores are others, and the calibration of other good images is worth nothing.

    Another object is only a name where the method does not ask for it: then nothing else changes.

    Args:
        folder: The station, for what people said of it.
        detector: It, opened; it is changed.
        state: What it says.
        object_name: What is on the images from now on; None: what was.
        roi: Where to look from now on; None: where it was.

    Raises `UsageError` where nothing would be left to set thresholds by.
    """
    said: list[str] = []
    remark = None
    kept = state.calibration if isinstance(state.calibration, Calibration) else None
    split = kept is not None and kept.kind == "split"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OddlensWarning)  # what becomes of the calibration is said below
        if object_name is not None and object_name != detector.object_name:
            said.append(f"object {object_name} (was {detector.object_name})")
            detector.object_name = object_name
            if roi in (None, detector.roi) and not detector.card.needs.object_name:  # it is only a name
                if kept is not None:
                    detector.calibrate_by(replace(kept, object_name=object_name))
                return Changed(detector.to_state(), said, None)
        if roi is not None and roi != detector.roi:
            said.append("another region of interest")
            detector.roi = roi
        if said and kept is not None:
            count = 0 if detector.references is None else len(detector.references)
            detector.calibrate_by(rates_for(kept.rates, count) if count > 1 else Rates())
        if said:
            said += _thresholds_without_flagged(folder, detector, rates_of(state))
    changed = detector.to_state()
    if split and said:
        said.append("without the calibration, which was made for other scores")
        references = () if changed.references is None else changed.references.sources
        changed = replace(
            changed, accepted=Accepted.of((), changed.accepted, kept=references), state=Readiness("learning")
        )
        has_own = changed.leave_one_out is not None or isinstance(changed.calibration, Calibration)
        now = "the thresholds are those of its references" if has_own else "it has no thresholds"
        if (given := changed.thresholds.image) is not None:
            now = f"NG above {given:.4g} stays, which was given by hand for the scores of before"
        remark = (
            f"until the station is calibrated again, {now}: give 'oddlens calibrate' other good images (--good), or let it learn "
            "on its line first (--from-learning)"
        )
    return Changed(changed, said, remark)


def _thresholds_without_flagged(folder: str | os.PathLike[str], detector: Detector, rates: Rates) -> Iterator[str]:
    """Thresholds of new scores do not come of references that joined because they were flagged: those would let defects pass."""
    references, flagged = detector.references, flagged_references(detector, folder)
    if references is None or not flagged:
        return
    count = calibrate_by_unflagged(detector, rates, flagged)
    if count < 2:
        raise UsageError(
            "nearly all references joined because they were flagged, so that the station would have no thresholds for its new "
            "scores: make a new station ('oddlens station create')"
        )
    yield f"thresholds by {count} of {len(references)} references (the others were flagged)"
