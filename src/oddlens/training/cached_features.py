"""Frozen features kept on disk: computed once, reused between epochs and between runs."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from operator import index
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote

import numpy as np

from oddlens.errors import OddlensError, printable
from oddlens.io.atomic import write_text
from oddlens.io.paths import exists, read_bytes
from oddlens.io.strict_json import parse_json
from oddlens.methods.recipe import held_fields
from oddlens.training.feature_cache import Arrays, FeatureCache
from oddlens.training.frozen import MASK, Batch, Encoder, stacked
from oddlens.training.images import TrainingImage, epoch_views, pictures_of
from oddlens.training.samples import SampleSet
from oddlens.training.trainable import identity_of

Storage = Literal["float32", "float16"]

_SHARD = 8  # views a file: as many are computed again at most after a stop
_TOLD = "features.json"


@dataclass(frozen=True)
class Collection:
    """Views whose features lie in one folder. facts: what tells them from others, JSON values."""

    facts: dict[str, Any]
    views: tuple[TrainingImage, ...]


def collections(sets: Sequence[SampleSet], epochs: int, seed: int, mosaic: float) -> list[Collection]:
    """All that a run shows: of each data set its pictures, whatever they are trained for, and its mosaics of all epochs.

    More epochs add to the mosaics' end, so that what is there of fewer is used.
    """
    found = []
    for samples in sets:
        pictures = pictures_of(samples)
        found.append(Collection({"data": samples.stamp}, tuple(pictures)))
        if mosaic > 0:
            shown = [view for epoch in range(epochs) for view in epoch_views(samples, epoch, seed, mosaic)]
            others = dict.fromkeys(view for view in shown if len(view.samples) > 1)
            found.append(Collection({"data": samples.stamp, "mosaic": mosaic, "seed": seed}, tuple(others)))
    return [each for each in found if each.views]


class CachedFeatures:
    """The features of collections of views under a folder, float32 (exact) or float16 (half the size), in files of a few views.

    A collection's own folder is named by a hash of all that its features depend on: pictures, model, tower pass, the recipe's
    fields that are not for questions only, precision, storage. The masks lie beside the features.
    """

    def __init__(self, encoder: Encoder, given: Sequence[Collection], folder: Path, storage: Storage) -> None:
        self._encoder = encoder
        self._storage = storage
        self._first: tuple[TrainingImage, Arrays] | None = None
        self._stores: list[tuple[Collection, FeatureCache]] = []
        self._places: dict[TrainingImage, tuple[FeatureCache, int]] = {}
        self.folder = folder
        facts = _encoder_facts(encoder, storage)
        for collection in given:
            told = facts | collection.facts
            place = folder / hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]
            shapes = self._shapes(place, told, collection.views[0])
            arrays = {quote(name, safe=""): (shape, self._type(name)) for name, shape in shapes.items()}
            store = FeatureCache(place, len(collection.views), arrays, _SHARD)
            self._stores.append((collection, store))
            for row, view in enumerate(collection.views):
                self._places.setdefault(view, (store, row))

    @property
    def count(self) -> int:
        """How many views there are."""
        return sum(store.count for _, store in self._stores)

    @property
    def nbytes(self) -> int:
        """Bytes on disk once all is there."""
        return sum(store.nbytes for _, store in self._stores)

    @property
    def missing_nbytes(self) -> int:
        """Bytes that are still to be computed and written."""
        return sum(store.missing_nbytes for _, store in self._stores)

    def check_room(self) -> None:
        """Raises `OddlensError` where the disk has no room for what is missing."""
        free, missing = _free_bytes(self.folder), self.missing_nbytes
        if missing > free:
            smaller = "" if self._storage == "float16" else "--cache-dtype float16 for half of it, "
            raise OddlensError(
                f"the features need {missing / 1e9:.1f} GB more in {printable(str(self.folder))}, which has {free / 1e9:.1f} GB "
                f"free: make room, or give --cache DIR on another disk, {smaller}or --no-cache to compute them anew in every epoch"
            )

    def fill(self) -> Iterator[int]:
        """Compute what is missing; yields how many views are there, again and again."""
        done = 0
        for collection, store in self._stores:
            for there in store.fill(partial(self._compute, collection.views)):
                yield done + there
            done += store.count

    def batch(self, views: Sequence[TrainingImage]) -> Batch:
        """The batch of these views, which must be of the collections."""
        places = [self._places[view] for view in views]
        rows = [{unquote(name): array for name, array in store.row(row).items()} for store, row in places]
        return self._encoder.batch(views, stacked(rows))

    def _compute(self, views: Sequence[TrainingImage], rows: range) -> Arrays:
        arrays = stacked([self._arrays(views[row]) for row in rows])
        for name, values in arrays.items():
            with np.errstate(over="ignore"):
                kept = values.astype(self._type(name))
            if not np.isfinite(kept).all() and np.isfinite(values).all():
                raise OddlensError(
                    f"the features {name!r} are too large for float16: give --cache-dtype float32, which holds them as they are"
                )
            arrays[name] = kept
        return {quote(name, safe=""): values for name, values in arrays.items()}

    def _arrays(self, view: TrainingImage) -> Arrays:
        if self._first is not None and self._first[0] == view:
            return self._first[1]
        return self._encoder.arrays(view)

    def _type(self, name: str) -> np.dtype[Any]:
        return np.dtype(np.uint8 if name == MASK else self._storage)

    def _shapes(self, place: Path, told: dict[str, Any], view: TrainingImage) -> dict[str, tuple[int, ...]]:
        """Array name -> the shape for one view: as noted in the folder, else as one view that is encoded for it shows."""
        try:
            noted = parse_json(read_bytes(place / _TOLD))["arrays"]
            return {name: tuple(map(index, shape)) for name, shape in noted.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            if self._first is None:
                self._first = view, self._encoder.arrays(view)
            shapes = {name: array.shape for name, array in self._first[1].items()}
            write_text(place / _TOLD, json.dumps({"arrays": shapes, "of": told}, indent=2, default=str) + "\n")
            return shapes


def _encoder_facts(encoder: Encoder, storage: Storage) -> dict[str, Any]:
    """What features of the same pictures depend on."""
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
