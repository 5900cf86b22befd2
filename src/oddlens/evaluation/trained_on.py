"""What the weights of a method were trained on, as far as their file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.data import Record, manifest_hash
from oddlens.data.contents import Contents
from oddlens.data.named import NamedDataset
from oddlens.methods.weights_provenance import training_sets

if TYPE_CHECKING:
    from oddlens.detector import Detector


@dataclass(frozen=True)
class TrainedOn:
    """The training images of weights.

    Attributes:
        names: The data sets.
        images: Short hashes of the images' contents, as `Contents` has them.
        test_sets: The hash of each data set whose test split was trained on, where the weights keep no hashes of its images, as
            earlier versions made them.
    """

    names: tuple[str, ...] = ()
    images: frozenset[str] = frozenset()
    test_sets: frozenset[str] = frozenset()

    def among(self, source: NamedDataset, records: Sequence[Record], contents: Contents) -> tuple[str, ...]:
        """The images of a data set among these that the weights were trained on, by their path in it."""
        if self.test_sets and manifest_hash(source.dataset) in self.test_sets:
            return tuple(map(source.relative, records))
        hashes = contents.hashes(record.image for record in records) if self.images else ()
        return tuple(
            source.relative(record) for record, each in zip(records, hashes, strict=False) if each in self.images
        )


def trained_on(detector: Detector) -> TrainedOn:
    """What the weights of a detector say; nothing without weights, or of a file of the authors."""
    sets = [] if detector.learned_from is None else training_sets(Path(detector.learned_from))
    return TrainedOn(
        tuple(dict.fromkeys(each["name"] for each in sets if "name" in each)),
        frozenset(digits for each in sets for digits in each.get("images_sha256", "").split()),
        frozenset(
            each["data_sha256"]
            for each in sets
            if "images_sha256" not in each
            and "data_sha256" in each
            and "test" in (each.get("split"), *each.get("splits", ()))
        ),
    )
