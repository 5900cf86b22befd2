"""What a station says, as plain values and arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray

from oddlens.calibration import Accepted, Calibration, Rates, Readiness, Scene, chosen, in_words
from oddlens.detection import Marking, RegionOfInterest, Thresholds
from oddlens.io.preparation import Preparation
from oddlens.provenance import Identity
from oddlens.station.defects import Defects


class Section(Protocol):
    """A part of a station that has a type of its own, made of plain values and NumPy arrays.

    `to_dict` gives JSON values, and at its keys also whole arrays, which the station keeps in a file; its `from_dict` takes the
    same, and raises `UsageError` for anything else.
    """

    def to_dict(self) -> Mapping[str, object]:
        """As JSON values and arrays."""


class SectionDocuments(TypedDict):
    """The parts of a station that have a type of their own, without their arrays: see `oddlens.station.contents`."""

    roi: dict[str, object] | None
    marking: dict[str, object] | None
    preparation: dict[str, object] | None
    scene: dict[str, object] | None
    state: dict[str, object] | None
    defects: dict[str, object] | None
    accepted: dict[str, object] | None


SECTIONS = tuple(SectionDocuments.__annotations__)
"""Their names: they are attributes of a detector and of `StationState` under the same ones."""

SealedSection = Literal["roi", "preparation", "defects"]

SEALED: tuple[SealedSection, ...] = get_args(SealedSection)
"""Those that scores depend on: checksums of references and calibrations cover them."""


class VersionDocument(TypedDict):
    """A `Version`."""

    number: int
    time: str
    verb: str
    what: str


def utc_now() -> str:
    """The time as versions and the log have it: ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of a station.

    Attributes:
        number: Counted from 1.
        time: When it was written, ISO 8601 in UTC; "" where an earlier format does not say it.
        verb: What wrote it: "create", "set", "save" (from Python), ...
        what: What was done, in words.
    """

    number: int
    time: str
    verb: str
    what: str

    def to_dict(self) -> VersionDocument:
        """As JSON values."""
        return {"number": self.number, "time": self.time, "verb": self.verb, "what": self.what}

    @classmethod
    def from_dict(cls, document: VersionDocument) -> Version:
        """The version that a document describes, whose form was checked."""
        return cls(number=document["number"], time=document["time"], verb=document["verb"], what=document["what"])


@dataclass(frozen=True, eq=False, kw_only=True)
class SavedReferences:
    """Good examples after the towers.

    Attributes:
        features: By name; the first dimension is the image.
        sources: What the images are called.
        sizes: (width, height) of the images, in pixels.
        notes: What was noted when they were read, or None.
        digests: Of their pixels; () where they are not known.
        flagged: The digests of those that joined because the station had flagged them, which set no threshold, also where they
            were taken out since: no lesson adds them again. None where an earlier version of oddlens did not say it.
    """

    features: Mapping[str, NDArray[np.generic]]
    sources: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    notes: tuple[str | None, ...]
    digests: tuple[str, ...] = ()
    flagged: tuple[str, ...] | None = ()

    def content_sha256(self) -> str:
        """A hash of the images' pixels, in their order, without their names."""
        digest = hashlib.sha256()
        if len(self.digests) == len(self.sources):
            digest.update("".join(self.digests).encode())
        else:  # they were encoded by hand
            for name, value in sorted(self.features.items()):
                digest.update(name.encode())
                digest.update(value.tobytes())
        return digest.hexdigest()

    @property
    def common_size(self) -> tuple[int, int] | None:
        """The (width, height) of all images; None where they differ, or where there is no image."""
        return self.sizes[0] if len(set(self.sizes)) == 1 else None


@dataclass(frozen=True, eq=False, kw_only=True)
class StationState:
    """All that a station says.

    Attributes:
        identity: What made it; of a station of formats 1 and 2, "" and None stand for what it does not say.
        model: The model's folder or file, as `oddlens.load` takes it; None: the packaged one.
        model_files: The files of that model, which a station takes along.
        weights: The file of the learned part; None without one.
        thresholds: Those given by hand.
        references: None without good examples.
        calibration: A split calibration, or the rates of leave-one-out ones; None: those of the rule.
        leave_one_out: The calibration of the references for `object_name`, so that thresholds are known without a model; None
            with fewer than two references, and where what it depends on was edited. A split calibration goes before it.
        memory_values: What the memory of the references keeps beside their features, for `object_name`, so that they need not be
            held against one another again; None where it keeps nothing, or as with `leave_one_out`.
        object_name: What is on the images; None: an earlier format does not say it.
        image_size: The (width, height) that images should have, in pixels; None: any.
        roi: Where to look; None: everywhere.
        marking: Which regions are marked; None: all.
        preparation: How images are cut and fitted before the towers.
        scene: What images of this part look like as a whole.
        state: Whether the station is still learning.
        defects: Known defects.
        accepted: Odd-looking good images that a person accepted.
        version: The version that was read; None for a state that is not written yet.
        is_sealed: Whether checksums vouch for the references: those of format 1 have none, and must be judged otherwise.
    """

    identity: Identity
    model: Path | None = None
    model_files: tuple[Path, ...] = ()
    weights: Path | None = None
    thresholds: Thresholds
    references: SavedReferences | None = None
    calibration: Calibration | Rates | None = None
    leave_one_out: Calibration | None = None
    memory_values: Mapping[str, NDArray[np.generic]] | None = None
    object_name: str | None = None
    image_size: tuple[int, int] | None = None
    roi: RegionOfInterest | None = None
    marking: Marking | None = None
    preparation: Preparation | None = None
    scene: Scene | None = None
    state: Readiness | None = None
    defects: Defects | None = None
    accepted: Accepted | None = None
    version: Version | None = None
    is_sealed: bool = True

    @property
    def calibration_in_force(self) -> Calibration | None:
        """The calibration that thresholds come from, where it is known without a model."""
        if isinstance(self.calibration, Calibration):
            return in_words(self.calibration, self.state, self.accepted)
        if self.leave_one_out is None:
            return None
        return in_words(self.leave_one_out.at(self.calibration or Rates()), self.state, self.accepted)

    @property
    def thresholds_in_force(self) -> Thresholds:
        """Those given by hand, and those of the calibration in the place of the others."""
        return chosen(self.thresholds, self.calibration_in_force)
