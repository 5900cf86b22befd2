"""The detector: model, method, references and thresholds in one place. It encodes images once and predicts many times."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from oddlens.backbone.cache import cached_hash
from oddlens.backbone.files import MINI_FOLDER
from oddlens.backbone.tensors import aligned
from oddlens.calibration import NOT_FINITE, REVIEW_RATE, Calibration, Rates, calibrate_on, chosen
from oddlens.detection import Detection, Thresholds, ValueRange
from oddlens.encoding import EncodedBatch, Encoder, Prepared, encode_together, joined
from oddlens.errors import Failure, ImageError, OddlensWarning, UsageError, printable, shortened
from oddlens.io.images import Picture
from oddlens.io.inputs import Images, Input, each_input, is_live
from oddlens.io.loader import BATCH_SIZE, checked_count, load, load_each
from oddlens.methods.base import AnyMethod, Scores, Text
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.common.recent import Recent
from oddlens.methods.recipe import change_recipe
from oddlens.methods.recipe_fields import Recipe
from oddlens.provenance import Identity, plain_recipe, preprocessing_sha256, versions
from oddlens.station import StationState, write_station

_KEPT_TEXTS = 16
"""Object names whose prompt embeddings are cached: 2 MB each with AnoVL's 924 prompts."""

_KEPT_FITS = 64
"""Object names for which the memory bank and the calibration are cached; the banks share their features."""
_KEPT_CHANGES = 16
"""Other recipes that predictions were made with: each keeps embeddings and calibrations of its own, and shares the memory bank."""


class Detector:
    """A method on a model, with references (good examples) if there are some. `oddlens.load` and `oddlens.open_station` make it.

    Several threads may use a detector at once.

    Attributes:
        name: The method's name.
        method: The method, bound to its model.
        notes: What of the recipe was fitted to the model, in words.
        weights: The path of the learned part, or None.
        max_megapixels: Larger images are refused; None is the environment's limit (see `oddlens.io.images.checked_limit`).
        object_name: The object on the images, by default.
    """

    def __init__(self, name: str, method: AnyMethod, notes: Sequence[str] = (), weights: str | None = None) -> None:
        self.name = name
        self.method = method
        self.notes = tuple(notes)
        self.weights = weights
        self.max_megapixels: float | None = None
        self.object_name = "part"
        self._thresholds = Thresholds()
        self._rates = Rates()
        self._split: Calibration | None = None
        self._warned: set[str] = set()
        self._identity: Identity | None = None
        self._references: EncodedBatch | None = None
        self._memory: MemoryBank | None = None
        self._fits: Recent[str, _Fit] = Recent(_KEPT_FITS)
        self._texts: Recent[str, Text] = Recent(_KEPT_TEXTS)
        self._changes: Recent[str, Detector] = Recent(_KEPT_CHANGES)

    @cached_property
    def weights_hash(self) -> str | None:
        """SHA-256 of the learned part's file, computed once; None without one."""
        return None if self.weights is None else cached_hash(Path(self.weights))

    @property
    def identity(self) -> Identity:
        """What its detections depend on; computed once, and again when references or thresholds change."""
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
            weights_sha256=self.weights_hash,
            reference_count=0 if references is None else len(references),
            references_sha256=None if references is None else references.content_sha256(),
            thresholds=self.thresholds.to_dict(),
            calibration=self._calibrated_how(),
            machine={
                **versions(),
                "device": str(backbone.device),
                "threads": torch.get_num_threads(),
                "weights": self.weights,
                "references": None if references is None else list(references.sources),
            },
        )

    def _calibrated_how(self) -> dict[str, object]:
        """What its calibrations are made of, beside references, model and method."""
        if self._split is not None:
            return {"kind": "split", **asdict(self._split.rates), "sha256": self._split.sha256}
        if self.references is None or len(self.references) < 2:
            return {}
        return {"kind": "leave-one-out", **asdict(self._rates.check(len(self.references)))}

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds given by hand; they win over calibrated ones."""
        return self._thresholds

    @thresholds.setter
    def thresholds(self, thresholds: Thresholds) -> None:
        self._thresholds, self._identity = thresholds, None

    @property
    def recipe(self) -> Recipe:
        """The frozen recipe in force."""
        recipe: Recipe = self.method.recipe
        return recipe

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.method.backbone.device

    @property
    def no_references(self) -> str | None:
        """Why it takes no good examples, in a sentence; None where it takes them."""
        return self.method.no_references

    @property
    def fixed_range(self) -> ValueRange:
        """The values that its maps can take on any image; they differ with references."""
        low, high = self.method.value_range(self._references is not None)
        return ValueRange(low, high, f"fixed range {low:g} to {high:g}")

    def check_alone(self) -> None:
        """Raises `UsageError` where the recipe gives images no scores of their own, see `Recipe.alone`."""
        if self._references is not None and self.recipe.alone:
            instead = ", ".join(f"{name}={value!r}" for name, value in self.recipe.alone.items())
            raise UsageError(
                f"with this recipe {self.name} scores a whole set of images at once, which only 'oddlens benchmark' does: "
                f"give {instead}"
            )

    @property
    def references(self) -> EncodedBatch | None:
        """The good examples, encoded; None without any. Setting them drops the memory bank and the calibration of the earlier ones.

        Setting raises `ImageError` for one whose features are not finite.
        """
        return self._references

    @references.setter
    def references(self, references: EncodedBatch | None) -> None:
        if references is None:
            self._keep(None, None)
        else:
            references = _ready(references)
            self._keep(references, self.method.fit(references.features))

    def _keep(self, references: EncodedBatch | None, memory: MemoryBank | None) -> None:
        """Take other good examples, with the memory bank of them; what was made of the earlier ones goes."""
        if self._split is not None or self._rates != Rates():
            warnings.warn(
                "the calibration was made with other references and is dropped: calibrate again",
                OddlensWarning,
                stacklevel=4,
            )
        self._split, self._rates = None, Rates()
        self._references, self._memory, self._identity = references, memory, None
        self._fits.clear()

    def add_references(self, images: Images) -> Detector:
        """Add good examples.

        An image that is there already, by its pixels, is left out with an `OddlensWarning`: compared with itself it would be the
        best of examples, and the thresholds would be those of a line without any variation.

        Args:
            images: One image or several: paths, folders, patterns, arrays, Pillow images, encoded bytes, open files.

        Returns:
            The detector itself.

        Raises:
            UsageError: The method takes no references, a path names nothing, or no image is given.
            ImageError: An image cannot be read, or its features are not finite. No reference is added then.

        Example:
            >>> import numpy as np
            >>> import oddlens
            >>> good = [np.full((64, 64, 3), grey, np.uint8) for grey in (100, 120)]
            >>> detector = oddlens.load("winclip", device="cpu").add_references(good)
            >>> len(detector.references)
            2
        """
        if self.no_references is not None:
            raise UsageError(self.no_references)
        earlier = joined([] if self.references is None else [self.references])
        sources = dict(zip(earlier.digests, earlier.sources, strict=False))  # by the digest of the image
        count, doubles = len(sources), list[str]()
        encoder = Encoder([self.method])

        def prepare(picture: Picture) -> _Reference:
            return _Reference(encoder.prepare(picture), picture.digest())

        with closing(load(each_input(images, self.max_megapixels), prepare, group=BATCH_SIZE)) as read:
            (added,) = encoder.encode_all(_unlike(read, sources, doubles))
        if doubles:
            _warn_of(doubles)
        elif not len(added):
            raise UsageError("no reference images were given: give at least one good example")
        if len(added):
            added = _ready(replace(added, digests=tuple(sources)[count:]))
            memory = self.method.fit(added.features)
            if self._references is not None and self._memory is not None:
                added, memory = joined([self._references, added]), self._memory.add(memory)
            self._keep(added, memory)
        return self

    def reference(self, images: Images) -> Detector:
        """Deprecated: the earlier name of `add_references`."""
        _warn_of_name("reference", "add_references")
        return self.add_references(images)

    def ask(self, encoded: EncodedBatch, object_name: str = "part", **changes: object) -> list[Detection]:
        """Deprecated: the earlier name of `predict`."""
        _warn_of_name("ask", "predict")
        return self.predict(encoded, object_name, **changes)

    def set_thresholds(
        self, image: float | None = None, pixel: float | None = None, review: float | None = None
    ) -> Detector:
        """Set thresholds by hand. They win over those that are calibrated.

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
        return self

    def detect(self, images: Images, object_name: str = "part") -> list[Detection]:
        """Score images. Few images are in memory at a time.

        Args:
            images: One image or several: paths, folders, patterns, arrays, Pillow images, encoded bytes, open files.
            object_name: What is on the images, in a word or two.

        Returns:
            One detection an image, in order.

        Raises:
            ImageError: An image cannot be read, or its score or map is not finite. `detect_each` continues with the others.
            UsageError: A path does not exist, the object name is empty, or the recipe scores a whole set (`check_alone`).

        Example:
            >>> import numpy as np
            >>> import oddlens
            >>> detector = oddlens.load("winclip", device="cpu").set_thresholds(image=0.9)
            >>> (found,) = detector.detect(np.zeros((48, 64, 3), np.uint8), object_name="bracket")
            >>> found.is_anomalous, found.image_size, found.heatmap().shape
            (False, (64, 48), (48, 64))
        """
        self.check_alone()
        self._encode_prompts(object_name)
        encoder, found = Encoder([self.method]), []
        with closing(load(each_input(images, self.max_megapixels), encoder.prepare, group=BATCH_SIZE)) as read:
            while len(batch := encoder.encode(islice(read, BATCH_SIZE))[0]):
                found += self.predict(batch, object_name)
        return found

    def detect_each(
        self, images: Images, object_name: str = "part", batch_size: int = BATCH_SIZE
    ) -> Iterator[Detection | Failure]:
        """As `detect`, for any number of images: in order, as they come, with a `Failure` for each bad one.

        Args:
            images: As `detect` takes them; may be endless. Threads read them ahead (see `oddlens.io.loader`). Of an iterator no
                more is taken than the batch at work needs, because it may be a camera.
            object_name: What is on the images, in a word or two.
            batch_size: Images that go through the towers together: so many consecutive ones, bad ones counted. The detection of an
                image is the same to the bit wherever its batch is run again.

        Raises:
            UsageError: The recipe scores a whole set (`check_alone`), or the object name or the batch size cannot be used.
            ImageError: The score of a reference is not finite.
        """
        self.check_alone()
        checked_count("batch_size", batch_size)
        self._encode_prompts(object_name)
        self._fit(object_name)
        ahead = 0 if is_live(images) else None
        return self._detect_each(each_input(images, self.max_megapixels), object_name, batch_size, ahead)

    def _detect_each(
        self, inputs: Iterator[Input], object_name: str, size: int, ahead: int | None
    ) -> Iterator[Detection | Failure]:
        encoder = Encoder([self.method])
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
        encoder = Encoder([self.method])
        with closing(load(each_input(images, self.max_megapixels), encoder.prepare, group=BATCH_SIZE)) as read:
            return encoder.encode_all(read)[0]

    def encode_pictures(self, pictures: Iterable[Picture]) -> EncodedBatch:
        """As `encode`, for images that are read already, or that an iterator reads."""
        return encode_together([self.method], pictures)[0]

    @torch.inference_mode()
    def predict(self, encoded: EncodedBatch, object_name: str = "part", **changes: object) -> list[Detection]:
        """The detections of encoded images for an object name; the vision tower does not run again.

        Args:
            encoded: What `encode` gave.
            object_name: What is on the images, in a word or two.
            changes: Other values of recipe fields on which the encoding does not depend.

        Raises:
            UsageError: Such a field is unknown or the encoding depends on it, or the recipe scores a whole set (`check_alone`).
            ImageError: A score or a map is not finite.
        """
        if changes:
            return self._changed(changes).predict(encoded, object_name)
        self.check_alone()
        return [_insisted(outcome) for outcome in self._outcomes(encoded, object_name)]

    @torch.inference_mode()
    def _outcomes(self, encoded: EncodedBatch, object_name: str) -> list[Detection | Failure]:
        """The detection of each image; a failure if score or map is not finite. A batch is scored at once, as it is encoded."""
        parts = (encoded[first : first + BATCH_SIZE] for first in range(0, len(encoded), BATCH_SIZE))
        return [outcome for part in parts for outcome in self._score(part, object_name)]

    def _score(self, encoded: EncodedBatch, object_name: str) -> Iterator[Detection | Failure]:
        calibration = self.calibration(object_name)
        thresholds = chosen(self.thresholds, calibration)
        value_range = (calibration and calibration.value_range) or self.fixed_range
        result = self._scores(encoded, object_name)
        for number, (source, score, anomaly_map) in enumerate(_images_of(encoded, result)):
            parts = {name: float(values[number]) for name, values in result.parts.items()}
            if not (np.isfinite([score, *parts.values()]).all() and np.isfinite(anomaly_map).all()):
                yield Failure(source, f"{printable(source)} {NOT_FINITE}")
                continue
            yield Detection(
                score,
                anomaly_map,
                encoded.sizes[number],
                thresholds,
                value_range,
                source,
                encoded.notes[number],
                parts,
                None if result.labels is None else result.labels[number].cpu().numpy(),
                result.label_names,
                p_value=None if calibration is None else calibration.p_value(score),
            )

    def _scores(self, encoded: EncodedBatch, object_name: str) -> Scores:
        """What the method says of a batch."""
        fit = self._fit(object_name)
        return self.method.score(
            encoded.features, self._encode_prompts(object_name), None if fit is None else fit.memory
        )

    def calibrate(
        self,
        good_images: Images | None = None,
        false_alarm_rate: float | None = None,
        *,
        review_rate: float = REVIEW_RATE,
        object_name: str | None = None,
    ) -> Calibration:
        """Set the thresholds by good images, at a false-alarm rate that they can promise; `Calibration.statement` says what it is.

        Thresholds given by hand (`set_thresholds`) still win. Other references drop the calibration.

        Args:
            good_images: Good images that are no references, best a random sample of what is to come ("split" calibration).
                None: the references, each held against the others ("leave-one-out").
            false_alarm_rate: The share of good images that may be called NG, on average. None: 1 / (n + 1) below 20 images, from 20
                on 5 %, from 100 on 1 %.
            review_rate: The share of good images that may go to review besides; 0: none.
            object_name: What is on the images; None: the detector's own `object_name`. A split calibration is for this name only.

        Returns:
            The calibration in force.

        Raises:
            UsageError: There are too few good images for the rate, or none, or the recipe scores a whole set (`check_alone`).
            ImageError: An image cannot be read, or its score or map is not finite.

        Example:
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
        name = self.object_name if object_name is None else object_name
        rates = Rates(false_alarm_rate=false_alarm_rate, review_rate=review_rate)
        self._encode_prompts(name)
        if good_images is not None:
            calibration = calibrate_on("split", self._scored(good_images, name), rates, object_name=name)
            self.calibrate_by(calibration)
            return calibration
        count = 0 if self.references is None else len(self.references)
        if count < 2:
            raise UsageError(
                f"there is nothing to calibrate on: give good images{'' if self.no_references else ', or two references or more'}"
            )
        rates.check(count)
        self.calibrate_by(rates)
        fit = self._fit(name)
        assert fit is not None
        assert fit.calibration is not None
        return fit.calibration

    def calibrate_by(self, calibration: Calibration | Rates) -> None:
        """Put a split calibration in force that was made before, as of a station, or leave-one-out ones at these rates."""
        self._split = calibration if isinstance(calibration, Calibration) else None
        self._rates = calibration if isinstance(calibration, Rates) else Rates()
        self._identity = None
        self._fits.clear()

    @torch.inference_mode()
    def _scored(self, images: Images, object_name: str) -> Iterator[tuple[str, float, NDArray[np.float32]]]:
        """What each image is called, its score and its map. One that is there twice, or is a reference, is left out and named."""
        references = self.references
        sources = {} if references is None else dict(zip(references.digests, references.sources, strict=False))
        encoder, doubles = Encoder([self.method]), list[str]()

        def prepare(picture: Picture) -> _Reference:
            return _Reference(encoder.prepare(picture), picture.digest())

        with closing(load(each_input(images, self.max_megapixels), prepare, group=BATCH_SIZE)) as read:
            new = _unlike(read, sources, doubles)
            found = False
            while len(batch := encoder.encode(islice(new, BATCH_SIZE))[0]):
                found = True
                yield from _images_of(batch, self._scores(batch, object_name))
        if doubles:
            _warn_of(doubles, "good images and the references")
        if not found:
            raise UsageError("no good images were given that are no references: give at least one")

    def calibration(self, object_name: str | None = None) -> Calibration | None:
        """The calibration in force for an object: the one that `calibrate` made, else that of two references or more; or None.

        Raises:
            ImageError: The score or the map of a reference is not finite.
        """
        name = self.object_name if object_name is None else object_name
        split = self._split
        if split is not None and split.object_name == name:
            return split
        if split is not None:
            self._warn_once(
                f"the thresholds were calibrated for {printable(split.object_name)!r} and are not used for {printable(name)!r}: "
                "calibrate again for it"
            )
        fit = self._fit(name)
        return None if fit is None else fit.calibration

    def _fit(self, object_name: str) -> _Fit | None:
        """What the references are for an object; None without any. Raises `ImageError` for one whose score or map is not finite."""
        references, memory = self._references, self._memory
        if references is None or memory is None:
            return None
        return self._fits.get(object_name, lambda: self._fitted(references, memory, object_name))

    @torch.inference_mode()
    def _fitted(self, references: EncodedBatch, memory: MemoryBank, object_name: str) -> _Fit:
        text = self._encode_prompts(object_name)
        fitted, own = self.method.fit_prompts(memory, references.features, text)
        if len(references) < 2:
            return _Fit(fitted, None)
        parts = _leave_one_out(self.method, references, fitted, text) if own is None else [(references, own)]
        images = (image for batch, scores in parts for image in _images_of(batch, scores))
        unguaranteed = self.method.card.unguaranteed
        return _Fit(
            fitted,
            calibrate_on("leave-one-out", images, self._rates, object_name=object_name, unguaranteed=unguaranteed),
        )

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a station: a folder with everything needed to detect again, offline. See `oddlens.open_station`.

        Raises `UsageError` for a folder that holds other files and no station, `OddlensError` where the disk takes no more.
        """
        backbone, references = self.method.backbone, self.references
        home = backbone.files[0].parent
        files = () if home == MINI_FOLDER else tuple(path for path in backbone.files if path.parent == home)
        write_station(
            StationState(
                identity=self.identity,
                model=None if not files else files[0] if len(files) == 1 else home,
                model_files=files,
                weights=None if self.weights is None else Path(self.weights),
                thresholds=self.thresholds,
                references=None if references is None else references.to_arrays(),
                calibration=self._split or (None if self._rates == Rates() else self._rates),
            ),
            folder,
        )

    def _changed(self, changes: Mapping[str, object]) -> Detector:
        """The same detector with another recipe; its computed values are cached for the next time."""
        recipe = change_recipe(self.recipe, changes)
        # Not the changes: a file of the same name may say something else now. Orders are part of it: they number classes.
        other = self._changes.get(json.dumps(asdict(recipe)), lambda: self._on(self.method.with_recipe(recipe)))
        other.thresholds = self.thresholds
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

    def with_references(self, references: EncodedBatch | None) -> Detector:
        """Another detector with these references, and with the method, the thresholds and the limits of this one."""
        other = self._on(self.method)
        other.references = references
        return other

    def _on(self, method: AnyMethod) -> Detector:
        other = Detector(self.name, method, self.notes, self.weights)
        other.weights_hash = self.weights_hash  # of the file as it was read
        other.max_megapixels, other.object_name = self.max_megapixels, self.object_name
        other.thresholds = self.thresholds
        return other

    def _warn_once(self, said: str) -> None:
        if said not in self._warned:
            self._warned.add(said)
            warnings.warn(said, OddlensWarning, stacklevel=5)

    def _encode_prompts(self, object_name: str) -> Text:
        if not isinstance(object_name, str):
            raise UsageError(
                f"the object name cannot be {shortened(object_name)}: give a text that says in a word or two what is on the images"
            )
        if not object_name.strip():
            raise UsageError(
                "the object name is empty: say in a word or two what is on the images, for instance 'part'"
            )
        return self._texts.get(object_name, lambda: self.method.encode_prompts(object_name))


def encoder_of(detectors: Sequence[Detector]) -> Encoder:
    """What encodes images for several detectors at once, see `Encoder`; the batches are in the detectors' order."""
    return Encoder([detector.method for detector in detectors])


def _ready(references: EncodedBatch) -> EncodedBatch:
    """Good examples that lie in memory as those that a station gives back. Raises `ImageError` where one is not finite."""
    references.check_finite()
    return replace(references, features={name: aligned(value) for name, value in references.features.items()})


def _threshold(value: float | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{value!r} is no threshold: give a finite number")
    return number


class _Fit(NamedTuple):
    """What the references are for one object: the memory bank that images are scored with, and the calibration from two on."""

    memory: MemoryBank
    calibration: Calibration | None


class _Reference(NamedTuple):
    """A reference that is read, and the digest of its pixels."""

    image: Prepared
    digest: str

    @property
    def pixel_count(self) -> int:
        """Pixels in memory."""
        return self.image.pixel_count


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


def _leave_one_out(
    method: AnyMethod, references: EncodedBatch, memory: MemoryBank, text: Text
) -> Iterator[tuple[EncodedBatch, Scores]]:
    """What the references score, each with the others as its memory, batch by batch."""
    for first in range(0, len(references), BATCH_SIZE):
        batch = references[first : first + BATCH_SIZE]
        yield batch, method.score(batch.features, text, memory.leaving_out(torch.arange(first, first + len(batch))))


def _images_of(encoded: EncodedBatch, result: Scores) -> Iterator[tuple[str, float, NDArray[np.float32]]]:
    """What each image of a batch is called, its score, and its map."""
    for source, score, anomaly_map in zip(encoded.sources, result.scores.tolist(), result.maps, strict=True):
        yield source, score, anomaly_map.float().cpu().numpy()


def _unlike(images: Iterable[_Reference], sources: dict[str, str], doubles: list[str]) -> Iterator[Prepared]:
    """The images whose digest is not among `sources` yet, which gets theirs; `doubles` gets the names of the others."""
    for each in images:
        source = each.image.source
        if each.digest in sources:
            doubles.append(" is ".join(dict.fromkeys(printable(name) for name in (source, sources[each.digest]))))
        else:
            sources[each.digest] = source
            yield each.image
        del each  # before the next one is read


def _warn_of(doubles: Sequence[str], where: str = "references") -> None:
    rest = f", and {len(doubles) - 3} more" if len(doubles) > 3 else ""
    warnings.warn(
        f"the same image is among the {where} more than once, and counts once: {', '.join(doubles[:3])}{rest}",
        OddlensWarning,
        stacklevel=3,
    )


def _warn_of_name(old: str, new: str) -> None:
    warnings.warn(
        f"Detector.{old} is now called {new}: the old name goes with the next version", DeprecationWarning, stacklevel=3
    )
