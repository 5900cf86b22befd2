"""What the history holds: inspections, what people said of them, and who changed what. Plain values, without a database."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast, get_args

from oddlens.detection import ValueRange, Verdict
from oddlens.errors import OddlensError, UsageError, shortened
from oddlens.io.strict_json import said_time
from oddlens.station.feedback import Judged, Said, judged

Origin = Literal["api", "folder", "camera", "page"]
Outcome = Literal["ok", "review", "ng", "failed", "none"]
"""A verdict; "failed": the image could not be inspected; "none": the station had no threshold."""

DIGEST = re.compile(r"[0-9a-f]{64}")


class HistoryError(OddlensError):
    """The history cannot be read or written. Later calls try again."""


@dataclass(frozen=True, kw_only=True)
class NewInspection:
    """An inspection before it is kept.

    Attributes:
        station: The name of the station.
        station_version: The version that was in force.
        time: With a time zone.
        source: What people call the image: a file or a camera. Never a path that is opened.
        origin: How the image came.
        digest: SHA-256 of the image file's bytes, which `Pictures` keeps under this name.
        detection: `Detection.to_dict()`; None where the image could not be inspected.
        error: Why it could not, in one sentence; None where there is a detection.
        map_digest: The name of the kept anomaly map; None where there is none.
        identity: `Identity.to_dict()` of what made the detection, with the name of its "object".
        ms: How long it took, in milliseconds.
        audit: Whether it was drawn at random for audit.
        key: The client's idempotency key, of 200 letters at most: a station has one inspection of each key.
        value_range: The ends of the colours of the overlay (`Detection.value_range`); None: they follow from the threshold.

    Raises:
        UsageError: A value cannot be kept, such as a score that is not finite.
    """

    station: str
    station_version: int
    time: datetime
    source: str
    origin: Origin
    digest: str
    detection: Mapping[str, object] | None
    error: str | None
    map_digest: str | None
    identity: Mapping[str, object]
    ms: float
    audit: bool = False
    key: str | None = None
    value_range: ValueRange | None = None

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise UsageError("the time of an inspection lacks its time zone: give it in UTC")
        if self.origin not in get_args(Origin):
            raise UsageError(f"the origin of an inspection cannot be {shortened(self.origin)}")
        for digest in (self.digest, self.map_digest):
            if digest is not None and not DIGEST.fullmatch(digest):
                raise UsageError(f"{shortened(digest)} is no SHA-256: give 64 hexadecimal digits")
        if self.key is not None and len(self.key) > 200:
            raise UsageError(f"an idempotency key has {len(self.key)} letters: give at most 200")
        if (self.detection is None) == (self.error is None):
            raise UsageError("an inspection has either a detection or an error")
        if self.detection is not None and not math.isfinite(cast("float", self.detection["score"])):
            raise UsageError("the score of an inspection is not finite: it is a failure, give its error")
        if not math.isfinite(self.ms):
            raise UsageError("the time that an inspection took is not finite")

    @property
    def outcome(self) -> Outcome:
        """The verdict, "failed" or "none"."""
        return "failed" if self.detection is None else self.verdict or "none"

    @property
    def score(self) -> float | None:
        """Of the whole image; None where it could not be inspected, as all that the detection says."""
        return cast("float | None", self._found("score"))

    @property
    def verdict(self) -> Verdict | None:
        """See `Detection.verdict`."""
        return cast("Verdict | None", self._found("verdict"))

    @property
    def p_value(self) -> float | None:
        """See `Detection.p_value`."""
        return cast("float | None", self._found("p_value"))

    @property
    def size(self) -> tuple[int | None, int | None]:
        """(width, height) of the image, in pixels."""
        width, height = cast("list[int | None]", self._found("image_size") or [None, None])
        return width, height

    def _found(self, name: str) -> object:
        return None if self.detection is None else self.detection.get(name)


@dataclass(frozen=True, kw_only=True)
class Inspection(NewInspection):
    """An inspection that is kept, with what was last said of it.

    Attributes:
        id: Its number, never given twice.
        said: What a person last said of the part; None where nobody did.
        defect: The name of the defect, where the person gave one.
        comment: Likewise.
        reviewer: Who it was, likewise.
    """

    id: int
    said: Said | None = None
    defect: str | None = None
    comment: str | None = None
    reviewer: str | None = None

    @property
    def judged(self) -> Judged | None:
        """Whether the verdict was right, by what was said."""
        return None if self.said is None else judged(self.said, self.verdict)

    def to_dict(self) -> dict[str, object]:
        """As the API sends it."""
        path, (width, height) = f"/api/results/{self.id}", self.size
        thresholds = {"image": "threshold", "review": "review_threshold", "pixel": "pixel_threshold"}
        document = {name: getattr(self, name) for name in _SENT} | {
            "time": said_time(self.time),
            "thresholds": {name: self._found(key) for name, key in thresholds.items()},
            "width": width,
            "height": height,
            "regions": self._found("regions") or [],
            "links": {"self": path} | {name: f"{path}/{name}" for name in ("image", "thumbnail", "overlay", "map")},
        }
        return document | {name: self._found(name) for name in ("concern", "note")}


_SENT = (
    "id", "station", "station_version", "source", "origin", "digest", "score", "verdict", "p_value", "error", "audit", "ms", "said",
    "judged", "defect", "comment",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FeedbackEntry:
    """What a person says of an inspection. Nothing of it is ever changed: the last entry counts."""

    inspection_id: int
    said: Said
    time: datetime
    defect: str | None = None
    comment: str | None = None
    reviewer: str | None = None

    def __post_init__(self) -> None:
        if self.said not in get_args(Said):
            raise UsageError("what is said of an image is neither good, bad nor unsure")
        if self.time.tzinfo is None:
            raise UsageError("the time of a feedback lacks its time zone: give it in UTC")


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """Who changed what of a station. before, after: JSON values. Nothing of it is ever changed or removed."""

    time: datetime
    station: str
    who: str | None
    what: str
    before: object = None
    after: object = None

    def to_dict(self) -> dict[str, object]:
        """As the API sends it."""
        return vars(self) | {"time": said_time(self.time)}


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long images stay; results stay for ever. max_days: None: any age. max_bytes: of kept images; None: any number."""

    max_days: float | None = None
    max_bytes: int | None = None
