"""Thresholds of a station by good images: of which ones they may come, and what is known of them then."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from oddlens.backbone.cards import MINI
from oddlens.calibration import (
    REVIEW_RATE,
    Accepted,
    Calibration,
    Exchangeability,
    Kind,
    Observations,
    Readiness,
    Vetting,
    compare_observed,
    vet,
)
from oddlens.calibration.conformal import rank_for
from oddlens.detection import Thresholds
from oddlens.detector import Detector
from oddlens.errors import OddlensWarning, UsageError, counted
from oddlens.io.images import Picture
from oddlens.loading import load
from oddlens.methods.defaults import default_method
from oddlens.station import read_station, utc_now
from oddlens.station.feedback import read_feedback
from oddlens.station.learning import LEAST, LEAST_COMPARED, LearningSample, sample_scored_by
from oddlens.teaching.references import flagged_references


class Seen(NamedTuple):
    """Good images to calibrate on. from_line: whether they are the station's sample of its line. said: what was left out."""

    images: Observations
    from_line: bool = False
    said: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What they are, in words."""
        count = len(self.images)
        if self.images.kind == "leave-one-out":
            return f"{count} references, each against the others"
        return f"{count} images of its line" if self.from_line else f"{count} good images"


def observe_references(detector: Detector, station: str | os.PathLike[str]) -> Seen:
    """The references. Raises `UsageError` where some joined because they were flagged: thresholds of these let defects pass."""
    if count := len(flagged_references(detector, station)):
        raise UsageError(
            f"{counted(count, 'reference joined because it was', 'references joined because they were')} flagged: "
            "high scores would raise the threshold, and let defects pass. Calibrate on other good images (--good), or on the "
            "station's own sample of its line (--from-learning)"
        )
    return Seen(detector.observe())


def observe_line(detector: Detector, station: str | os.PathLike[str]) -> Seen:
    """The sample of the line, without the station's own references, and without parts that users have marked as bad or unsure.

    Raises `UsageError` where it has no image.
    """
    sample = sample_of(detector, station).read()
    if not len(sample):
        raise UsageError(
            "the station has kept no images of its line yet: inspect some with it first, by 'oddlens detect --station' or on the "
            "page Line"
        )
    references = frozenset[str]() if detector.references is None else frozenset(detector.references.digests)
    doubted = frozenset(mark.sha256 for mark in read_feedback(station).last if mark.said != "good")
    images = tuple(each for each in sample if each.digest not in references | doubted)
    return Seen(replace(sample, images=images), True, tuple(_left_out(sample, references, doubted)))


def _left_out(sample: Observations, references: frozenset[str], doubted: frozenset[str]) -> Iterator[str]:
    for digests, what, many in (
        (references, "a reference of the station", "references of the station"),
        (doubted, "marked as bad or unsure", "marked as bad or unsure"),
    ):
        count = sum(each.digest in digests for each in sample)
        if count:
            yield f"{counted(count, f'image of the sample is {what}', f'images of the sample are {many}')}: left out"


class Earlier(NamedTuple):
    """The threshold that was in force before a calibration, and how many of the images that it is made on lie above it."""

    threshold: float
    above: int
    total: int

    @property
    def sentence(self) -> str:
        """In words."""
        lie = "lies" if self.above == 1 else "lie"
        return f"The threshold was {self.threshold:.4g}; {self.above} of the {counted(self.total, 'image')} {lie} above it."


def held_against(thresholds: Thresholds, seen: Seen) -> Earlier | None:
    """What the thresholds in force say of good images that are new to them.

    None without a threshold, and for the references: what each scores against the others is no verdict of the station.
    """
    if thresholds.image is None or seen.images.kind == "leave-one-out":
        return None
    scores = seen.images.scores
    return Earlier(thresholds.image, sum(thresholds.verdict(score) == "ng" for score in scores), len(scores))


def check_count(seen: Seen, left_out: int = 0) -> None:
    """Raise `UsageError` where a sample of the line is too small. left_out: how many of it are not among the images."""
    count = len(seen.images)
    if seen.from_line and count < LEAST:
        left = f"of which {count} {'is' if count == 1 else 'are'} not left out, " if left_out else ""
        raise UsageError(
            f"the station has kept {counted(count + left_out, 'image')} of its line, {left}and {LEAST} are the least that it is "
            "calibrated on: inspect more with it first"
        )


def calibrate_station(
    detector: Detector,
    station: str | os.PathLike[str],
    seen: Seen,
    false_alarm_rate: float | None = None,
    review_rate: float | None = None,
) -> Calibration:
    """Set a station's thresholds by good images, which were vetted; what is known of its line is held against them.

    review_rate: None keeps what the station has.

    Raises `UsageError` where they are too few for the rate.
    """
    sample = sample_of(detector, station)  # by what scored it, which the calibration is no part of
    if review_rate is None:
        review_rate = usual_review_rate(read_station(station).calibration_in_force, seen.images.kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OddlensWarning)  # what is doubtful was said, and accepted
        detector.calibrate(seen.images, false_alarm_rate, review_rate=review_rate)
    is_split = seen.images.kind == "split"
    references = frozenset[str]() if detector.references is None else frozenset(detector.references.digests)
    tested = _tested(calibration_of(detector), seen, sample, references)
    if tested is not None:
        tested = replace(tested, groups="halves" if seen.from_line else "line", time=utc_now())
    detector.state = Readiness("ready" if is_split else "learning", len(seen.images) if seen.from_line else 0, tested)
    return calibration_of(detector)  # which says what was tested


def usual_review_rate(calibration: Calibration | None, kind: Kind) -> float:
    """The share of good images that a station sends to review, for its next calibration; the usual one without a calibration.

    kind: of the next calibration.

    It is 0 where the good images are too few to tell review from NG: other good images bring no review that was not there.
    """
    if calibration is None:
        return REVIEW_RATE
    is_none = calibration.thresholds.review is None and kind == "split"
    return 0.0 if is_none else calibration.review_rate


def sample_of(detector: Detector, station: str | os.PathLike[str]) -> LearningSample:
    """The sample of a station's line, as far as it was scored as the detector scores."""
    return sample_scored_by(station, detector.identity, detector.object_name)


def calibration_of(detector: Detector) -> Calibration:
    """The calibration of a detector that has one."""
    found = detector.calibration()
    assert found is not None
    return found


def _tested(
    calibration: Calibration, seen: Seen, sample: LearningSample, references: frozenset[str]
) -> Exchangeability | None:
    """Whether the images stand for the line: against a sample of it; those of a sample, the earlier against the later half.

    An image that is in both, or is a reference, is no image of the line here: compared with itself it would confirm anything.
    """
    images = seen.images
    if seen.from_line:
        half = len(images) // 2
        known, later = replace(images, images=images.images[:half]), replace(images, images=images.images[half:])
        rank = rank_for(half, max(calibration.false_alarm_rate, 1 / (half + 1))) if half else 0
        return compare_observed(known, later, rank) if len(images) >= LEAST_COMPARED else None
    in_both = references.union(each.digest for each in images)
    found = sample.read()
    line = replace(found, images=tuple(each for each in found if each.digest not in in_both))
    return compare_observed(images, line, calibration.rank) if len(line) >= LEAST_COMPARED else None


def of_references(
    pictures: Sequence[Picture], object_name: str, runtime: str, look: Callable[[Sequence[Vetting]], object]
) -> Detector:
    """A new detector on the embedded model, of good images and calibrated on them. look: see `calibrate_new`."""
    detector = load(default_method(MINI, with_references=True), runtime=runtime)
    detector.object_name = object_name
    detector.add_references(pictures)
    # The same image twice is one.
    calibrate_new(detector, [detector.observe()] if len(detector.references or ()) > 1 else [], look)
    return detector


def calibrate_new(
    detector: Detector,
    seen: Sequence[Observations],
    look: Callable[[Sequence[Vetting]], object],
    false_alarm_rate: float | None = None,
    review_rate: float = REVIEW_RATE,
) -> None:
    """Look at the good images of a new station, and set its thresholds by the last ones of them.

    Args:
        detector: With its references.
        seen: The references, and other good images where there are some; () leaves the station without thresholds.
        look: Takes what is odd among each of them, and raises `UsageError` where it may not be.
        false_alarm_rate: See `Rates`.
        review_rate: See `Rates`.

    Raises `UsageError` where they are too few for the rate.
    """
    vetted = [vet(each) for each in seen]
    look(vetted)
    if not seen:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OddlensWarning)  # what is doubtful was accepted
        detector.calibrate(seen[-1], false_alarm_rate, review_rate=review_rate)
    detector.accepted = Accepted.of(image for each in vetted for image in each.flagged)
    detector.state = Readiness("ready" if seen[-1].kind == "split" else "learning")
