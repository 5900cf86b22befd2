"""Encoded images: their features, which join, split and move; of tiled images, those of all tiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from oddlens.encoding.arrays import Device, is_finite, join_features, moved, to_numpy
from oddlens.errors import ImageError, printable
from oddlens.io.preparation import Layout
from oddlens.methods.recipe import held_fields
from oddlens.methods.scoring import Features, ScoringMethod
from oddlens.station import SavedReferences


@dataclass(frozen=True, eq=False)
class EncodedBatch:
    """Images after the towers: their features, and what a detection says of them besides. A value: predict from it again and again.

    Attributes:
        features: By name; the first dimension is the image, or of tiled images the tile: all of the first image, then of the next.
        sizes: (width, height) of the images, in pixels.
        sources: What the images are called.
        notes: What was noted when they were read, or None.
        seconds: Spent on them, the vision pass included even if other methods shared it.
        digests: Of the pixels of references, see `Picture.digest`; () where they are not known.
        layouts: The tiles of each image; () where the towers take every image as one square, as all papers do.
        encoded_with: What the features depend on beside the pixels, by name, see `encoding_settings`; {} where it is not known.
    """

    features: Features
    sizes: tuple[tuple[int, int], ...]
    sources: tuple[str, ...]
    notes: tuple[str | None, ...]
    seconds: float = 0.0
    digests: tuple[str, ...] = ()
    layouts: tuple[Layout, ...] = ()
    encoded_with: Mapping[str, object] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many images it holds."""
        return len(self.sources)

    @property
    def views(self) -> list[range]:
        """Which rows of the features each image has: one, or those of its tiles."""
        if not self.layouts:
            return [range(number, number + 1) for number in range(len(self))]
        ends = list(accumulate(map(len, self.layouts), initial=0))
        return [range(*each) for each in pairwise(ends)]

    def view_images(self) -> NDArray[np.int64]:
        """The number of the image that each row of the features belongs to: [views]."""
        return np.array([number for number, rows in enumerate(self.views) for _ in rows], np.int64)

    def parts(self, most: int) -> Iterator[EncodedBatch]:
        """The images in parts of at most `most` rows of features, but of one image at least."""
        first, views = 0, self.views
        while first < len(self):
            end = first + 1
            while end < len(self) and views[end].stop - views[first].start <= most:
                end += 1
            yield self[first:end]
            first = end

    def to(self, device: Device) -> EncodedBatch:
        """The same images with their features on another device of torch, as torch calls it."""
        return replace(self, features={name: moved(value, device) for name, value in self.features.items()})

    def check_finite(self) -> None:
        """Raises `ImageError` for a reference whose features are not finite."""
        for rows, source in zip(self.views, self.sources, strict=True):
            if not all(is_finite(value[rows.start : rows.stop]) for value in self.features.values()):
                raise ImageError(
                    f"the reference {printable(source)} has features that are not finite: check the model and the weights, or make "
                    "the station again"
                )

    def content_sha256(self) -> str:
        """A hash of the images' pixels, in their order, without their names."""
        return self.to_arrays().content_sha256()

    @classmethod
    def of_arrays(cls, saved: SavedReferences, method: ScoringMethod, layouts: tuple[Layout, ...] = ()) -> EncodedBatch:
        """What `to_arrays` gave, for a method. layouts: of the images, which a station has as a `Preparation`."""
        return cls(
            method.from_arrays(saved.features),
            saved.sizes,
            saved.sources,
            saved.notes,
            digests=saved.digests,
            layouts=layouts,
        )

    def to_arrays(self) -> SavedReferences:
        """As arrays and plain values, which a station holds."""
        return SavedReferences(
            features={name: np.ascontiguousarray(to_numpy(value)) for name, value in self.features.items()},
            sources=self.sources,
            sizes=self.sizes,
            notes=self.notes,
            digests=self.digests,
        )

    def __getitem__(self, part: slice) -> EncodedBatch:
        """Some of the images, in the same memory where they are neighbours; their `seconds` are not known."""
        rows: slice | list[int] = part
        if self.layouts:
            views = self.views[part]
            rows = [row for each in views for row in each]
            if part.step in (None, 1):
                rows = slice(views[0].start, views[-1].stop) if views else slice(0)
        return EncodedBatch(
            {name: value[rows] for name, value in self.features.items()},
            self.sizes[part],
            self.sources[part],
            self.notes[part],
            digests=self.digests[part],
            layouts=self.layouts[part],
            encoded_with=self.encoded_with,
        )


def encoding_settings(method: ScoringMethod) -> Mapping[str, object]:
    """Method, model and the settings that no question can change: images that were encoded with others mean nothing to it."""
    return {"method": method.card.name, "model": method.backbone.card.name, **held_fields(method.recipe)}


def joined(parts: Sequence[EncodedBatch]) -> EncodedBatch:
    """Several batches of one method as one; nothing for none."""
    if not parts:
        return EncodedBatch({}, (), (), ())
    return EncodedBatch(
        join_features([part.features for part in parts]),
        tuple(size for part in parts for size in part.sizes),
        tuple(source for part in parts for source in part.sources),
        tuple(note for part in parts for note in part.notes),
        sum(part.seconds for part in parts),
        tuple(digest for part in parts for digest in part.digests) if all(part.digests for part in parts) else (),
        tuple(layout for part in parts for layout in part.layouts),
        next((part.encoded_with for part in parts if part.encoded_with), {}),
    )
