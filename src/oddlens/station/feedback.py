"""What users say of a station's results: marks, one a line in STATION/feedback.jsonl, to which lines are only added.

A mark changes nothing by itself: `oddlens station learn` makes a new version of what is marked. An image is known by its pixels, so
that it is the same one under any name. Of several marks of one image the last one counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, NotRequired, TypedDict, get_args

from oddlens.data.shapes import RunsDocument, counts_of
from oddlens.detection import Verdict
from oddlens.errors import UsageError
from oddlens.io.atomic import append
from oddlens.io.paths import is_file, read_bytes
from oddlens.io.strict_json import parse_json, require_form
from oddlens.station.check import Share
from oddlens.station.document import STATION, read_document
from oddlens.station.folder import FEEDBACK

Said = Literal["good", "bad", "unsure"]
Judged = Literal["right", "wrong", "unsure"]

_SAID: tuple[Said, ...] = get_args(Said)
_VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


class _MarkRead(TypedDict):
    """What `Mark.from_dict` reads. said: one of `Said`. verdict: one of `Verdict`, or null. mask: see `RunsDocument`."""

    time: str
    image: str
    sha256: str
    said: str
    verdict: str | None
    score: float
    audit: bool
    defect: str | None
    comment: str | None
    reviewer: str | None
    version: int
    mask: NotRequired[RunsDocument]


class MarkDocument(_MarkRead):
    """What `Mark.to_dict` writes. judged: one of `Judged`."""

    judged: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a person says of an image.

    Attributes:
        time: See `oddlens.station.utc_now`.
        image: Its path, absolute.
        sha256: Of its pixels, see `Picture.digest`.
        said: Whether the part is good, bad, or the person is unsure.
        verdict: The station's verdict at that time; None where it had no threshold.
        score: Likewise.
        audit: Whether the image was drawn at random for audit, whatever its verdict.
        defect: The name of the defect, where the person gave one.
        comment: Likewise.
        reviewer: Who it is, likewise.
        version: Of the station, which was in force then.
        mask: Where the defect is, as a person drew it (`data.shapes.mask_of` gives the pixels), where the person did.
    """

    time: str
    image: str
    sha256: str
    said: Said
    verdict: Verdict | None
    score: float
    audit: bool = False
    defect: str | None = None
    comment: str | None = None
    reviewer: str | None = None
    version: int = 0
    mask: RunsDocument | None = None

    @property
    def flagged(self) -> bool:
        """Whether the station stopped the part: its verdict was NG or review."""
        return is_flagged(self.verdict)

    @property
    def judged(self) -> Judged:
        """Whether the verdict was right."""
        return judged(self.said, self.verdict)

    @property
    def joins(self) -> bool:
        """Whether learning makes a reference of it: a good part that was stopped, and was not drawn at random."""
        return self.said == "good" and self.flagged and not self.audit

    def to_dict(self) -> MarkDocument:
        """As JSON values, with what was `judged`."""
        document: MarkDocument = {
            "time": self.time,
            "image": self.image,
            "sha256": self.sha256,
            "said": self.said,
            "verdict": self.verdict,
            "score": self.score,
            "audit": self.audit,
            "defect": self.defect,
            "comment": self.comment,
            "reviewer": self.reviewer,
            "version": self.version,
            "judged": self.judged,
        }
        if self.mask is not None:
            document["mask"] = self.mask
        return document

    @classmethod
    def from_dict(cls, document: object) -> Mark:
        """The mark that `to_dict` wrote. Raises `UsageError` for anything else."""
        found = require_form(document, _MarkRead, "this is no mark")
        said, verdict = found["said"], found["verdict"]
        if said not in _SAID:
            raise UsageError("this is no mark: what is said of the image is neither good, bad nor unsure")
        if verdict is not None and verdict not in _VERDICTS:
            raise UsageError("this is no mark: its verdict is unknown")
        mask = found.get("mask")
        if mask is not None:
            try:
                counts_of(mask)
            except ValueError as error:
                raise UsageError(f"this is no mark: its mask {error}") from error
        return cls(
            time=found["time"],
            image=found["image"],
            sha256=found["sha256"],
            said=said,
            verdict=verdict,
            score=found["score"],
            audit=found["audit"],
            defect=found["defect"],
            comment=found["comment"],
            reviewer=found["reviewer"],
            version=found["version"],
            mask=mask,
        )


def is_flagged(verdict: Verdict | None) -> bool:
    """Whether the verdict stops the part: it is NG or review."""
    return verdict in ("ng", "review")


def judged(said: Said, verdict: Verdict | None) -> Judged:
    """Whether a verdict was right: a bad part was stopped, or a good one was not. "unsure" where nobody can say."""
    if said == "unsure" or verdict is None:
        return "unsure"
    return "right" if is_flagged(verdict) == (said == "bad") else "wrong"


def said_by(judged: Judged, verdict: Verdict | None) -> Said:
    """What a part is, by whether its verdict was right. Raises `UsageError` where there is no verdict."""
    if judged == "unsure":
        return "unsure"
    if verdict is None:
        raise UsageError("this result has no verdict that could be right or wrong: give said, good or bad")
    return "bad" if is_flagged(verdict) == (judged == "right") else "good"


def add_feedback(folder: str | os.PathLike[str], marks: Sequence[Mark]) -> None:
    """Add marks to a station's feedback, all in one write.

    Raises `UsageError` where there is no station, `OddlensError` where the disk takes no more.
    """
    root = Path(folder)
    read_document(root / STATION)
    lines = "".join(json.dumps(mark.to_dict()) + "\n" for mark in marks).encode("ascii")
    append(root / FEEDBACK, lines)


class Feedback(NamedTuple):
    """All marks of a station in their order. unread: how many lines are no marks: they are passed over."""

    marks: tuple[Mark, ...]
    unread: int = 0

    @property
    def last(self) -> tuple[Mark, ...]:
        """The last mark of each image."""
        return tuple({mark.sha256: mark for mark in self.marks}.values())

    @property
    def joining(self) -> frozenset[str]:
        """The digests of the images that learning makes, or has made, references of: no thresholds may come of them.

        Any mark counts: a part that was stopped once is no random one, whatever was said of it later.
        """
        return frozenset(mark.sha256 for mark in self.marks if mark.joins)


def read_feedback(folder: str | os.PathLike[str]) -> Feedback:
    """The feedback that a station has."""
    path = Path(folder) / FEEDBACK
    if not is_file(path):
        return Feedback(())
    marks, unread = [], 0
    try:
        data = read_bytes(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
    for line in filter(None, data.split(b"\n")):
        try:
            marks.append(Mark.from_dict(parse_json(line.decode("ascii"))))
        except (ValueError, UsageError):
            unread += 1
    return Feedback(tuple(marks), unread)


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """What marks say of a station, of the last mark of each image; None where nothing was marked.

    Attributes:
        precision: How many of the marked images that were called NG are bad. This needs no audit; it is right if all of them are
            marked, or some whatever they show.
        misses: How many of the OK images that were drawn at random for audit are bad. OK images that were not drawn say nothing:
            somebody marked them because they caught the eye.
        false_alarms: How many of the good images that were drawn at random for audit were called NG.
    """

    precision: Share | None
    misses: Share | None
    false_alarms: Share | None

    def to_dict(self) -> dict[str, dict[str, float] | None]:
        """As JSON values."""
        return {name: share and _document(share) for name, share in vars(self).items()}

    @property
    def sentences(self) -> tuple[str, ...]:
        """In words."""
        if self.precision is None and self.misses is None:
            return (
                "No NG image is marked, and no OK image that was drawn for audit: nothing is known of precision or misses.",
            )
        lines = []
        if self.precision is not None:
            lines.append(f"Of the NG images that were marked, {_words(self.precision, 'bad')}.")
        if self.misses is not None:
            lines.append(f"Of the OK images that were drawn for audit and marked, {_words(self.misses, 'bad')}.")
        else:
            lines.append(
                "Nothing is known of misses: no OK image was drawn at random for audit ('oddlens detect --audit') and marked."
            )
        return tuple(lines)


def estimates(marks: Iterable[Mark]) -> Estimates:
    """What the last mark of each image says of the station. marks: with none of them twice, as `Feedback.last`."""
    sure = [mark for mark in marks if mark.said != "unsure"]
    return Estimates(
        precision=_share([mark.said == "bad" for mark in sure if mark.verdict == "ng"]),
        misses=_share([mark.said == "bad" for mark in sure if mark.verdict == "ok" and mark.audit]),
        false_alarms=_share([mark.verdict == "ng" for mark in sure if mark.said == "good" and mark.audit]),
    )


def _share(each: Sequence[bool]) -> Share | None:
    return Share(count=sum(each), total=len(each)) if each else None


def _document(share: Share) -> dict[str, float]:
    low, high = share.interval
    return {"hits": share.count, "total": share.total, "low": low, "high": high}


def _words(share: Share, what: str) -> str:
    low, high = (f"{100 * each:.3g}" for each in share.interval)
    verb = "is" if share.count == 1 else "are"
    return f"{share.count} of {share.total} {verb} {what} (with 95 % confidence {low} to {high} % of such images)"
