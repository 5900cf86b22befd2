"""What a station does with labelled images: false alarms and misses at its thresholds, held against what they promise."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypedDict

from oddlens.calibration import Calibration, Exchangeability, percent_up
from oddlens.calibration.conformal import MOST_PROMISED, declared_bound, moved_bound, rank_of, rate_interval
from oddlens.detection import Thresholds
from oddlens.detection.thresholds import ThresholdsDocument


class ShareDocument(TypedDict):
    """What `Share.to_dict` writes. interval_95: from where to where the rate lies."""

    count: int
    total: int
    rate: float
    interval_95: list[float]


class CheckDocument(TypedDict):
    """What `Check.to_dict` writes. good, bad: how many images by verdict."""

    good: dict[str, int]
    bad: dict[str, int]
    false_alarms: ShareDocument | None
    sent_to_review: ShareDocument | None
    missed: ShareDocument | None
    thresholds: ThresholdsDocument
    promised_on_average: float | None
    promised_at_most: float | None
    keeps_promise: bool | None
    compared_with_line: dict[str, object] | None


@dataclass(frozen=True, kw_only=True)
class Share:
    """How many of some images, and the interval of 95 % in which their rate lies (`conformal.rate_interval`)."""

    count: int
    total: int

    @property
    def rate(self) -> float:
        """The share that was counted."""
        return self.count / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """From where to where the true share lies, with 95 % confidence."""
        return rate_interval(self.count, self.total)

    def to_dict(self) -> ShareDocument:
        """As JSON values."""
        return {"count": self.count, "total": self.total, "rate": self.rate, "interval_95": list(self.interval)}


@dataclass(frozen=True, kw_only=True)
class Check:
    """Verdicts on images that are known to be good, and on such that are known to be bad.

    Attributes:
        good: Good images by verdict: "ok", "review", "ng", or "failed", which counts for no rate.
        bad: Bad images likewise; empty where none were given.
        thresholds: Those in force.
        calibration: What they come from; None: nothing is calibrated.
    """

    good: Counter[str]
    bad: Counter[str]
    thresholds: Thresholds
    calibration: Calibration | None

    @property
    def false_alarms(self) -> Share | None:
        """Good images that are called NG; None without good images."""
        return _share(self.good, "ng")

    @property
    def sent_to_review(self) -> Share | None:
        """Good images that go to review."""
        return _share(self.good, "review")

    @property
    def missed(self) -> Share | None:
        """Bad images that are called OK; None without bad images."""
        return _share(self.bad, "ok")

    @property
    def promised(self) -> tuple[float | None, float] | None:
        """The false-alarm rate that is promised: on average, and at most for this very calibration, with 95 % confidence.

        The first is None for a threshold that was moved by hand. None where nothing is promised.
        """
        calibration, image = self.calibration, self.thresholds.image
        if calibration is None or image is None or calibration.broken:
            return None
        if image == calibration.thresholds.image:
            return calibration.mean_rate, declared_bound(len(calibration), calibration.rank)
        bound = moved_bound(len(calibration), rank_of(calibration.scores, image))
        return None if bound > MOST_PROMISED else (None, bound)

    @property
    def compared(self) -> Exchangeability | None:
        """What the last comparison of the calibration with the line found."""
        return None if self.calibration is None else self.calibration.tested

    @property
    def keeps_promise(self) -> bool | None:
        """Whether the false alarms agree with what is promised: the interval reaches down to it. None: there is no promise."""
        if self.promised is None or self.false_alarms is None:
            return None
        return self.false_alarms.interval[0] <= self.promised[1]

    @property
    def sentence(self) -> str:
        """How the false alarms stand to the promise."""
        if self.promised is None or self.false_alarms is None:
            return "The thresholds promise no false-alarm rate to compare this with."
        mean, bound = self.promised
        low, high = (_percent(share) for share in self.false_alarms.interval)
        measured = f"{_percent(self.false_alarms.rate)} false alarms (95 % interval {low} to {high})"
        if not self.keeps_promise:
            return (
                f"{measured} are more than the {percent_up(bound)} that the station promises at most: these images are not like "
                "those that it was calibrated on, so calibrate it again on images of today."
            )
        promise = f"at most {percent_up(bound)}"
        if mean is not None:
            promise = f"{percent_up(mean)} on average, {promise}"
        if self.false_alarms.rate > bound:
            return f"{measured} are more than promised ({promise}), which may be chance: the interval reaches down to that."
        if mean is not None and self.false_alarms.interval[0] > mean:
            return (
                f"{measured} are more than the {percent_up(mean)} promised on average, and within the {percent_up(bound)} that a "
                "single calibration may reach."
            )
        return f"{measured} agree with the promise ({promise})."

    def to_dict(self) -> CheckDocument:
        """As JSON values; what is not known is null."""
        shares = (self.false_alarms, self.sent_to_review, self.missed)
        alarms, review, missed = (None if share is None else share.to_dict() for share in shares)
        mean, bound = self.promised or (None, None)
        return {
            "good": dict(self.good),
            "bad": dict(self.bad),
            "false_alarms": alarms,
            "sent_to_review": review,
            "missed": missed,
            "thresholds": self.thresholds.to_dict(),
            "promised_on_average": mean,
            "promised_at_most": bound,
            "keeps_promise": self.keeps_promise,
            "compared_with_line": None if self.compared is None else self.compared.described(),
        }


def _share(counts: Counter[str], verdict: str) -> Share | None:
    total = sum(counts[each] for each in ("ok", "review", "ng"))
    return Share(count=counts[verdict], total=total) if total else None


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
