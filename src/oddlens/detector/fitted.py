"""A method on a model with references: prompt embeddings, memory bank and scores, each computed once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from oddlens.calibration import Calibration, Rates, calibrate_on
from oddlens.data.contents import Contents
from oddlens.detection.region_of_interest import looked_at
from oddlens.detector.embedding import embeddings_of
from oddlens.detector.good_images import read_good_images, warn_of_doubles
from oddlens.detector.inside import within
from oddlens.detector.reference_encoder import ReferenceEncoder
from oddlens.detector.settings import DetectorSettings, Fit, KeptFit
from oddlens.encoding import EncodedBatch, check_scores, joined, joined_scores
from oddlens.encoding.arrays import aligned, scores_to_numpy, to_numpy
from oddlens.errors import (
    OddlensWarning,
    UsageError,
    check_name,
    check_type,
    counted,
    first_and_more,
    printable,
    shortened,
)
from oddlens.io.inputs import Images
from oddlens.io.loader import BATCH_SIZE
from oddlens.io.paths import is_file
from oddlens.methods.outside_code import faults_of
from oddlens.methods.scoring import Array, Memory, Numbers, Scores, Text

UNSEEN_BEGINS = "the mask of the background leaves nothing of "
"""How each sentence on images that a mask took for background begins."""


class FittedDetector(DetectorSettings):
    """A method on a model, with references (good examples) if there are some. `Detector` is what it is used by."""

    @property
    def references(self) -> EncodedBatch | None:
        """The good examples, encoded; None without any. Setting them drops the memory bank and the calibration of the earlier ones.

        Setting raises `ImageError` for one whose features are not finite.
        """
        return self._references

    @references.setter
    def references(self, references: EncodedBatch | None) -> None:
        memory = None
        if references is not None:
            check_type(
                "references", references, EncodedBatch, "give what encode_references() gives, or add_references(images)"
            )
            self.check_prepared(references)
            references = _ready(references)
            memory = self._bank(references)
        self.scene = self.state = self.accepted = None
        self._keep(references, memory)

    def _beside_defects(self, memory: Memory) -> Memory:
        if self._defects is None or not self._defects.memory.images:
            return memory
        beside: Memory = self.method.beside_defects(memory, self._defects.memory.rows)
        return beside

    def _bank(self, references: EncodedBatch) -> Memory:
        """The memory of references, which knows whose tiles its rows are."""
        with faults_of(self.method.card):
            memory: Memory = self.method.fit(references.features)
        return memory.of_tiles(references.view_images()) if references.layouts else memory

    def _keep(self, references: EncodedBatch | None, memory: Memory | None) -> None:
        """Take other good examples, with the memory bank of them; what was made of the earlier ones goes."""
        if self._split is not None or self._rates != Rates():
            warnings.warn(
                "the calibration was made with other references and is dropped: calibrate again",
                OddlensWarning,
                stacklevel=3,
            )
        self._split, self._rates, self._identity, self._kept = None, Rates(), None, None
        self._fits.clear()
        if self.scene is not None and references is not None:
            self.scene = replace(self.scene, references=embeddings_of(references))
        self._references, self._memory = references, memory

    @property
    def memory(self) -> Memory | None:
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

        Examples:
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

    def memory_for(self, object_name: str) -> Memory | None:
        """The memory that images of an object are scored with; None without references. Raises as `detect` does for a reference."""
        fit = self._fit(object_name)
        return None if fit is None else fit.memory

    def _fit(self, object_name: str) -> Fit | None:
        """What the references are for an object; None without any. Raises `ImageError` for one whose score or map is not finite."""
        references, memory = self._references, self._memory
        if references is None or memory is None:
            return None
        return self._fits.get(object_name, lambda: self._fitted(references, memory, object_name))

    def _fitted(self, references: EncodedBatch, memory: Memory, object_name: str) -> Fit:
        kept = None if self._kept is None or self._kept.calibration.object_name != object_name else self._kept
        if kept is not None and kept.values:
            fitted = self._beside_defects(memory).with_values(self.method.from_arrays(kept.values))
            parts: Iterable[tuple[EncodedBatch, Scores[Numbers]]] = ()
        else:
            fitted, parts = self._held_out(references, memory, object_name)
        if self._unflagged_count < 2:
            return Fit(fitted, None)
        if kept is not None:
            return Fit(fitted, kept.calibration.at(self._rates))
        held_out: list[bool] = []

        def good_images() -> Iterator[tuple[str, float, NDArray[np.float32]]]:
            for batch, scores in parts:
                held_out.extend(is_unseen(scores, number) for number in range(len(batch)))
                yield from self._good_images(batch, scores)

        # The score of a region of interest is a value of the map.
        unguaranteed = self.method.unguaranteed if self._roi is None else self.method.unguaranteed_maps
        unguaranteed = unguaranteed or self._trained_on(references.sources, "references")
        made = calibrate_on(
            "leave-one-out", good_images(), self._rates, object_name=object_name, unguaranteed=unguaranteed
        )
        unseen = tuple(number for number, nothing in enumerate(held_out) if nothing)
        if unseen:
            names = [references.sources[number] for number in unseen]
            warnings.warn(unseen_references(names, self.method.card.unseen_remedy), OddlensWarning, stacklevel=2)
            if not unguaranteed:
                made = replace(made, unguaranteed=f"{UNSEEN_BEGINS}{_named(names)}")
        return Fit(fitted, made, unseen)

    def _trained_on(self, sources: Sequence[str], what: str) -> str:
        """Why thresholds of good images promise nothing that the weights were trained on, after a warning; else "".

        Those may score lower than new ones, so that the threshold is too low. They are known by the bytes of their files.
        """
        files = [source for source in sources if self.training_images and is_file(source)]
        hashes = Contents().hashes(map(Path, files))
        seen = [printable(file) for file, digits in zip(files, hashes, strict=True) if digits in self.training_images]
        if not seen:
            return ""
        said = (
            f"the weights were trained on {len(seen)} of the {len(sources)} {what} ({first_and_more(seen)}), which may score lower "
            "than new ones: calibrate on good images that they were not trained on"
        )
        warnings.warn(f"the threshold promises no false-alarm rate: {said}", OddlensWarning, stacklevel=2)
        return said

    @property
    def _unflagged_count(self) -> int:
        """How many references did not join because they were flagged."""
        references, flagged = self._references, self._flagged or ()
        return 0 if references is None else len(references) - sum(each in flagged for each in references.digests)

    def unseen_references(self, object_name: str) -> tuple[int, ...]:
        """The numbers of the references of which the mask leaves nothing. Raises as `memory_for`."""
        fit = self._fit(object_name)
        return () if fit is None else fit.unseen

    def keep_fit(self, calibration: Calibration | None, values: Mapping[str, Numbers] | None) -> None:
        """Take from a station what the references score, each held against the others, and what their memory keeps beside them.

        So they need not be held against each other again. Other references, another region of interest or another memory of
        defects drop it. values: None: they are made anew.
        """
        self._kept = None if calibration is None else KeptFit(calibration, values or {})
        self._fits.clear()

    def fit_to_keep(self) -> KeptFit | None:
        """What `keep_fit` takes, for the detector's own object; None where it was not made, or has no calibration."""
        fit = self._fits.peek(self.object_name)
        if fit is None:
            is_ours = self._kept is not None and self._kept.calibration.object_name == self.object_name
            return self._kept if is_ours else None
        if fit.calibration is None:
            return None
        return KeptFit(fit.calibration, {name: to_numpy(value) for name, value in fit.memory.values.items()})

    def _held_out(
        self, references: EncodedBatch, memory: Memory, object_name: str
    ) -> tuple[Memory, Iterable[tuple[EncodedBatch, Scores[Numbers]]]]:
        """The memory as images are scored with it, and what the references score, each with the others as its memory."""
        text = self._encode_prompts(object_name)
        with self.method.inference(), faults_of(self.method.card):
            fitted, own = self.method.fit_prompts(self._beside_defects(memory), references.features, text)
        if own is None:
            return fitted, self._leave_one_out(references, fitted, text)
        return fitted, [(references, self._finished(references, own))]

    def _leave_one_out(
        self, references: EncodedBatch, memory: Memory, text: Text
    ) -> Iterator[tuple[EncodedBatch, Scores[Numbers]]]:
        """What the references score, each with the others as its memory, batch by batch."""
        first = 0
        for batch in references.parts(BATCH_SIZE):
            end = first + sum(map(len, batch.views))
            yield batch, self._score_batch(batch, text, memory.leaving_out(np.arange(first, end)))
            first = end

    def _scores(self, encoded: EncodedBatch, object_name: str) -> Scores[Numbers]:
        """The scores and maps of a batch."""
        fit = self._fit(object_name)
        text = self._encode_prompts(object_name)
        return self._mentioned(self._score_batch(encoded, text, None if fit is None else fit.memory))

    def _score_batch(self, encoded: EncodedBatch, text: Text, memory: Memory | None) -> Scores[Numbers]:
        with self.method.inference():
            with faults_of(self.method.card):
                scores = self.method.score(encoded.features, text, memory)
            return self._finished(encoded, scores)

    def _finished(self, encoded: EncodedBatch, scores: Scores[Array]) -> Scores[Numbers]:
        """What is made of a method's scores and maps, for images and for references alike: all scores pass here."""
        with faults_of(self.method.card):
            given = scores_to_numpy(scores)
        check_scores(given, sum(map(len, encoded.views)), self.method.card.name)
        finished = joined_scores(given, encoded, self.fixed_range.low)
        return finished if self._roi is None else within(finished, self._roi, self.fixed_range.low)

    def _mentioned(self, scores: Scores[Numbers]) -> Scores[Numbers]:
        """The scores of images, after a warning where a mask leaves nothing of some. References have their own: see `_fitted`."""
        if scores.unseen is not None and (count := int(scores.unseen.sum())):
            warnings.warn(
                f"{UNSEEN_BEGINS}{counted(count, 'image')}, so that no verdict has a basis there: "
                f"give {self.method.card.unseen_remedy}",
                OddlensWarning,
                stacklevel=2,
            )
        return scores

    def _good_images(
        self, encoded: EncodedBatch, scores: Scores[Numbers]
    ) -> Iterator[tuple[str, float, NDArray[np.float32]]]:
        """As `images_of`, for a calibration: of a map only what was looked at, in the region of interest and not cropped away."""
        for number, (source, score, anomaly_map) in enumerate(images_of(encoded, scores)):
            inside = self._looked_at(anomaly_map, encoded.sizes[number])
            if inside is not None and not inside.any():
                raise UsageError(
                    "the region of interest lies where fit crop cuts images off: give another fit or region"
                )
            yield source, score, anomaly_map if inside is None else anomaly_map[inside]

    def _looked_at(self, anomaly_map: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_] | None:
        """Where a map is of what is looked at of an image of this size (width, height); None: everywhere."""
        height, width = anomaly_map.shape
        return looked_at((height, width), size, self._roi, self._preparation)

    def _encode_prompts(self, object_name: str) -> Text:
        if not isinstance(object_name, str):
            raise UsageError(
                f"the object name cannot be {shortened(object_name)}: give a text that says in a word or two what is on the images"
            )
        check_name("the object name", object_name)
        with faults_of(self.method.card):
            return self._texts.get(object_name, lambda: self.method.encode_prompts(object_name))


def _ready(references: EncodedBatch) -> EncodedBatch:
    """Good examples that lie in memory as those that a station gives back. Raises `ImageError` where one is not finite."""
    references.check_finite()
    return replace(references, features={name: aligned(value) for name, value in references.features.items()})


def is_unseen(result: Scores[Numbers], number: int) -> bool:
    """Whether the method looked at nothing of an image of a batch."""
    return result.unseen is not None and bool(result.unseen[number])


def unseen_references(names: Sequence[str], remedy: str) -> str:
    """The sentence on references of which a mask leaves nothing. remedy: what to give, from the card of the method."""
    return f"{UNSEEN_BEGINS}{_named(names)}, so that thresholds of the references promise nothing: give {remedy}"


def _named(references: Sequence[str]) -> str:
    """The first of them, and how many there are."""
    more = f" and {counted(len(references) - 1, 'more reference')}" if len(references) > 1 else ""
    return f"the reference {printable(references[0])}{more}"


def images_of(encoded: EncodedBatch, result: Scores[Numbers]) -> Iterator[tuple[str, float, NDArray[np.float32]]]:
    """What each image of a batch is called, its score, and its map."""
    for source, score, anomaly_map in zip(encoded.sources, result.scores.tolist(), result.maps, strict=True):
        yield source, score, anomaly_map.astype(np.float32, copy=False)
