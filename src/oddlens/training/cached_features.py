"""Frozen features cached on disk: computed once, reused between epochs and between runs."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypedDict
from urllib.parse import quote, unquote

import numpy as np

from oddlens.errors import OddlensError, printable
from oddlens.io.atomic import write_text
from oddlens.io.paths import exists, read_bytes
from oddlens.io.strict_json import checked, parse_json
from oddlens.methods.recipe import held_fields
from oddlens.training.feature_cache import Arrays, FeatureCache
from oddlens.training.frozen import MASK, Batch, Encoder, stacked
from oddlens.training.images import TrainingImage, epoch_images, single_images
from oddlens.training.processes import ALONE, Processes
from oddlens.training.samples import SampleSet
from oddlens.training.trainable import identity_of

Storage = Literal["float32", "float16"]

_SHARD = 8  # images a file: at most as many are computed again after a stop
_METADATA = "features.json"


_Shapes = dict[str, tuple[int, ...]]
"""Array name -> the shape for one image, which is the same for all."""


class _Metadata(TypedDict):
    """features.json. arrays: by name, the shape for one image."""

    arrays: dict[str, list[int]]


@dataclass(frozen=True)
class Collection:
    """Images whose features lie in one folder.

    Attributes:
        facts: What their features depend on beside the encoder, JSON values.
        images: The images.
    """

    facts: dict[str, object]
    images: tuple[TrainingImage, ...]


def collections(sets: Sequence[SampleSet], epochs: int, seed: int, mosaic: float) -> list[Collection]:
    """All images of a run: the single images of each data set, and its mosaics of all epochs.

    More epochs add mosaics at the end, so that the cache of a shorter run is used.
    """
    found = []
    for samples in sets:
        found.append(Collection({"data": samples.stamp}, tuple(single_images(samples))))
        if mosaic > 0:
            shown = [image for epoch in range(epochs) for image in epoch_images(samples, epoch, seed, mosaic)]
            others = dict.fromkeys(image for image in shown if len(image.samples) > 1)
            found.append(Collection({"data": samples.stamp, "mosaic": mosaic, "seed": seed}, tuple(others)))
    return [each for each in found if each.images]


class CachedFeatures:
    """The features of collections of images under a folder, float32 (exact) or float16 (half the size), in files of a few images.

    The name of a collection's folder is a hash of everything that its features depend on: images, model, vision pass, the recipe's
    fields that no query can change, precision, storage. The masks lie beside the features.

    Several processes share the folder: each computes some of the files, which are those that one process makes.
    """

    def __init__(
        self, encoder: Encoder, given: Sequence[Collection], folder: Path, storage: Storage, processes: Processes = ALONE
    ) -> None:  # fmt: skip
        self._encoder = encoder
        self._storage = storage
        self._processes = processes
        self._first: tuple[TrainingImage, Arrays] | None = None
        self._stores: list[tuple[Collection, FeatureCache]] = []
        self._places: dict[TrainingImage, tuple[FeatureCache, int]] = {}
        self.folder = folder
        facts = _encoder_facts(encoder, storage)
        shapes: _Shapes | None = None
        for collection in given:
            metadata = facts | collection.facts
            place = folder / hashlib.sha256(json.dumps(metadata, sort_keys=True, default=str).encode()).hexdigest()[:16]
            shapes = processes.from_first(partial(self._shapes, place, metadata, collection.images[0], shapes))
            arrays = {quote(name, safe=""): (shape, self._type(name)) for name, shape in shapes.items()}
            store = FeatureCache(place, len(collection.images), arrays, _SHARD)
            self._stores.append((collection, store))
            for row, image in enumerate(collection.images):
                self._places.setdefault(image, (store, row))

    @property
    def count(self) -> int:
        """The number of images."""
        return sum(store.count for _, store in self._stores)

    @property
    def nbytes(self) -> int:
        """Bytes on disk once everything is computed."""
        return sum(store.nbytes for _, store in self._stores)

    @property
    def missing_nbytes(self) -> int:
        """Bytes that are still to be computed and written."""
        return sum(store.missing_nbytes for _, store in self._stores)

    def check_room(self) -> None:
        """Raise OddlensError if the disk has no room for the missing features."""
        free, missing = _free_bytes(self.folder), self.missing_nbytes
        if missing > free:
            smaller = "" if self._storage == "float16" else "--cache-dtype float16 for half of it, "
            raise OddlensError(
                f"the features need {missing / 1e9:.1f} GB more in {printable(str(self.folder))}, which has {free / 1e9:.1f} GB "
                f"free: make room, or give --cache DIR on another disk, {smaller}or --no-cache to compute them anew in every epoch"
            )

    def fill(self) -> Iterator[int]:
        """Compute the missing features; yields the number of images that are done, after every file of this process.

        Raises:
            OddlensError: The features cannot be computed or written, or what other processes computed is not in the folder.
        """
        rank, processes = self._processes.rank, self._processes.count
        images = files = 0
        for collection, store in self._stores:
            mine = range((rank - files) % processes, store.shards, processes)
            for there in store.fill(partial(self._compute, collection.images), mine):
                yield images + there
            images += store.count
            files += store.shards
        self._processes.wait()
        if processes > 1 and self.missing_nbytes:
            raise OddlensError(
                f"the features that other processes computed are not in {printable(str(self.folder))}: give --cache DIR, a "
                "folder that is the same on all machines"
            )

    def batch(self, images: Sequence[TrainingImage]) -> Batch:
        """The batch of these images, which must be in the collections."""
        places = [self._places[image] for image in images]
        rows = [{unquote(name): array for name, array in store.row(row).items()} for store, row in places]
        return self._encoder.batch(images, stacked(rows))

    def _compute(self, images: Sequence[TrainingImage], rows: range) -> Arrays:
        arrays = stacked(self._arrays([images[row] for row in rows]))
        for name, values in arrays.items():
            with np.errstate(over="ignore"):
                stored = values.astype(self._type(name))
            if not np.isfinite(stored).all():
                raise OddlensError(
                    f"the features {name!r} are too large for float16: give --cache-dtype float32, which holds them as they are"
                )
            arrays[name] = stored
        return {quote(name, safe=""): values for name, values in arrays.items()}

    def _arrays(self, images: Sequence[TrainingImage]) -> list[Arrays]:
        """The arrays of each image; those of the very first one are there already."""
        if self._first is not None and images and self._first[0] == images[0]:
            return [self._first[1], *self._encoder.each(images[1:])]
        return self._encoder.each(images)

    def _type(self, name: str) -> np.dtype[np.generic]:
        return np.dtype(np.uint8 if name == MASK else self._storage)

    def _shapes(
        self, place: Path, metadata: dict[str, object], image: TrainingImage, of_others: _Shapes | None
    ) -> _Shapes:
        """As noted in the folder, else as those of other images, else from encoding one image."""
        try:
            noted = checked(parse_json(read_bytes(place / _METADATA)), _Metadata)
            return {name: tuple(shape) for name, shape in noted["arrays"].items()}
        except (OSError, ValueError):
            shapes = of_others
            if shapes is None:
                self._first = image, self._encoder.arrays(image)
                shapes = {name: array.shape for name, array in self._first[1].items()}
            write_text(place / _METADATA, json.dumps({"arrays": shapes, "of": metadata}, indent=2, default=str) + "\n")
            return shapes


def _encoder_facts(encoder: Encoder, storage: Storage) -> dict[str, object]:
    """What features depend on beside the images."""
    trainable = encoder.trainable
    backbone, recipe = trainable.backbone, trainable.recipe
    return {
        **identity_of(trainable).part("oddlens", "method", "model_sha256", "preprocessing_sha256"),
        "recipe": held_fields(recipe),
        "activation": backbone.vision.config.activation,
        "request": asdict(trainable.request),
        "device": backbone.device.type,
        "precision": encoder.precision.name,
        "storage": storage,
    }


def _free_bytes(folder: Path) -> int:
    """Free space on the disk that a folder lies on or will lie on."""
    there = next(place for place in (folder, *folder.absolute().parents) if exists(place))
    return shutil.disk_usage(there).free
