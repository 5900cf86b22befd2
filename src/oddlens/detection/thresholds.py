"""Where a verdict begins, and on which scale a map is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal, NotRequired, TypedDict, cast

from oddlens.errors import UsageError, shortened

Verdict = Literal["ok", "review", "ng"]


_MOST = 1e30
"""No score comes near it, and a map, whose colours a threshold anchors, is float32."""


class ThresholdsDocument(TypedDict):
    """What `Thresholds.to_dict` writes."""

    image: float | None
    pixel: float | None
    source: str | None
    review: NotRequired[float | None]
    promise: NotRequired[str | None]


@dataclass(frozen=True)
class Thresholds:
    """Where a verdict begins. What is greater than a threshold lies beyond it; what reaches it exactly does not.

    Attributes:
        image: For scores: NG beyond it; None: no verdict.
        pixel: For values of the anomaly map: marked beyond it; None: no regions.
        source: Where they come from, in words.
        review: For scores: review from here to `image`; None: nothing is sent to review.
        promise: What `image` promises of further good images, in words; None: nothing is known.

    Raises:
        UsageError: One is not finite, or beyond all scores: every one would be on the same side. Or `review` lies beyond `image`.
    """

    image: float | None = None
    pixel: float | None = None
    source: str | None = None
    review: float | None = None
    promise: str | None = None

    def __post_init__(self) -> None:
        for value in (self.image, self.pixel, self.review):
            if value is not None and not _is_finite(value):
                raise UsageError(f"{shortened(value)} is no threshold: give a finite number, at most {_MOST:g} in size")
        if self.image is not None and self.review is not None and self.review > self.image:
            raise UsageError(
                f"the review threshold {self.review:g} lies above {self.image:g}, from which on an image is NG: give a lower one, "
                "or none"
            )

    def verdict(self, score: float) -> Verdict | None:
        """What a score is called; None without an image threshold. Raises `UsageError` for one that is not finite."""
        if self.image is None:
            return None
        if not math.isfinite(score):
            raise UsageError(f"a score of {score} has no verdict: find out where it comes from")
        if score > self.image:
            return "ng"
        return "review" if self.review is not None and score > self.review else "ok"

    def in_words(self) -> str:
        """The numbers, lowest first: "review above 0.4, NG above 0.5, marked above 0.6"; "" where there are none."""
        named = (("review above", self.review), ("NG above", self.image), ("marked above", self.pixel))
        return ", ".join(f"{name} {value:.4g}" for name, value in named if value is not None)

    def to_dict(self) -> ThresholdsDocument:
        """As JSON values; `review` and `promise` only where there is one."""
        document: ThresholdsDocument = {"image": self.image, "pixel": self.pixel, "source": self.source}
        if self.review is not None:
            document["review"] = self.review
        if self.promise is not None:
            document["promise"] = self.promise
        return document


@dataclass(frozen=True)
class ValueRange:
    """The values of an anomaly map that the ends of a colour scale stand for, and why: "fixed range ..." or "calibrated on ..."."""

    low: float
    high: float
    label: str


def _is_finite(value: object) -> bool:
    """Whether it is a number that scores and maps can be compared with."""
    return not isinstance(value, bool) and isinstance(value, Real) and bool(-_MOST <= cast("float", value) <= _MOST)
