"""Whether a station may be relied on yet, and which doubtful images it was made with in spite of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypedDict, get_args

from oddlens.calibration.calibration import Calibration
from oddlens.calibration.exchangeability import Exchangeability, ExchangeabilityDocument
from oddlens.calibration.vetting import VettedImage
from oddlens.errors import UsageError
from oddlens.io.strict_json import require_form

Stage = Literal["learning", "ready"]
_STAGES: tuple[Stage, ...] = get_args(Stage)


class ReadinessDocument(TypedDict):
    """What `Readiness.to_dict` writes. stage: one of `Stage`."""

    stage: str
    sampled: int
    tested: ExchangeabilityDocument | None


class AcceptedDocument(TypedDict):
    """What `Accepted.to_dict` writes. reasons: by source."""

    reasons: dict[str, str]


@dataclass(frozen=True)
class Readiness:
    """How far a station has come.

    Attributes:
        stage: "learning": it was calibrated on its references, and keeps a sample of what its line brings; "ready": it was
            calibrated on a sample of the line, or on other good images.
        sampled: How many images of the line it was calibrated on.
        tested: What a comparison of its good images with images of the line found; None: they were not compared.
    """

    stage: Stage
    sampled: int = 0
    tested: Exchangeability | None = None

    def to_dict(self) -> ReadinessDocument:
        """As JSON values, which `from_dict` takes."""
        tested = None if self.tested is None else self.tested.to_dict()
        return {"stage": self.stage, "sampled": self.sampled, "tested": tested}

    @classmethod
    def from_dict(cls, document: object) -> Readiness:
        """What `to_dict` described. Raises `UsageError` for anything else."""
        found = require_form(document, ReadinessDocument, "this is no state of a station")
        stage, tested = found["stage"], found["tested"]
        if stage not in _STAGES:
            raise UsageError("this is no state of a station: its stage is unknown")
        return cls(stage, found["sampled"], None if tested is None else Exchangeability.from_dict(tested))


@dataclass(frozen=True)
class Accepted:
    """Doubtful good images that a person accepted: what they are called, and what was odd.

    reasons: by source.
    """

    reasons: dict[str, str]

    @classmethod
    def of(
        cls, flagged: Iterable[VettedImage], earlier: Accepted | None = None, kept: Collection[str] = ()
    ) -> Accepted | None:
        """Those that are flagged now, and of those that were accepted earlier the ones that are still there; None without any."""
        reasons = {} if earlier is None else {name: why for name, why in earlier.reasons.items() if name in kept}
        reasons |= {each.source: ", ".join(each.reasons) for each in flagged}
        return cls(reasons) if reasons else None

    @property
    def names(self) -> tuple[str, ...]:
        """What the images are called."""
        return tuple(self.reasons)

    def to_dict(self) -> AcceptedDocument:
        """As JSON values, which `from_dict` takes."""
        return {"reasons": dict(self.reasons)}

    @classmethod
    def from_dict(cls, document: object) -> Accepted:
        """What `to_dict` described. Raises `UsageError` for anything else."""
        return cls(dict(require_form(document, AcceptedDocument, "these are no accepted images")["reasons"]))


def in_words(calibration: Calibration, state: Readiness | None, accepted: Accepted | None) -> Calibration:
    """A calibration that says what is known of its images besides: whether they stand for the line, and which were doubtful."""
    tested = None if state is None else state.tested
    names = () if accepted is None else accepted.names
    if (tested, names) == (calibration.tested, calibration.accepted):
        return calibration
    return replace(calibration, tested=tested, accepted=names)
