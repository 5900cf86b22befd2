"""The calibration of a detector: scores of good images, the thresholds that they give, and what those promise, in words.

No torch is needed here: a detector scores the images (`Detector.calibrate`), `oddlens.calibration.conformal` has the mathematics.
There are two kinds of calibration:

- "split": of good images that are no references. Their scores and those of further good images are exchangeable, so that all that
  `oddlens.calibration.conformal` promises holds.
- "leave-one-out": of the references, each held against the others. The promise on average holds all the same, because a score
  that comes of the nearest example never rises when an image joins the memory: what a reference scores against the others is at
  least what it would score if the new image were among them, and by those scores the promise is the split one (the proof is in
  docs/guides/thresholds.md). It needs that a new image only adds rows to the memory, that the score is not divided by anything
  made of the references, and that the verdict is strict; a method that breaks this says so (`MethodCard.unguaranteed`). The
  statements on one set, with 95 % confidence, are approximate: leave-one-out scores are not independent of one another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, NotRequired, TypedDict, get_args

from oddlens.calibration.conformal import (
    MOST_PROMISED,
    declared_bound,
    images_needed,
    lognormal_limit,
    mean_rate,
    moved_bound,
    p_value,
    rank_for,
    rank_of,
    rate_interval,
    threshold_for,
)
from oddlens.calibration.exchangeability import LEAST_KNOWN, Exchangeability, ExchangeabilityDocument
from oddlens.calibration.observation import Kind
from oddlens.calibration.rates import REVIEW_RATE, Rates, is_given, percent_up
from oddlens.detection import Thresholds, ValueRange
from oddlens.errors import UsageError, counted, first_and_more, printable, shortened
from oddlens.io.notebook import facts
from oddlens.io.strict_json import require_form


class DetectionRate(NamedTuple):
    """How many defective images were found, of how many, and the interval in which the rate of such defects lies."""

    found: int
    total: int
    low: float
    high: float


class CalibrationDocument(TypedDict):
    """What `Calibration.to_dict` writes. kind: one of `Kind`."""

    kind: str
    object_name: str
    false_alarm_rate: float
    review_rate: float
    usual: float
    unguaranteed: str
    sources: list[str]
    scores: list[float]
    peaks: list[float]
    digests: NotRequired[list[str]]
    accepted: NotRequired[list[str]]
    tested: NotRequired[ExchangeabilityDocument]
    rate_given: NotRequired[bool]


_KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What is known from good images, and at which rates the thresholds are set.

    Attributes:
        kind: Which images they are, see the module.
        sources: What the images are called.
        scores: One an image.
        peaks: The largest value of each image's anomaly map.
        usual: What their maps usually hold: the median of the maps' medians.
        object_name: What was said to be on them.
        false_alarm_rate: The share of good images that may be called NG, on average over calibrations; at least 1 / (n + 1).
        review_rate: The share that may go to review besides.
        unguaranteed: Why the scores promise nothing, in words: leave-one-out ones of the method, or of images that its weights
            were trained on; "" where they do.
        tested: Whether the images stand for the line, as far as they were compared with images of it; None: they were not.
        accepted: The names of images among them that were doubtful, and kept.
        digests: Of their pixels, see `Picture.digest`; () where they are not known. No threshold depends on them.
        rate_given: Whether somebody asked for the false-alarm rate; else it is what the number of images allows, and follows it.

    Raises:
        UsageError: There are too few images for the rate, or a rate is none.
    """

    kind: Kind
    sources: tuple[str, ...]
    scores: tuple[float, ...]
    peaks: tuple[float, ...]
    usual: float
    object_name: str
    false_alarm_rate: float
    review_rate: float = REVIEW_RATE
    unguaranteed: str = ""
    tested: Exchangeability | None = None
    accepted: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    rate_given: bool = True

    def __post_init__(self) -> None:
        Rates(false_alarm_rate=self.false_alarm_rate, review_rate=self.review_rate).check(len(self))

    def __len__(self) -> int:
        """How many good images gave it."""
        return len(self.scores)

    def __repr__(self) -> str:
        """Kind, images, object and threshold; the scores are left out."""
        images = counted(len(self), "image")
        threshold = f"NG above {self.thresholds.image:.4g}, false-alarm rate {self.false_alarm_rate:.3g}"
        return f"Calibration({self.kind}, {images}, {shortened(self.object_name)}, {threshold})"

    def _repr_html_(self) -> str:
        """Thresholds and what they promise, as notebooks show it."""
        low, high = min(self.scores), max(self.scores)
        return facts(
            f"Calibration of {shortened(self.object_name)}",
            [
                ("images", f"{self.source}, {low:.4g} to {high:.4g}"),
                ("thresholds", self.thresholds.in_words()),
                ("promise", self.promise),
                ("doubtful, and kept", ", ".join(map(printable, self.accepted))),
            ],
        )

    @property
    def rates(self) -> Rates:
        """What was asked for: the false-alarm rate is None where it follows the number of images."""
        given = self.false_alarm_rate if self.rate_given else None
        return Rates(false_alarm_rate=given, review_rate=self.review_rate)

    def at(self, rates: Rates) -> Calibration:
        """The same scores, with thresholds at other rates. Raises `UsageError` where the images are too few for them."""
        return replace(
            self,
            false_alarm_rate=rates.of(len(self)),
            review_rate=rates.review_rate,
            rate_given=rates.false_alarm_rate is not None,
        )

    @property
    def rank(self) -> int:
        """Which of the sorted scores, counted from 1, is the threshold."""
        return rank_for(len(self), self.false_alarm_rate)

    @property
    def mean_rate(self) -> float:
        """The false-alarm rate on average over calibrations: at most (n + 1 - rank) / (n + 1)."""
        return mean_rate(len(self), self.rank)

    @property
    def _to_review(self) -> float:
        """The share of good images that may exceed the review threshold."""
        return min(self.false_alarm_rate + self.review_rate, 1 - 1e-9)

    @property
    def source(self) -> str:
        """Which scores the thresholds are of, in words."""
        if self.kind == "split":
            return f"scores of {len(self)} calibration images"
        return f"leave-one-out scores of {len(self)} references"

    @cached_property
    def thresholds(self) -> Thresholds:
        """Those that it gives: NG above `image`, review above `review`, marked pixels above `pixel`.

        The pixel threshold has the rank of the image threshold among the largest values of the maps. So a share of good images
        that is at most the false-alarm rate, on average, would have a marked pixel.
        """
        image, pixel = (threshold_for(values, self.false_alarm_rate) for values in (self.scores, self.peaks))
        review = threshold_for(self.scores, self._to_review)
        return Thresholds(image, pixel, self.source, review if review < image else None, self.promise)

    @cached_property
    def value_range(self) -> ValueRange | None:
        """From what is usual up to as far beyond the pixel threshold.

        None where all maps are the same everywhere, which leaves nothing to calibrate a scale on.
        """
        pixel = self.thresholds.pixel
        if pixel is None or pixel <= self.usual:
            return None
        images = "references" if self.kind == "leave-one-out" else "calibration images"
        return ValueRange(self.usual, 2 * pixel - self.usual, f"calibrated on {len(self)} {images}")

    @cached_property
    def below(self) -> tuple[int, ...]:
        """The numbers of the images below the lowest image threshold: they are distributed as images of the line that are OK.

        An image is OK up to a threshold, which is one of the scores.
        """
        lowest = min(threshold_for(self.scores, rate) for rate in (self.false_alarm_rate, self._to_review))
        return tuple(number for number, score in enumerate(self.scores) if score < lowest)

    def p_value(self, score: float) -> float:
        """How unusual a score is among the good ones, see `conformal.p_value`."""
        return p_value(self.scores, score)

    def estimate(self, rate: float = 0.05) -> float | None:
        """An estimated threshold for a rate that these images are too few to promise, see `conformal.lognormal_limit`.

        It is not guaranteed. `Detector.set_thresholds(image=...)` puts it in force.
        """
        return lognormal_limit(self.scores, rate)

    def detection_rate(self, scores: Sequence[float], thresholds: Thresholds | None = None) -> DetectionRate:
        """How many images with known defects the image threshold calls NG, with an interval of 95 % (`conformal.rate_interval`).

        scores: of those images. thresholds: those in force, where they are not the calibrated ones.

        The interval is of defects like these; nothing is known of other kinds.
        """
        thresholds = self.thresholds if thresholds is None else thresholds
        found = sum(thresholds.verdict(score) == "ng" for score in scores)
        return DetectionRate(found, len(scores), *rate_interval(found, len(scores)))

    @cached_property
    def promise(self) -> str:
        """What the image threshold promises, in a few sentences that are true: see `docs/guides/thresholds.md`."""
        if self.broken:
            return self.broken
        images = "references" if self.kind == "leave-one-out" else "calibration images"
        share, bound = percent_up(self.mean_rate), percent_up(declared_bound(len(self), self.rank))
        on_average = (
            f"If the {images} are a random sample of the same production as what is to come, then on average over such samples at "
            f"most {share} of good images are called NG."
        )
        if self.kind == "split":
            said = f"{on_average} For this very sample, with 95 % confidence: at most {bound}."
        else:
            said = f"{on_average} A single sample may do worse: about one in twenty calls more than {bound} NG."
        return f"{said} {self.remarks}"

    @property
    def broken(self) -> str:
        """Why the threshold promises nothing, in words; "" where it promises something."""
        if self.unguaranteed:
            return f"The threshold promises no false-alarm rate: {self.unguaranteed}."
        if self.tested is not None and self.tested.is_refuted:
            return f"The threshold promises no false-alarm rate: {self.tested.sentence}"
        return ""

    @property
    def remarks(self) -> str:
        """Whether it was tested that the images stand for the line, and which doubtful ones are among them."""
        tested = self._untested if self.tested is None else self.tested.sentence
        if not self.accepted:
            return tested
        names = first_and_more([printable(name) for name in self.accepted], 3)
        return f"{tested} Doubtful images among them were accepted: {names}."

    @property
    def _untested(self) -> str:
        count = len(self.below)
        if self.kind == "split" and count < LEAST_KNOWN:
            needed = f"{LEAST_KNOWN} or more of them would have to lie below the thresholds"
            return (
                f"Whether they are such a sample is not tested: {needed}, and {count} {'does' if count == 1 else 'do'}."
            )
        return "Whether they are such a sample has not been tested yet."

    @cached_property
    def statement(self) -> str:
        """The promise, and what stands beside it: where it comes from, an estimate for few images, and what is not said."""
        lines = [
            f"NG above {self.thresholds.image:.4g} ({self.source}, rank {self.rank} of {len(self)}).",
            self.promise,
        ]
        if self.thresholds.review is not None:
            lines.append(f"Review above {self.thresholds.review:.4g}{self._promise_of_review}.")
        estimate = self.estimate() if self.false_alarm_rate > 0.05 else None
        if estimate is not None:
            lines.append(
                f"An estimate for 5 %, not guaranteed: {estimate:.4g}. A guarantee of 5 % needs {images_needed(0.05)} good images."
            )
        lines.append(
            "This says nothing about missed defects, other kinds of part, or a change of camera, light or process."
        )
        return " ".join(lines)

    @property
    def _promise_of_review(self) -> str:
        """What the review threshold promises, in words; "" where nothing is promised."""
        rank = rank_for(len(self), self._to_review)
        share = percent_up(mean_rate(len(self), rank))
        return "" if self.broken else f": on average at most {share} of good images go to review or are called NG"

    def promise_at(self, threshold: float) -> str:
        """What a threshold promises that was moved by hand after the scores were seen: the band that holds at all at once."""
        if self.broken:
            return self.broken
        rank = rank_of(self.scores, threshold)
        bound = moved_bound(len(self), rank)
        if bound > MOST_PROMISED:
            below = "all" if not rank else f"{len(self) - rank} of the {len(self)}"
            return f"The threshold was moved by hand below {below} good images: it promises no false-alarm rate."
        often = "at most" if self.kind == "split" else "about"
        return (
            f"The threshold was moved by hand: at most {percent_up(bound)} of good images like the {len(self)} that it was "
            f"compared with are called NG; {often} one in twenty such samples does worse. {self.remarks}"
        )

    def to_dict(self) -> CalibrationDocument:
        """As JSON values, which `from_dict` takes. `digests`, `tested`, `accepted` only where there is something to say.

        `rate_given` only where the rate itself does not show it, see `is_given`.
        """
        document = self._calibrated()
        if self.rate_given != is_given(self.false_alarm_rate, len(self)):
            document["rate_given"] = self.rate_given
        if self.digests:
            document["digests"] = list(self.digests)
        if self.accepted:
            document["accepted"] = list(self.accepted)
        if self.tested is not None:
            document["tested"] = self.tested.to_dict()
        return document

    def _calibrated(self) -> CalibrationDocument:
        """What it was made of, and with."""
        return {
            "kind": self.kind,
            "object_name": self.object_name,
            "false_alarm_rate": self.false_alarm_rate,
            "review_rate": self.review_rate,
            "usual": self.usual,
            "unguaranteed": self.unguaranteed,
            "sources": list(self.sources),
            "scores": list(self.scores),
            "peaks": list(self.peaks),
        }

    @classmethod
    def from_dict(cls, document: object) -> Calibration:
        """The calibration that `to_dict` described. Raises `UsageError` for anything else."""
        found = require_form(document, CalibrationDocument, "this is no calibration")
        kind, digests = found["kind"], tuple(found.get("digests", ()))
        if kind not in _KINDS:
            raise UsageError("this is no calibration: its kind is unknown")
        counts = {len(found["sources"]), len(found["scores"]), len(found["peaks"])} | (
            {len(digests)} if digests else set()
        )
        if len(counts) > 1 or 0 in counts:
            raise UsageError("this is no calibration: its lists are empty or of several lengths")
        return cls(
            kind=kind,
            sources=tuple(found["sources"]),
            scores=tuple(map(float, found["scores"])),
            peaks=tuple(map(float, found["peaks"])),
            usual=found["usual"],
            object_name=found["object_name"],
            false_alarm_rate=found["false_alarm_rate"],
            review_rate=found["review_rate"],
            unguaranteed=found["unguaranteed"],
            tested=Exchangeability.from_dict(found["tested"]) if "tested" in found else None,
            accepted=tuple(found.get("accepted", ())),
            digests=digests,
            rate_given=found.get("rate_given", is_given(found["false_alarm_rate"], len(found["scores"]))),
        )

    @property
    def made_how(self) -> dict[str, object]:
        """How it was made, beside model, method and references: what `provenance.Identity` says of it, as JSON values."""
        images = {} if self.kind == "leave-one-out" else {"sha256": self.sha256}
        rates = {"false_alarm_rate": self.false_alarm_rate, "review_rate": self.review_rate}
        return {"kind": self.kind, **rates, **images}

    @property
    def sha256(self) -> str:
        """A hash of all that its thresholds are made of."""
        return hashlib.sha256(json.dumps(self._calibrated()).encode()).hexdigest()


def chosen(given: Thresholds, calibration: Calibration | None) -> Thresholds:
    """The thresholds in force: those given by hand win, one by one, over calibrated ones.

    An image threshold that is given brings its own review threshold, or none; what it promises then is what the scores say of a
    threshold that was moved.
    """
    if calibration is None or (given.image is not None and given.pixel is not None):
        return given if calibration is None or given.image is None else _moved(given, given.image, calibration)
    calibrated = calibration.thresholds
    if given.image is None and given.pixel is None:
        if given.review is None:
            return calibrated
        return replace(calibrated, review=given.review, source=f"review: given; the other: {calibrated.source}")
    if given.image is None:
        source = f"pixel: given; the other: {calibrated.source}"
        review = calibrated.review if given.review is None else given.review
        return replace(calibrated, pixel=given.pixel, review=review, source=source)
    source = f"image: given; the other: {calibrated.source}"
    return _moved(replace(given, pixel=calibrated.pixel, source=source), given.image, calibration)


def given_beside(calibration: Calibration, in_force: Thresholds) -> list[str]:
    """What is said where thresholds in force were given by hand and not by a calibration; empty where none was."""
    if calibration.thresholds.image == in_force.image and calibration.thresholds.review == in_force.review:
        return []
    stays = "What was given by hand stays; 'oddlens station set' changes it."
    promised = f" {in_force.promise}" if in_force.promise else ""
    return [f"In force: {in_force.in_words()}. {stays}{promised}", f"By these images alone: {calibration.statement}"]


def _moved(thresholds: Thresholds, image: float, calibration: Calibration) -> Thresholds:
    return replace(thresholds, promise=calibration.promise_at(image))
