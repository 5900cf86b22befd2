"""Good examples through the towers: with the views of each that a method's memory is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from oddlens.encoding import EncodedBatch, Encoder, Prepared, joined
from oddlens.io.images import Picture
from oddlens.io.loader import BATCH_SIZE
from oddlens.io.preparation import AS_IN_PAPERS, Preparation
from oddlens.methods.outside_code import faults_of
from oddlens.methods.scoring import ScoringMethod


class ReferenceEncoder:
    """Good examples -> their features, for one method. Where it makes no views of them, they run as any images do."""

    def __init__(self, method: ScoringMethod, preparation: Preparation = AS_IN_PAPERS) -> None:
        self._method = method
        self._encoder = Encoder([method], preparation)

    def prepare(self, picture: Picture) -> Prepared:
        """As `Encoder.prepare`, with all views of the image, the image itself first; any thread may do it."""
        with faults_of(self._method.card):
            views = self._method.reference_views(picture.pixels)
        parts = [self._encoder.prepare(replace(picture, pixels=view)) for view in views]
        return replace(
            parts[0],
            views=tuple(view for part in parts for view in part.views),
            seconds=sum(part.seconds for part in parts),
        )

    def encode_all(self, images: Iterable[Prepared]) -> EncodedBatch:
        """Any number of good examples, in batches; those that have views run one after another."""
        rest, batches = iter(images), list[EncodedBatch]()
        while group := list(islice(rest, BATCH_SIZE)):
            apart = [self._apart(image) for image in group]
            if all(len(views) == 1 for views in apart):
                batches.append(self._encoded(group, 1))
            else:
                batches += [self._encoded(views, len(views)) for views in apart]
            del group, apart  # before the next ones are read
        return joined(batches)

    def _encoded(self, images: Sequence[Prepared], views: int) -> EncodedBatch:
        (encoded,) = self._encoder.encode_all(images)
        if views == 1:
            with self._method.inference(), faults_of(self._method.card):
                return replace(encoded, features=self._method.reference_features(encoded.features, 1))
        tiles = len(encoded.views[0])
        rows = np.arange(views * tiles).reshape(views, tiles).T.ravel().tolist()  # of each tile, its views in a row
        with self._method.inference(), faults_of(self._method.card):
            by_tile = {name: value[rows] for name, value in encoded.features.items()}
            features = self._method.reference_features(by_tile, views)
        return replace(encoded[:1], features=features, seconds=encoded.seconds)

    def _apart(self, image: Prepared) -> list[Prepared]:
        """The views of an image, each on its own, for all passes of its method."""
        passes = self._encoder.passes
        count = len(image.views) // passes
        each = [image.views[first : first + passes] for first in range(0, len(image.views), passes)]
        return [replace(image, views=views, seconds=image.seconds / count) for views in each]
