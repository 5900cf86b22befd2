"""What verdicts and marks follow from: thresholds by hand, a calibration, which regions are marked. No model is needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypedDict

from oddlens.calibration import Calibration, Rates, chosen
from oddlens.calibration.calibration import CalibrationDocument
from oddlens.detection import Marking, Thresholds, ValueRange
from oddlens.detection.thresholds import ThresholdsDocument
from oddlens.errors import UsageError, printable
from oddlens.inference.run_document import RunDocument, part
from oddlens.methods.recipe import filed_recipe
from oddlens.methods.registry import method_card, uses_object_name
from oddlens.provenance import differing, plain_recipe
from oddlens.station import StationState


class RangeDocument(TypedDict):
    """A `ValueRange`."""

    low: float
    high: float
    label: str


class BasisDocument(TypedDict):
    """What `Basis.to_dict` writes."""

    calibration: CalibrationDocument | None
    range: RangeDocument


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What must be known of a detector to judge its results. A run writes it into run.json.

    calibration: In force for the object of the run; None: there was none. fixed_range: The colours of a map without a calibration.
    """

    calibration: Calibration | None
    fixed_range: ValueRange

    def to_dict(self) -> BasisDocument:
        """As JSON values."""
        scale = self.fixed_range
        return {
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "range": {"low": scale.low, "high": scale.high, "label": scale.label},
        }

    @classmethod
    def of(cls, document: Mapping[str, object]) -> Basis | None:
        """What run.json says; None: an earlier version wrote it. Raises `UsageError` where it is damaged."""
        if document.get("basis") is None:
            return None
        found = part(document["basis"], BasisDocument)
        scale, calibration = found["range"], found["calibration"]
        return cls(
            calibration=None if calibration is None else Calibration.from_dict(calibration),
            fixed_range=ValueRange(scale["low"], scale["high"], scale["label"]),
        )


class _Calibrated(Protocol):
    """A detector, as far as it is asked."""

    @property
    def fixed_range(self) -> ValueRange:
        """The colours of its maps without a calibration."""

    def calibration(self, object_name: str | None = None) -> Calibration | None:
        """The calibration in force for an object."""


def basis_of(detector: _Calibrated, object_name: str) -> BasisDocument:
    """The basis of a detector's results, as JSON values."""
    return Basis(calibration=detector.calibration(object_name), fixed_range=detector.fixed_range).to_dict()


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What verdicts and marks follow from.

    Attributes:
        given: Thresholds given by hand; they win.
        calibration: Where the others come from; None: there are none.
        marking: Which regions are marked; None: all.
        by: Who judges, in words.
        how: What a detector's `Identity` says of its calibration; None: what the calibration says itself.
    """

    given: Thresholds
    calibration: Calibration | None
    marking: Marking | None
    by: str
    how: Mapping[str, object] | None = None

    @property
    def thresholds(self) -> Thresholds:
        """Those in force."""
        return chosen(self.given, self.calibration)

    @property
    def settings(self) -> dict[str, object]:
        """What "run" of run.json says of it: `results.JUDGED`, as far as there is something to say."""
        settings: dict[str, object] = {"thresholds": self.given.to_dict()}
        how = self.calibration.made_how if self.how is None and self.calibration is not None else self.how
        if how:
            settings["calibration"] = dict(how)
        if self.marking is not None:
            settings["marking"] = self.marking.to_dict()
        return settings


def marking_of(document: RunDocument) -> Marking | None:
    """Which regions a run marked, as run.json says. Raises `UsageError` where it is damaged."""
    found = document["run"].get("marking")
    return None if found is None else Marking.from_dict(found)


def review_of(document: RunDocument) -> float | None:
    """The review threshold that is in force in a run; None: nothing was sent to review. Raises `UsageError` as `by_thresholds`."""
    basis = Basis.of(document)
    given = part(document["run"].get("thresholds"), ThresholdsDocument)
    by_hand = Thresholds(given["image"], given["pixel"], review=given.get("review"))
    return chosen(by_hand, None if basis is None else basis.calibration).review


def by_thresholds(
    document: RunDocument,
    image: float | None = None,
    pixel: float | None = None,
    review: float | None = None,
    marking: Marking | None = None,
) -> Judgement:
    """A judgement by thresholds that are given now. What is not given stays as the run has it.

    An image threshold brings its own review threshold, or none, as `Detector.set_thresholds` has it.

    Args:
        document: What run.json says.
        image: See `Thresholds`.
        pixel: See `Thresholds`.
        review: See `Thresholds`.
        marking: Which regions are marked; None: all.

    Raises:
        UsageError: A threshold cannot be used, run.json is damaged, or an earlier version calibrated the run and did not say how.
    """
    run, basis = document["run"], Basis.of(document)
    earlier = part(run.get("thresholds"), ThresholdsDocument)
    if review is None and image is None:
        review = earlier.get("review")
    image = earlier["image"] if image is None else image
    pixel = earlier["pixel"] if pixel is None else pixel
    is_given = any(value is not None for value in (image, pixel, review))
    given = Thresholds(image, pixel, "given" if is_given else None, review)
    if basis is None and "calibration" in run and (image is None or pixel is None):
        raise UsageError(
            "these results are of an earlier version of oddlens, which did not write down the scores of the good images: give both "
            "thresholds, --threshold SCORE,PIXEL"
        )
    calibration = None if basis is None else basis.calibration
    return Judgement(given=given, calibration=calibration, marking=marking, by="thresholds given by hand")


def by_station(document: RunDocument, state: StationState, folder: str | os.PathLike[str]) -> Judgement:
    """A judgement by a station.

    Args:
        document: What run.json says.
        state: What the station says.
        folder: Where it is, for sentences.

    Raises:
        UsageError: The station gives images other scores than the run had, or nobody knows those of its references.
    """
    shown = printable(os.fspath(folder))
    if names := other_scores(document, state):
        raise UsageError(
            f"the station {shown} would score these images in another way ({', '.join(names)}): "
            "judge them with the station that they were scored with, or run detect with this one"
        )
    calibration = state.calibration_in_force
    if calibration is None and state.references is not None and len(state.references.sources) > 1:
        calibration = _of_its_references(document, state)
        if calibration is None and None in (state.thresholds.image, state.thresholds.pixel):
            raise UsageError(
                f"the station {shown} is of an earlier version of oddlens, which did not keep the scores of its references: "
                "save it again, or give --threshold SCORE,PIXEL"
            )
    number = "" if state.version is None else f", version {state.version.number}"
    return Judgement(
        given=state.thresholds, calibration=calibration, marking=state.marking, by=f"the station {shown}{number}"
    )


def other_scores(document: RunDocument, state: StationState) -> list[str]:
    """In what a station scores images in another way than a run did, by run.json; [] where it scores them alike."""
    run, wanted = document["run"], _scored_by(state)
    return [name.removesuffix("_sha256") for name in differing({name: run.get(name) for name in wanted}, wanted)]


def _scored_by(state: StationState) -> dict[str, object]:
    """All that scores depend on, as far as a station says it, as "run" of run.json has it."""
    identity, references = state.identity, state.references
    wanted: dict[str, object] = {
        "method": identity.method,
        "recipe": plain_recipe(filed_recipe(method_card(identity.method).recipe, identity.recipe)),
        "method_sha256": identity.method_sha256,
        "model_sha256": identity.model.sha256,
        "weights_sha256": identity.weights_sha256,
        "reference_count": 0 if references is None else len(references.sources),
        "references_sha256": None if references is None else references.content_sha256(),
        "roi": None if state.roi is None else state.roi.to_dict(),
        "preparation": (state.preparation and state.preparation.to_dict()) or None,
        "defects_sha256": None if state.defects is None else state.defects.memory.sha256,
    }
    if identity.preprocessing_sha256 is not None:
        wanted["preprocessing_sha256"] = identity.preprocessing_sha256
    if state.object_name is not None and uses_object_name(identity.method):
        wanted["object"] = state.object_name
    return wanted


def _of_its_references(document: RunDocument, state: StationState) -> Calibration | None:
    """The leave-one-out calibration of a station that does not keep it: the run had the same references, and so their scores."""
    basis = Basis.of(document)
    known = None if basis is None else basis.calibration
    if known is None or known.kind != "leave-one-out":
        return None
    return known.at(state.calibration if isinstance(state.calibration, Rates) else Rates())
