"""What users hold: it encodes images once and predicts many times, streams, and becomes a station."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import numpy as np

from oddlens.backbone.files import MINI_FOLDER
from oddlens.calibration import NOT_FINITE, Calibration, Rates, chosen
from oddlens.calibration.scene import concern_of
from oddlens.detection import UNSEEN, Detection, Marking, Thresholds, ValueRange
from oddlens.detector.calibrated import CalibratedDetector
from oddlens.detector.embedding import embeddings_of
from oddlens.detector.fitted import images_of, is_unseen
from oddlens.detector.reference_encoder import ReferenceEncoder
from oddlens.detector.settings import Fit
from oddlens.encoding import EncodedBatch, Encoder, Prepared, encode_together
from oddlens.errors import Failure, ImageError, UsageError, check_path, printable
from oddlens.io.images import Picture
from oddlens.io.inputs import Images, Input, each_input, is_live
from oddlens.io.loader import BATCH_SIZE, checked_count, load, load_each
from oddlens.methods.common.recent import Recent
from oddlens.methods.outside_code import faults_of, method_sha256
from oddlens.methods.recipe import change_recipe
from oddlens.methods.scoring import Numbers, Scores, ScoringMethod
from oddlens.provenance import Identity, plain_recipe, preprocessing_sha256, versions
from oddlens.station import SECTIONS, StationState, write_station
from oddlens.station.learning import scored_by

_KEPT_CHANGES = 16
"""Other recipes that predictions were made with: each keeps embeddings and calibrations of its own, and shares the memory bank."""


class Detector(CalibratedDetector):
    """A method on a model, with references (good examples) if there are some. `oddlens.load` and `oddlens.open_station` make it.

    Several threads may use a detector at once.

    Its attributes are those of `DetectorSettings`.
    """

    def __init__(self, name: str, method: ScoringMethod, notes: Sequence[str] = (), weights: str | None = None) -> None:
        super().__init__(name, method, notes, weights)
        self._changes: Recent[str, Detector] = Recent(_KEPT_CHANGES)

    @property
    def identity(self) -> Identity:
        """What its detections depend on; computed once, and again when something of it changes."""
        if self._identity is None:
            self._identity = self._identify()
        return self._identity

    def _identify(self) -> Identity:
        backbone, request, references = self.method.backbone, self.method.request, self.references
        return Identity(
            method=self.name,
            recipe=plain_recipe(self.recipe),
            model=backbone.identity,
            fitted=self.notes,
            preprocessing_sha256=preprocessing_sha256(
                backbone.mean, backbone.std, request.image_size, request.short_side, request.interpolation
            ),
            method_sha256=method_sha256(self.card),
            weights_sha256=self.weights_hash,
            reference_count=0 if references is None else len(references),
            references_sha256=None if references is None else references.content_sha256(),
            thresholds=self.thresholds.to_dict(),
            calibration=self._calibrated_how(),
            preparation=self._preparation.to_dict(),
            roi={} if self.roi is None else self.roi.to_dict(),
            marking={} if self.marking is None else self.marking.to_dict(),
            defects_sha256=None if self.defects is None else self.defects.memory.sha256,
            precision=self.method.precision,
            machine={
                **versions(),
                **self.method.machine,
                "weights": self.weights,
                "references": None if references is None else list(references.sources),
            },
        )

    def detect(self, images: Images, object_name: str | None = None) -> list[Detection]:
        """Score images. Few images are in memory at a time.

        Args:
            images: One image or several: paths, folders, patterns, videos by their paths, arrays (grey or RGB, [height, width] or
                [height, width, 3]; OpenCV's BGR needs `frame[..., ::-1]`), Pillow images, encoded bytes, open files.
            object_name: What is on the images, in a word or two; None: the detector's own `object_name`.

        Returns:
            One detection an image, in order.

        Raises:
            ImageError: An image cannot be read, or its score or map is not finite. `detect_each` continues with the others.
            UsageError: A path does not exist, the object name is empty, or the recipe scores a whole set (`check_alone`).

        Examples:
            >>> import numpy as np
            >>> import oddlens
            >>> detector = oddlens.load("winclip", device="cpu").set_thresholds(image=0.9)
            >>> (found,) = detector.detect(np.zeros((48, 64, 3), np.uint8), object_name="bracket")
            >>> found.is_anomalous, found.image_size, found.heatmap().shape
            (False, (64, 48), (48, 64))
        """
        self.check_alone()
        name = self._object_of(object_name)
        self._encode_prompts(name)
        encoder, found = self._encoder(), list[Detection]()
        with closing(load(each_input(images, self.max_megapixels), encoder.prepare, group=BATCH_SIZE)) as read:
            while len(batch := encoder.encode(islice(read, BATCH_SIZE))[0]):
                found += self.predict(batch, name)
        return found

    def detect_each(
        self, images: Images, object_name: str | None = None, batch_size: int = BATCH_SIZE
    ) -> Iterator[Detection | Failure]:
        """As `detect`, for any number of images: in order, as they come, with a `Failure` for each bad one.

        Args:
            images: As `detect` takes them; may be endless. Threads read them ahead (see `oddlens.io.loader`). Of an iterator no
                more is taken than the batch at work needs, because it may be a camera.
            object_name: What is on the images, in a word or two; None: the detector's own `object_name`.
            batch_size: Images that go through the towers together: so many consecutive ones, bad ones counted. The detection of an
                image is the same to the bit wherever its batch is run again.

        Raises:
            UsageError: The recipe scores a whole set (`check_alone`), or the object name or the batch size cannot be used.
            ImageError: The score of a reference is not finite.
        """
        self.check_alone()
        checked_count("batch_size", batch_size)
        name = self._object_of(object_name)
        self._encode_prompts(name)
        self._fit(name)
        ahead = 0 if is_live(images) else None
        return self._detect_each(each_input(images, self.max_megapixels), name, batch_size, ahead)

    def _detect_each(
        self, inputs: Iterator[Input], object_name: str, size: int, ahead: int | None
    ) -> Iterator[Detection | Failure]:
        encoder = self._encoder()
        with closing(load_each(inputs, encoder.prepare, ahead=ahead, group=size)) as read:
            while True:
                group: list[Failure | None] = []
                (encoded,) = encoder.encode(_usable(islice(read, size), group))
                if not group:
                    return
                found = iter(self._outcomes(encoded, object_name))
                yield from (next(found) if failure is None else failure for failure in group)

    def encode(self, images: Images) -> EncodedBatch:
        """The part of `detect` that needs pixels: all that does not depend on the object name or the references.

        Raises as `detect` does for an image that cannot be read.
        """
        encoder = self._encoder()
        with closing(load(each_input(images, self.max_megapixels), encoder.prepare, group=BATCH_SIZE)) as read:
            return encoder.encode_all(read)[0]

    def encode_references(self, images: Images) -> EncodedBatch:
        """Good examples as `references` takes them: as `encode`, with all that the memory bank is made of."""
        encoder = ReferenceEncoder(self.method, self._preparation)
        with closing(load(each_input(images, self.max_megapixels), encoder.prepare, group=BATCH_SIZE)) as read:
            return encoder.encode_all(read)

    def encode_pictures(self, pictures: Iterable[Picture]) -> EncodedBatch:
        """As `encode`, for images that are read already, or that an iterator reads."""
        return encode_together([self.method], pictures, preparation=self._preparation)[0]

    def predict(self, encoded: EncodedBatch, object_name: str | None = None, **changes: object) -> list[Detection]:
        """The detections of encoded images for an object name; the vision tower does not run again.

        Args:
            encoded: What `encode` gave.
            object_name: What is on the images, in a word or two; None: the detector's own `object_name`.
            changes: Other values of recipe fields on which the encoding does not depend.

        Raises:
            UsageError: Such a field is unknown or the encoding depends on it, or the recipe scores a whole set (`check_alone`).
            ImageError: A score or a map is not finite.
        """
        if changes:
            return self._changed(changes).predict(encoded, object_name)
        self.check_alone()
        self.check_prepared(encoded)
        return [_insisted(outcome) for outcome in self._outcomes(encoded, self._object_of(object_name))]

    def detect_set(self, images: Images, object_name: str | None = None) -> list[Detection]:
        """Score images beside each other, without any good example: each is judged by the whole set, most of which should be good.

        What an image gets depends on the others, so that nothing here is calibrated: only thresholds given by hand count.

        Args:
            images: As `detect` takes them. The features of all are in memory at once.
            object_name: What is on the images, in a word or two; None: the detector's own `object_name`.

        Raises:
            UsageError: The method scores every image alone, or there are too few images, or there are references.
            ImageError: An image cannot be read, or its score or map is not finite.
        """
        return self.predict_set(self.encode(images), object_name)

    def predict_set(self, encoded: EncodedBatch, object_name: str | None = None, **changes: object) -> list[Detection]:
        """As `detect_set`, for images that `encode` gave. changes: as `predict` takes them."""
        if changes:
            return self._changed(changes).predict_set(encoded, object_name)
        if self.references is not None:
            raise UsageError(
                "a set of images is judged by itself: leave the references out, or detect the images with them"
            )
        self.check_prepared(encoded)
        if any(len(layout) > 1 for layout in encoded.layouts):
            raise UsageError(
                "tiles are for images that are scored alone, and a set is scored together: leave tiles out"
            )
        text = self._encode_prompts(self._object_of(object_name))
        with self.method.inference():
            with faults_of(self.method.card):
                given = self.method.score_set(encoded.features, text)
            scores = self._mentioned(self._finished(encoded, given))
        value_range = self.fixed_range
        if math.isinf(value_range.high):
            highest = max(float(each.max()) for each in scores.maps)
            value_range = ValueRange(value_range.low, highest, f"range of this set, {value_range.low:g} to {highest:g}")
        return [_insisted(outcome) for outcome in self._detections(encoded, scores, self.thresholds, value_range)]

    def _outcomes(self, encoded: EncodedBatch, object_name: str) -> list[Detection | Failure]:
        """The detection of each image; a failure if score or map is not finite. A batch is scored at once, as it is encoded."""
        return [outcome for part in encoded.parts(BATCH_SIZE) for outcome in self._score(part, object_name)]

    def _score(self, encoded: EncodedBatch, object_name: str) -> Iterator[Detection | Failure]:
        calibration = self.calibration(object_name)
        thresholds = chosen(self.thresholds, calibration)
        value_range = (calibration and calibration.value_range) or self.fixed_range
        scores = self._scores(encoded, object_name)
        return self._detections(encoded, scores, thresholds, value_range, calibration)

    def _detections(
        self,
        encoded: EncodedBatch,
        result: Scores[Numbers],
        thresholds: Thresholds,
        value_range: ValueRange,
        calibration: Calibration | None = None,
    ) -> Iterator[Detection | Failure]:
        """The detection of each image; a failure if score or map is not finite."""
        embeddings = None if self.scene is None else embeddings_of(encoded)
        for number, (source, score, anomaly_map) in enumerate(images_of(encoded, result)):
            parts = {name: float(values[number]) for name, values in result.parts.items()}
            if not (np.isfinite([score, *parts.values()]).all() and np.isfinite(anomaly_map).all()):
                yield Failure(source, f"{printable(source)} {NOT_FINITE}")
                continue
            unseen = is_unseen(result, number)
            unlike = embeddings is not None and self.scene is not None and self.scene.is_unlike(embeddings[number])
            inside = self._looked_at(anomaly_map, encoded.sizes[number]) if unlike else None
            yield Detection(
                score,
                anomaly_map,
                encoded.sizes[number],
                replace(thresholds, promise=None) if unseen else thresholds,
                value_range,
                source,
                encoded.notes[number],
                parts,
                None if result.labels is None else np.asarray(result.labels[number], np.uint8),
                result.label_names,
                p_value=None if calibration is None or unseen else calibration.p_value(score),
                marking=self.marking or Marking(),
                roi=self.roi,
                concern=UNSEEN if unseen else concern_of(unlike, anomaly_map, thresholds.pixel, inside),
                unlike=unlike,
                is_unseen=unseen,
                embedding=None if embeddings is None else embeddings[number],
            )

    def save(self, folder: str | os.PathLike[str], note: str | None = None) -> None:
        """Write a station: a folder with everything needed to detect again, offline. See `oddlens.open_station`.

        A station that is there gets one more version; `oddlens.station.rollback` goes back to an earlier one.

        note: what this version is, in words, for the list of versions.

        Raises `UsageError` for a folder that holds other files and no station, or that another program is writing to, and where a
        method lacks the references that it needs; `OddlensError` where the disk takes no more, `ImageError` where the score or the
        map of a reference is not finite.
        """
        check_path("a station", folder, "give the path of a folder for it")
        self.check_references()
        write_station(self.to_state(), folder, what=note or "saved from Python")

    def to_state(self) -> StationState:
        """All that a station keeps of it."""
        backbone, references = self.method.backbone, self.references
        home = backbone.files[0].parent
        files = (
            () if home.is_relative_to(MINI_FOLDER) else tuple(path for path in backbone.files if path.parent == home)
        )
        saved = None if references is None else references.to_arrays()
        if saved is not None:
            flagged = self.flagged
            saved = replace(saved, flagged=None if flagged is None else tuple(sorted(flagged)))
        identity = self.identity
        if self.model_name is not None:
            identity = replace(identity, model=replace(identity.model, name=self.model_name))
        is_alone = references is None or not self.recipe.alone
        made = self.calibration() if self._split is None and is_alone else None
        kept = self.fit_to_keep() if is_alone else None
        return StationState(
            identity=identity,
            model=None if not files else files[0] if len(files) == 1 else home,
            model_files=files,
            weights=None if self.weights is None else Path(self.weights),
            thresholds=self.thresholds,
            references=saved,
            calibration=self._split or (None if self._rates == Rates() else self._rates),
            leave_one_out=made if kept is None or made is not None else kept.calibration,
            memory_values=None if kept is None else kept.values,
            object_name=self.object_name,
            image_size=self.image_size or (None if saved is None else saved.common_size),
            **{name: getattr(self, name) for name in SECTIONS},
        )

    def _changed(self, changes: Mapping[str, object]) -> Detector:
        """The same detector with another recipe; its computed values are cached for the next time."""
        recipe = change_recipe(self.recipe, changes)
        # Not the changes: a file of the same name may say something else now. Orders are part of it: they number classes.
        other = self._changes.get(json.dumps(asdict(recipe)), lambda: self._on(self.method.with_recipe(recipe)))
        if other.preparation != self.preparation:
            other._references = other._memory = None  # which were encoded in another way
            other.calibrate_by(Rates())
        self._pass_on(other)
        if other._references is not self._references:
            other._references, other._memory = self._references, self._memory  # which no question can change
            other.calibrate_by(Rates())
        if self._split is not None:
            self._warn_once(
                "the thresholds were calibrated with another recipe and are not used with this one: calibrate again"
            )
        elif other._rates != self._rates:
            other.calibrate_by(self._rates)
        return other

    def take_fit(self, other: Detector) -> None:
        """Take what another detector fitted for this one's object, where all that scores depend on is the same.

        So a station that only has other thresholds than before need not hold its references against each other again.
        """
        fit = other._fits.peek(self.object_name)
        if fit is None or scored_by(self.identity, "") != scored_by(other.identity, ""):
            return
        calibration = fit.calibration
        if calibration is not None:
            calibration = replace(calibration, **asdict(self._rates.check(len(calibration))))
        self._fits.get(self.object_name, lambda: Fit(fit.memory, calibration))

    def with_references(self, references: EncodedBatch | None) -> Detector:
        """Another detector with these references, and with the method, the thresholds and the limits of this one."""
        other = self._on(self.method)
        other.references = references
        return other

    def _on(self, method: ScoringMethod) -> Detector:
        other = Detector(self.name, method, self.notes, self.weights)
        other.weights_hash = self.weights_hash  # of the file as it was read
        self._pass_on(other)
        return other

    def _pass_on(self, other: Detector) -> None:
        """Give another detector what is set by hand, and does not depend on references or recipe."""
        for name in (
            "max_megapixels",
            "learned_from",
            "model_name",
            "object_name",
            "image_size",
            "thresholds",
            "flagged",
            *SECTIONS,
        ):
            if getattr(other, name) is not (value := getattr(self, name)):
                setattr(other, name, value)

    def reference(self, images: Images) -> Detector:
        """Deprecated: the earlier name of `add_references`."""
        _warn_of_name("reference", "add_references")
        return self.add_references(images)

    def ask(self, encoded: EncodedBatch, object_name: str | None = None, **changes: object) -> list[Detection]:
        """Deprecated: the earlier name of `predict`."""
        _warn_of_name("ask", "predict")
        return self.predict(encoded, object_name, **changes)


def encoder_of(detectors: Sequence[Detector]) -> Encoder:
    """What encodes images for several detectors at once, see `Encoder`; the batches are in the detectors' order.

    Raises `UsageError` for detectors that do not cut and fit images alike.
    """
    first, *others = (detector._preparation for detector in detectors)
    if any(other != first for other in others):
        raise UsageError("detectors with other tiles or another fit share no pass: encode for each on its own")
    return Encoder([detector.method for detector in detectors], first)


def _usable(outcomes: Iterable[Prepared | Failure], group: list[Failure | None]) -> Iterator[Prepared]:
    """The images that can be used; `group` gets an entry each: None, or the failure of one that cannot."""
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            group.append(outcome)
        else:
            group.append(None)
            yield outcome
        del outcome  # before the next one is waited for


def _insisted(outcome: Detection | Failure) -> Detection:
    if isinstance(outcome, Failure):
        raise ImageError(outcome.reason)
    return outcome


def _warn_of_name(old: str, new: str) -> None:
    warnings.warn(f"Detector.{old} is now called {new}: the old name goes with 0.3", DeprecationWarning, stacklevel=3)
