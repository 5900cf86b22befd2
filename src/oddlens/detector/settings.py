"""What of a detector is set by hand: where to look, how images are cut and fitted, what is known of defects."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from oddlens.calibration import Accepted, Calibration, Rates, Readiness, Scene
from oddlens.detection import Marking, RegionOfInterest, Thresholds, ValueRange
from oddlens.encoding import EncodedBatch, Encoder, encoding_settings
from oddlens.errors import OddlensWarning, UsageError, check_type, shortened
from oddlens.io.hashes import cached_hash
from oddlens.io.preparation import AS_IN_PAPERS, Layout, Preparation
from oddlens.methods.card import MethodCard
from oddlens.methods.common.recent import Recent
from oddlens.methods.recipe_fields import Recipe
from oddlens.methods.scoring import AnyModel, Memory, Numbers, ScoringMethod, Text
from oddlens.methods.weights_provenance import training_images
from oddlens.provenance import Identity
from oddlens.station import SavedReferences
from oddlens.station.defects import Defects

_KEPT_TEXTS = 16
"""Object names whose prompt embeddings are cached: 2 MB each with AnoVL's 924 prompts."""

_KEPT_FITS = 64
"""Object names for which the memory bank and the calibration are cached; the banks share their features."""


class Fit(NamedTuple):
    """What the references are for one object: the memory bank that images are scored with, the calibration from two on, and of
    which references a mask leaves nothing, as far as they were held against each other.
    """

    memory: Memory
    calibration: Calibration | None
    unseen: tuple[int, ...] = ()


class KeptFit(NamedTuple):
    """A fit as a station keeps it. values: what the memory has beside the features of the references."""

    calibration: Calibration
    values: Mapping[str, Numbers]


class DetectorSettings:
    """A method on a model, and what is set by hand. `Detector` is what it is used by.

    Attributes:
        name: The method's name.
        method: The method, bound to its model.
        notes: What of the recipe was fitted to the model, in words.
        weights: The path of the learned part, or None.
        learned_from: That file, also where graphs hold what was learned.
        max_megapixels: Larger images are refused; None is the environment's limit (see `oddlens.io.images.checked_limit`).
        model_name: What the model was called when the station was made that this one was opened from; None: as it is called now.
        object_name: The object on the images where a question names no other; a station gives its own.
        image_size: The (width, height) that images should have, in pixels; None: any.
        flagged: The digests of references that joined because they were flagged, see `SavedReferences`.
        preparation, scene, state, defects, accepted: What a station keeps besides, see `StationState`.
    """

    def __init__(self, name: str, method: ScoringMethod, notes: Sequence[str] = (), weights: str | None = None) -> None:
        self.name = name
        self.method = method
        self.notes = tuple(notes)
        self.weights = weights
        self.learned_from = weights
        self.max_megapixels: float | None = None
        self.model_name: str | None = None
        self.object_name = "part"
        self.image_size: tuple[int, int] | None = None
        self.scene: Scene | None = None
        self.state: Readiness | None = None
        self._defects: Defects | None = None
        self.accepted: Accepted | None = None
        self._flagged: frozenset[str] | None = frozenset()
        self._thresholds = Thresholds()
        self._roi: RegionOfInterest | None = None
        self._marking: Marking | None = None
        self._rates = Rates()
        self._preparation = AS_IN_PAPERS
        self._split: Calibration | None = None
        self._warned: set[str] = set()
        self._identity: Identity | None = None
        self._references: EncodedBatch | None = None
        self._memory: Memory | None = None
        self._fits: Recent[str, Fit] = Recent(_KEPT_FITS)
        self._kept: KeptFit | None = None
        self._texts: Recent[str, Text] = Recent(_KEPT_TEXTS)

    def _object_of(self, object_name: str | None) -> str:
        """The object that a question is about: the one it names, or the detector's own."""
        return self.object_name if object_name is None else object_name

    @cached_property
    def weights_hash(self) -> str | None:
        """SHA-256 of the learned part's file, computed once; None without one."""
        return None if self.weights is None else cached_hash(Path(self.weights))

    @cached_property
    def training_images(self) -> frozenset[str]:
        """Short hashes (`data.contents`) of the files that the learned part was trained on, as far as its file says."""
        return frozenset() if self.learned_from is None else training_images(Path(self.learned_from))

    @property
    def recipe(self) -> Recipe:
        """The frozen recipe in force."""
        return self.method.recipe

    @property
    def backbone(self) -> AnyModel:
        """The model that it runs on: with torch a `Backbone`."""
        return self.method.backbone

    @property
    def device(self) -> object:
        """Where it computes: with torch a `torch.device`."""
        return self.method.backbone.device

    @property
    def runtime(self) -> str:
        """What computes: "torch", or "onnx" (graphs)."""
        return str(self.method.machine["runtime"])

    @property
    def no_references(self) -> str | None:
        """Why it takes no good examples, in a sentence; None where it takes them."""
        return self.method.no_references

    @property
    def caution(self) -> str:
        """Why what it finds means nothing, in a sentence, see `Recipe.caution`; else ""."""
        return self.recipe.caution(self.backbone.card.name)

    @property
    def card(self) -> MethodCard:
        """What is known of its method, whose name the detector mostly has."""
        return self.method.card

    @property
    def needs_references(self) -> bool:
        """Whether it scores nothing without good examples, but for whole sets (`scores_sets`)."""
        return self.method.card.needs.references == "required"

    @property
    def least_references(self) -> int:
        """How many good examples it needs where it gets any."""
        return self.method.card.needs.least

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
        if roi is not None:
            check_type("roi", roi, RegionOfInterest, "give RegionOfInterest.read(file), for instance, or None")
        self._drop_split("with another region of interest")
        self._roi = roi

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
        self._drop_split("beside other defects")

    @property
    def flagged(self) -> frozenset[str] | None:
        """The digests of references that joined because they were flagged; None: an earlier version of oddlens did not say it.

        Fewer than two others set no threshold. Those that were taken out since are among them.
        """
        return self._flagged

    @flagged.setter
    def flagged(self, digests: frozenset[str] | None) -> None:
        self._flagged = digests
        self._fits.clear()

    @property
    def marking(self) -> Marking | None:
        """Which regions are large enough to be marked, and how large a pixel is; None: all are, and nobody knows.

        No score and no verdict depends on it.
        """
        return self._marking

    @marking.setter
    def marking(self, marking: Marking | None) -> None:
        if marking is not None:
            check_type("marking", marking, Marking, "give Marking(min_area=20), for instance, or None")
        self._marking, self._identity = marking, None

    def check_references(self) -> None:
        """Raises `UsageError` where a method lacks the references that it needs, or some of them."""
        count = 0 if self._references is None else len(self._references)
        if count < self.least_references and (count or self.needs_references):
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
        check_type(
            "preparation",
            preparation,
            Preparation,
            "give Preparation.of(tiles='2x2', fit='pad'), for instance, or None",
        )
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
        self._drop_split(f"with {self._preparation}")
        self._preparation = preparation

    def check_prepared(self, encoded: EncodedBatch) -> None:
        """Raise `UsageError` for images that were encoded in another way than this detector's `preparation`."""
        check_type("encoded images", encoded, EncodedBatch, "give what encode() gives, or detect(images)")
        here = encoding_settings(self.method)
        for name, value in encoded.encoded_with.items():
            if here.get(name, value) != value:
                raise UsageError(
                    f"the images were encoded with {name} {shortened(value)}, and this detector has {shortened(here[name])}: "
                    "encode them again with this detector"
                )
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

    def saved_references(self, saved: SavedReferences) -> EncodedBatch:
        """Good examples that a station kept, as this detector takes them."""
        return EncodedBatch.of_arrays(saved, self.method, self.layouts_of(saved.sizes))

    def _encoder(self) -> Encoder:
        return Encoder([self.method], self._preparation)

    def _drop_split(self, made: str) -> None:
        """Forget what was calibrated on good images before something that scores depend on changed. made: with or beside what."""
        if self._split is not None:
            warnings.warn(
                f"the calibration was made {made} and is dropped: calibrate again", OddlensWarning, stacklevel=3
            )
        self._split = self._identity = self._kept = None
        self._fits.clear()
