"""A method on a model with references: prompt embeddings, memory bank and scores, each computed once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.tensors import aligned
from oddlens.calibration import Accepted, Calibration, Rates, Readiness, Scene, calibrate_on
from oddlens.detection import Marking, RegionOfInterest, Thresholds, ValueRange
from oddlens.detector.embedding import embeddings_of
from oddlens.detector.good_images import read_good_images, warn_of_doubles
from oddlens.detector.inside import within
from oddlens.detector.reference_encoder import ReferenceEncoder
from oddlens.encoding import EncodedBatch, Encoder, joined, joined_scores
from oddlens.errors import OddlensWarning, UsageError, shortened
from oddlens.io.hashes import cached_hash
from oddlens.io.inputs import Images
from oddlens.io.loader import BATCH_SIZE
from oddlens.io.preparation import AS_IN_PAPERS, Layout, Preparation
from oddlens.methods.base import AnyMethod, Scores, Text
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.common.recent import Recent
from oddlens.methods.recipe_fields import Recipe
from oddlens.provenance import Identity
from oddlens.station.defects import Defects

_KEPT_TEXTS = 16
"""Object names whose prompt embeddings are cached: 2 MB each with AnoVL's 924 prompts."""

_KEPT_FITS = 64
"""Object names for which the memory bank and the calibration are cached; the banks share their features."""


class Fit(NamedTuple):
    """What the references are for one object: the memory bank that images are scored with, and the calibration from two on."""

    memory: MemoryBank
    calibration: Calibration | None


class FittedDetector:
    """A method on a model, with references (good examples) if there are some. `Detector` is what it is used by.

    Attributes:
        name: The method's name.
        method: The method, bound to its model.
        notes: What of the recipe was fitted to the model, in words.
        weights: The path of the learned part, or None.
        max_megapixels: Larger images are refused; None is the environment's limit (see `oddlens.io.images.checked_limit`).
        model_name: What the model was called when the station was made that this one was opened from; None: as it is called now.
        object_name: The object on the images, by default.
        image_size: The (width, height) that images should have, in pixels; None: any.
        preparation, scene, state, defects, accepted: What a station keeps besides, see `StationState`.
    """

    def __init__(self, name: str, method: AnyMethod, notes: Sequence[str] = (), weights: str | None = None) -> None:
        self.name = name
        self.method = method
        self.notes = tuple(notes)
        self.weights = weights
        self.max_megapixels: float | None = None
        self.model_name: str | None = None
        self.object_name = "part"
        self.image_size: tuple[int, int] | None = None
        self.scene: Scene | None = None
        self.state: Readiness | None = None
        self._defects: Defects | None = None
        self.accepted: Accepted | None = None
        self._thresholds = Thresholds()
        self._roi: RegionOfInterest | None = None
        self._marking: Marking | None = None
        self._rates = Rates()
        self._preparation = AS_IN_PAPERS
        self._split: Calibration | None = None
        self._warned: set[str] = set()
        self._identity: Identity | None = None
        self._references: EncodedBatch | None = None
        self._memory: MemoryBank | None = None
        self._fits: Recent[str, Fit] = Recent(_KEPT_FITS)
        self._texts: Recent[str, Text] = Recent(_KEPT_TEXTS)

    @cached_property
    def weights_hash(self) -> str | None:
        """SHA-256 of the learned part's file, computed once; None without one."""
        return None if self.weights is None else cached_hash(Path(self.weights))

    @property
    def recipe(self) -> Recipe:
        """The frozen recipe in force."""
        recipe: Recipe = self.method.recipe
        return recipe

    @property
    def backbone(self) -> Backbone:
        """The model that it runs on."""
        return self.method.backbone

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.method.backbone.device

    @property
    def no_references(self) -> str | None:
        """Why it takes no good examples, in a sentence; None where it takes them."""
        return self.method.no_references

    @property
    def needs_references(self) -> bool:
        """Whether it scores nothing without good examples, but for whole sets (`scores_sets`)."""
        return self.method.card.needs.references == "required"

    @property
    def scores_sets(self) -> bool:
        """Whether it can score images beside each other, see `Detector.detect_set`."""
        return self.method.card.needs.set != "no"

    @property
    def fixed_range(self) -> ValueRange:
        """The ends of the colours on any image, see `Method.range_of`; they differ with references."""
        low, high = self.method.range_of(self._memory)
        return ValueRange(low, high, f"fixed range {low:g} to {high:g}")

    @property
    def roi(self) -> RegionOfInterest | None:
        """Where to look; None: everywhere. Setting another one drops a calibration on good images, which were scored otherwise."""
        return self._roi

    @roi.setter
    def roi(self, roi: RegionOfInterest | None) -> None:
        if roi == self._roi:
            return
        if self._split is not None:
            warnings.warn(
                "the calibration was made with another region of interest and is dropped: calibrate again",
                OddlensWarning,
                stacklevel=2,
            )
        self._roi, self._split, self._identity = roi, None, None
        self._fits.clear()

    @property
    def defects(self) -> Defects | None:
        """What is known of defects. A second memory, if they have one, changes scores: another one drops a calibration."""
        return self._defects

    @defects.setter
    def defects(self, defects: Defects | None) -> None:
        before, after = (None if each is None else each.memory.sha256 for each in (self._defects, defects))
        self._defects, self._identity = defects, None
        if before == after:
            return
        if self._split is not None:
            warnings.warn(
                "the calibration was made beside other defects and is dropped: calibrate again",
                OddlensWarning,
                stacklevel=2,
            )
        self._split = None
        self._fits.clear()

    def _beside_defects(self, memory: MemoryBank) -> MemoryBank:
        if self._defects is None or not self._defects.memory.images:
            return memory
        rows = {
            name: torch.from_numpy(np.array(each)).to(self.device) for name, each in self._defects.memory.rows.items()
        }
        return memory.beside_defects(MemoryBank.of_rows(rows))

    @property
    def marking(self) -> Marking | None:
        """Which regions are large enough to be marked, and how large a pixel is; None: all are, and nobody knows.

        No score and no verdict depends on it.
        """
        return self._marking

    @marking.setter
    def marking(self, marking: Marking | None) -> None:
        self._marking, self._identity = marking, None

    def check_references(self) -> None:
        """Raises `UsageError` where a method lacks the references that it needs."""
        if self._references is None and self.needs_references:
            raise UsageError(self.method.lacks_references)

    def check_alone(self) -> None:
        """Raises `UsageError` where an image has no score of its own.

        It has none where the recipe scores a whole set (`Recipe.alone`), and where a method lacks the references that it needs.
        """
        self.check_references()
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
        self.scene = self.state = self.accepted = None
        if references is None:
            self._keep(None, None)
        else:
            self.check_prepared(references)
            references = _ready(references)
            self._keep(references, self._bank(references))

    @property
    def preparation(self) -> Preparation | None:
        """How images are cut into tiles and fitted into the tower's square; None: as in the papers, each whole and squeezed.

        Setting another one drops a calibration.

        Setting raises `UsageError` where there are references, which were encoded in the earlier way, or where the method takes
        images whole.
        """
        return None if self._preparation.is_default else self._preparation

    @preparation.setter
    def preparation(self, preparation: Preparation | None) -> None:
        preparation = AS_IN_PAPERS if preparation is None else preparation
        if preparation == self._preparation:
            return
        if self._references is not None:
            raise UsageError(
                f"the references were encoded with {self._preparation}: set tiles and fit before references are added"
            )
        if self.method.request.whole and not preparation.is_default:
            raise UsageError(
                f"with this recipe {self.name} takes images whole and cuts them itself: leave tiles, overlap and fit out"
            )
        self._drop_calibration(str(self._preparation))
        self._preparation = preparation

    def check_prepared(self, encoded: EncodedBatch) -> None:
        """Raise `UsageError` for images that were encoded in another way than this detector's `preparation`."""
        if encoded.layouts != self.layouts_of(encoded.sizes):
            raise UsageError(
                f"the images were encoded with other tiles or another fit than {self._preparation}: encode them again with this "
                "detector"
            )

    def layouts_of(self, sizes: Iterable[tuple[int, int]]) -> tuple[Layout, ...]:
        """The tiles of images of these sizes (width, height); () where none are made."""
        if self._preparation.is_default:
            return ()
        return tuple(self._preparation.layout(size, self.method.request.image_size) for size in sizes)

    def _encoder(self) -> Encoder:
        return Encoder([self.method], self._preparation)

    def _bank(self, references: EncodedBatch) -> MemoryBank:
        """The memory of references, which knows whose tiles its rows are."""
        memory = self.method.fit(references.features)
        return memory.of_tiles(references.view_images()) if references.layouts else memory

    def _keep(self, references: EncodedBatch | None, memory: MemoryBank | None) -> None:
        """Take other good examples, with the memory bank of them; what was made of the earlier ones goes."""
        self._drop_calibration("other references")
        if self.scene is not None and references is not None:
            self.scene = replace(self.scene, references=embeddings_of(references))
        self._references, self._memory = references, memory

    def _drop_calibration(self, made_with: str) -> None:
        """Forget what was calibrated before something that scores depend on changed."""
        if self._split is not None or self._rates != Rates():
            warnings.warn(
                f"the calibration was made with {made_with} and is dropped: calibrate again",
                OddlensWarning,
                stacklevel=4,
            )
        self._split, self._rates, self._identity = None, Rates(), None
        self._fits.clear()

    @property
    def memory(self) -> MemoryBank | None:
        """The memory bank of the references, without what depends on the object's name; None without references."""
        return self._memory

    def add_references(self, images: Images) -> Self:
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
        encoder = ReferenceEncoder(self.method, self._preparation)
        with read_good_images(images, encoder, self.max_megapixels, sources, doubles) as read:
            added = encoder.encode_all(read)
        if doubles:
            warn_of_doubles(doubles)
        elif not len(added):
            raise UsageError("no reference images were given: give at least one good example")
        if len(added):
            added = _ready(replace(added, digests=tuple(sources)[count:]))
            memory = self._bank(added)
            if self._references is not None and self._memory is not None:
                added, memory = joined([self._references, added]), self._memory.add(memory)
            self._keep(added, memory)
        return self

    def _fit(self, object_name: str) -> Fit | None:
        """What the references are for an object; None without any. Raises `ImageError` for one whose score or map is not finite."""
        references, memory = self._references, self._memory
        if references is None or memory is None:
            return None
        return self._fits.get(object_name, lambda: self._fitted(references, memory, object_name))

    @torch.inference_mode()
    def _fitted(self, references: EncodedBatch, memory: MemoryBank, object_name: str) -> Fit:
        fitted, parts = self._held_out(references, memory, object_name)
        if len(references) < 2:
            return Fit(fitted, None)
        images = (image for batch, scores in parts for image in self._good_images(batch, scores))
        # The score of a region of interest is a value of the map.
        unguaranteed = self.method.unguaranteed if self._roi is None else self.method.unguaranteed_maps
        return Fit(
            fitted,
            calibrate_on("leave-one-out", images, self._rates, object_name=object_name, unguaranteed=unguaranteed),
        )

    def _held_out(
        self, references: EncodedBatch, memory: MemoryBank, object_name: str
    ) -> tuple[MemoryBank, Iterable[tuple[EncodedBatch, Scores]]]:
        """The memory as images are scored with it, and what the references score, each with the others as its memory."""
        text = self._encode_prompts(object_name)
        fitted, own = self.method.fit_prompts(self._beside_defects(memory), references.features, text)
        if own is None:
            return fitted, self._leave_one_out(references, fitted, text)
        return fitted, [(references, self._finished(references, own))]

    def _leave_one_out(
        self, references: EncodedBatch, memory: MemoryBank, text: Text
    ) -> Iterator[tuple[EncodedBatch, Scores]]:
        """What the references score, each with the others as its memory, batch by batch."""
        first = 0
        for batch in references.parts(BATCH_SIZE):
            end = first + sum(map(len, batch.views))
            yield batch, self._score_batch(batch, text, memory.leaving_out(torch.arange(first, end)))
            first = end

    def _scores(self, encoded: EncodedBatch, object_name: str) -> Scores:
        """The scores and maps of a batch."""
        fit = self._fit(object_name)
        return self._score_batch(encoded, self._encode_prompts(object_name), None if fit is None else fit.memory)

    def _score_batch(self, encoded: EncodedBatch, text: Text, memory: MemoryBank | None) -> Scores:
        return self._finished(encoded, self.method.score(encoded.features, text, memory))

    def _finished(self, encoded: EncodedBatch, scores: Scores) -> Scores:
        """What is made of a method's scores and maps, for images and for references alike: all scores pass here."""
        scores = joined_scores(scores, encoded, self.fixed_range.low)
        return scores if self._roi is None else within(scores, self._roi, self.fixed_range.low)

    def _good_images(self, encoded: EncodedBatch, scores: Scores) -> Iterator[tuple[str, float, NDArray[np.float32]]]:
        """As `images_of`, for a calibration: of a map only what lies in the region of interest."""
        for source, score, anomaly_map in images_of(encoded, scores):
            height, width = anomaly_map.shape
            yield source, score, anomaly_map if self._roi is None else anomaly_map[self._roi.inside((width, height))]

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


def _ready(references: EncodedBatch) -> EncodedBatch:
    """Good examples that lie in memory as those that a station gives back. Raises `ImageError` where one is not finite."""
    references.check_finite()
    return replace(references, features={name: aligned(value) for name, value in references.features.items()})


def images_of(encoded: EncodedBatch, result: Scores) -> Iterator[tuple[str, float, NDArray[np.float32]]]:
    """What each image of a batch is called, its score, and its map."""
    for source, score, anomaly_map in zip(encoded.sources, result.scores.tolist(), result.maps, strict=True):
        yield source, score, anomaly_map.float().cpu().numpy()
