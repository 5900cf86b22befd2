"""A detector's thresholds: those given by hand, and those that good images calibrate."""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict
from typing import Self

from oddlens.calibration import (
    REVIEW_RATE,
    Accepted,
    Calibration,
    Observations,
    Rates,
    calibrate_on_observed,
    chosen,
    in_words,
    vet,
)
from oddlens.detection import Thresholds
from oddlens.detector.observed import ObservedDetector
from oddlens.errors import OddlensWarning, UsageError, check_type, counted, printable, shortened
from oddlens.io.inputs import Images
from oddlens.io.notebook import facts


class CalibratedDetector(ObservedDetector):
    """A method with references and thresholds. `Detector` is what it is used by."""

    def __repr__(self) -> str:
        """Method, model, object, references, tiles and thresholds given by hand."""
        parts = [self.name, f"model {self.model_name or self.backbone.identity.name}", shortened(self.object_name)]
        parts += [] if self.references is None else [counted(len(self.references), "reference")]
        parts += [] if self.preparation is None else [str(self.preparation)]
        return f"Detector({', '.join(filter(None, [*parts, self.thresholds.in_words()]))})"

    def _repr_html_(self) -> str:
        """What it is and promises, as notebooks show it. Nothing is computed for it."""
        fit = self._fits.peek(self.object_name)
        calibration = None if fit is None else fit.calibration
        if self._split is not None and self._split.object_name == self.object_name:
            calibration = self._split
        count, thresholds = len(self.references or ()), chosen(self.thresholds, calibration)
        later = "of the references, at the first image" if count > 1 else "none: no verdict"
        return facts(
            f"Detector {self.name}",
            [
                ("model", self.model_name or self.backbone.identity.name),
                ("object", shortened(self.object_name)),
                ("references", counted(count, "image")),
                ("images", "" if self.preparation is None else str(self.preparation)),
                ("thresholds", thresholds.in_words() or later),
                ("from", thresholds.source or ""),
                ("promise", thresholds.promise or ""),
            ],
        )

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds given by hand; they win over calibrated ones."""
        return self._thresholds

    @thresholds.setter
    def thresholds(self, thresholds: Thresholds) -> None:
        check_type(
            "thresholds", thresholds, Thresholds, "give Thresholds(image=0.5), for instance, or set_thresholds(0.5)"
        )
        self._thresholds, self._identity = thresholds, None

    def set_thresholds(
        self, image: float | None = None, pixel: float | None = None, review: float | None = None
    ) -> Self:
        """Set thresholds by hand. They win over those that are calibrated.

        One outside the values that the method's maps have is taken with an `OddlensWarning`: most likely it tells nothing apart.

        Args:
            image: For scores: NG above it; None leaves the calibrated one.
            pixel: For values of the anomaly map: marked above it; None leaves the calibrated one.
            review: For scores: review from here to `image`. None leaves the calibrated one, and none where `image` is given.

        Returns:
            The detector itself.

        Raises:
            UsageError: A threshold is not finite, or `review` lies above `image`.
        """
        image, pixel, review = _threshold(image), _threshold(pixel), _threshold(review)
        given = any(value is not None for value in (image, pixel, review))
        self.thresholds = Thresholds(image, pixel, "given" if given else None, review)
        self._warn_of_range()
        return self

    def _warn_of_range(self) -> None:
        """Say which thresholds given by hand lie outside the values that the method's maps have, with references or without."""
        ways = (False, True) if self.references is None else (True,)
        lows, highs = zip(*(self.method.value_range(way) for way in ways), strict=True)
        low, high = min(lows), max(highs)
        for value, unit, verdicts in (
            (self.thresholds.image, "image", ("NG", "ok")),
            (self.thresholds.review, "image", ("for review or NG", "not for review")),
            (self.thresholds.pixel, "pixel", ("marked", "unmarked")),
        ):
            if value is not None and not low <= value <= high:
                warnings.warn(
                    f"the threshold {value:g} lies outside the values from {low:g} to {high:g} of {self.name}'s maps, so that most "
                    f"likely every {unit} is {verdicts[value > high]}: take one from the scores of your images, or from good ones",
                    OddlensWarning,
                    stacklevel=3,
                )

    def calibrate(
        self,
        good_images: Images | Observations | None = None,
        false_alarm_rate: float | None = None,
        *,
        review_rate: float = REVIEW_RATE,
        object_name: str | None = None,
    ) -> Calibration:
        """Set the thresholds by good images, at a false-alarm rate that they can promise; `Calibration.statement` says what it is.

        Thresholds given by hand (`set_thresholds`) still win. Other references drop the calibration.

        Args:
            good_images: Good images that are no references, best a random sample of what is to come ("split" calibration), or what
                `observe` gave of them. None: the references, each held against the others ("leave-one-out").
            false_alarm_rate: The share of good images that may be called NG, on average. None: 1 / (n + 1) below 20 images, from 20
                on 5 %, from 100 on 1 %.
            review_rate: The share of good images that may go to review besides; 0: none.
            object_name: What is on the images; None: the detector's own `object_name`. A split calibration is for this name only.

        Returns:
            The calibration in force.

        Raises:
            UsageError: There are too few good images for the rate, or none, or the recipe scores a whole set (`check_alone`).
            ImageError: An image cannot be read, or its score or map is not finite.

        Examples:
            >>> import numpy as np
            >>> import oddlens
            >>> detector = oddlens.load("winclip", device="cpu")
            >>> good = [np.full((64, 64, 3), grey, np.uint8) for grey in range(100, 120)]
            >>> calibration = detector.calibrate(good, false_alarm_rate=0.1)
            >>> calibration.kind, len(calibration), calibration.rank
            ('split', 20, 19)
        """
        self.check_alone()
        if not self.recipe.is_independent:
            raise UsageError(
                f"with this recipe what {self.name} finds depends on the images before, so that no threshold keeps a promise: "
                "calibrate it with its default recipe"
            )
        name = self._object_of(object_name)
        rates = Rates(false_alarm_rate=false_alarm_rate, review_rate=review_rate)
        self._encode_prompts(name)
        if good_images is None and len(self.references or ()) > 1 and self._unflagged_count < 2:
            raise UsageError(
                "nearly all references joined because they were flagged, and what was flagged sets no threshold: give other good "
                "images"
            )
        if good_images is None and self.references is not None and len(self.references) > 1:
            rates.check(len(self.references))  # before anything is computed
        seen = good_images if isinstance(good_images, Observations) else self.observe(good_images, name)
        if seen.kind == "split":
            trained_on = self._trained_on([each.source for each in seen], "calibration images")
            self.calibrate_by(calibrate_on_observed(seen, rates, object_name=name, unguaranteed=trained_on))
        else:
            self.calibrate_by(rates)
        self.scene = self.scene_of(seen.images if seen.kind == "split" else ())
        vetting = vet(seen)
        if vetting.flagged:
            warnings.warn(vetting.sentence, OddlensWarning, stacklevel=2)
        known = () if self.references is None or seen.kind != "split" else self.references.sources
        self.state, self.accepted = None, Accepted.of(vetting.flagged, self.accepted, known)
        calibration = self.calibration(name)
        assert calibration is not None
        return calibration

    def calibrate_by(self, calibration: Calibration | Rates) -> None:
        """Put a split calibration in force that was made before, as of a station, or leave-one-out ones at these rates."""
        self._split = calibration if isinstance(calibration, Calibration) else None
        self._rates = calibration if isinstance(calibration, Rates) else Rates()
        self._identity = None
        self._fits.clear()

    @property
    def rates(self) -> Rates:
        """What was asked for: a false-alarm rate that is None follows the number of good images."""
        return self._rates if self._split is None else self._split.rates

    def calibration(self, object_name: str | None = None) -> Calibration | None:
        """The calibration in force for an object: the one that `calibrate` made, else that of two references or more; or None.

        Raises:
            ImageError: The score or the map of a reference is not finite.
        """
        name = self._object_of(object_name)
        split = self._split
        if split is not None and split.object_name == name:
            return self._in_words(split)
        if split is not None:
            self._warn_once(
                f"the thresholds were calibrated for {printable(split.object_name)!r} and are not used for {printable(name)!r}: "
                "calibrate again for it"
            )
        fit = self._fit(name)
        return None if fit is None or fit.calibration is None else self._in_words(fit.calibration)

    def _in_words(self, calibration: Calibration) -> Calibration:
        """A calibration that says what is known of its images besides."""
        return in_words(calibration, self.state, self.accepted)

    def _calibrated_how(self) -> dict[str, object]:
        """What its calibrations are made of, beside references, model and method."""
        if self._split is not None:
            return self._split.made_how
        if self.references is None or self._unflagged_count < 2:
            return {}
        return {"kind": "leave-one-out", **asdict(self._rates.check(len(self.references)))}

    def _warn_once(self, said: str) -> None:
        if said not in self._warned:
            self._warned.add(said)
            warnings.warn(said, OddlensWarning, stacklevel=5)


def _threshold(value: float | None) -> float | None:
    if value is None:
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{value!r} is no threshold: give a finite number")
    return number
