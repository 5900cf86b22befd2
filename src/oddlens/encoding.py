"""Images through the towers: what comes out, and how several methods share one vision pass."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from hashlib import sha256
from itertools import groupby, islice

import numpy as np
import torch

from oddlens.backbone.tensors import aligned
from oddlens.backbone.vision_pass import FeatureRequest, VisionPass
from oddlens.errors import ImageError, printable
from oddlens.io.images import Picture
from oddlens.io.loader import BATCH_SIZE
from oddlens.io.pixels import Pixels
from oddlens.methods.base import AnyMethod, Features, join_features
from oddlens.station import SavedReferences

LARGEST_SCALED = 2**27
"""Pixels of an image at the size that a method gives it: one that is a thousand times as long as wide must not take all memory."""


@dataclass(frozen=True, eq=False)
class EncodedBatch:
    """Images after the towers: their features, and what a detection says of them besides. A value: predict from it again and again.

    Attributes:
        features: By name; the first dimension is the image.
        sizes: (width, height) of the images, in pixels.
        sources: What the images are called.
        notes: What was noted when they were read, or None.
        seconds: Spent on them, the vision pass included even if other methods shared it.
        digests: Of the pixels of references, see `Picture.digest`; () where they are not known.
    """

    features: Features
    sizes: tuple[tuple[int, int], ...]
    sources: tuple[str, ...]
    notes: tuple[str | None, ...]
    seconds: float = 0.0
    digests: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many images it holds."""
        return len(self.sources)

    def to(self, device: str | torch.device) -> EncodedBatch:
        """The same images with their features on another device."""
        return replace(self, features={name: value.to(device) for name, value in self.features.items()})

    def check_finite(self) -> None:
        """Raises `ImageError` for a reference whose features are not finite."""
        for number, source in enumerate(self.sources):
            if not all(value[number].isfinite().all() for value in self.features.values()):
                raise ImageError(
                    f"the reference {printable(source)} has features that are not finite: check the model and the weights, or make "
                    "the station again"
                )

    def content_sha256(self) -> str:
        """A hash of the images' pixels, in their order, without their names."""
        digest = sha256()
        if len(self.digests) == len(self):
            digest.update("".join(self.digests).encode())
        else:  # the batch was encoded by hand
            for name, value in sorted(self.features.items()):
                digest.update(name.encode())
                digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @classmethod
    def of_arrays(cls, saved: SavedReferences, device: torch.device) -> EncodedBatch:
        """What `to_arrays` gave, on a device."""
        features = {
            name: aligned(torch.from_numpy(np.array(value))).to(device) for name, value in saved.features.items()
        }
        return cls(features, saved.sizes, saved.sources, saved.notes, digests=saved.digests)

    def to_arrays(self) -> SavedReferences:
        """As arrays and plain values, which a station holds."""
        return SavedReferences(
            features={name: value.contiguous().cpu().numpy() for name, value in self.features.items()},
            sources=self.sources,
            sizes=self.sizes,
            notes=self.notes,
            digests=self.digests,
        )

    def __getitem__(self, part: slice) -> EncodedBatch:
        """Some of the images, in the same memory; their `seconds` are not known."""
        return EncodedBatch(
            {name: value[part] for name, value in self.features.items()},
            self.sizes[part],
            self.sources[part],
            self.notes[part],
            digests=self.digests[part],
        )


def check_shape(picture: Picture, methods: Sequence[AnyMethod]) -> None:
    """Raises `ImageError` for an image that is too long and narrow for a method that takes it whole.

    Such a method scales it to a shorter side, and to the size of one of its windows at least.
    """
    width, height = picture.size
    for request in {method.request for method in methods if method.request.whole or method.request.cut_to}:
        side = request.image_size if request.cut_to else request.short_side
        scale = 1.0 if side is None else side / min(width, height)
        grown = max(width * scale, request.image_size) * max(height * scale, request.image_size)
        if grown > max(LARGEST_SCALED, width * height):
            raise ImageError(
                f"{printable(picture.source)} has {width} x {height} pixels, and at the size of this method {grown / 1e6:.0f} "
                f"megapixels, of which {LARGEST_SCALED / 1e6:.0f} are the most: cut it into parts"
            )


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
    )


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image as the towers take it.

    views: its pixels for each pass that is made, see `Encoder`. size: (width, height) of the image itself. seconds: spent on this.
    """

    views: tuple[Pixels, ...] = field(repr=False)
    size: tuple[int, int]
    source: str
    note: str | None
    seconds: float

    @property
    def pixel_count(self) -> int:
        """Pixels in memory."""
        return sum(view.shape[0] * view.shape[1] for view in self.views)


class Encoder:
    """Images -> features, for several methods: those that agree on model, size and preprocessing share each vision pass."""

    def __init__(self, methods: Sequence[AnyMethod]) -> None:
        self._methods = tuple(methods)
        self._groups = _groups(methods)

    def prepare(self, picture: Picture) -> Prepared:
        """Bring an image to what the methods want of it; any thread may do it. Raises `ImageError` as `check_shape` does."""
        started = time.perf_counter()
        check_shape(picture, self._methods)
        views = tuple(request.view(picture.pixels) for _, request in self._groups)
        return Prepared(views, picture.size, picture.source, picture.note, time.perf_counter() - started)

    @torch.inference_mode()
    def encode(self, images: Iterable[Prepared]) -> list[EncodedBatch]:
        """One batch, encoded for each method. Images that a method takes whole run alone, and at once."""
        passes = [_Pass(self._methods, numbers, request) for numbers, request in self._groups]
        for image in images:
            for number, each in enumerate(passes):
                each.take(image, image.views[number])
            del image  # before the next one is read
        batches: list[EncodedBatch | None] = [None] * len(self._methods)
        for each in passes:
            for number, encoded in each.finish():
                batches[number] = encoded
        return [joined([]) if batch is None else batch for batch in batches]

    def encode_all(self, images: Iterable[Prepared], batch_size: int = BATCH_SIZE) -> list[EncodedBatch]:
        """Any number of images in batches of `batch_size` consecutive ones, encoded for each method."""
        parts: list[list[EncodedBatch]] = [[] for _ in self._methods]
        rest = iter(images)
        while len((batches := self.encode(islice(rest, batch_size)))[0]):
            for number, batch in enumerate(batches):
                parts[number].append(batch)
        return [joined(each) for each in parts]


def encode_together(
    methods: Sequence[AnyMethod], pictures: Iterable[Picture], batch_size: int = BATCH_SIZE
) -> list[EncodedBatch]:
    """The images encoded for every method, in order; methods that agree on model, size and preprocessing share each pass.

    pictures: may be read one by one. One of them is held at a time: what waits for the rest of its batch has the size
    that the tower takes. Raises `ImageError` as `check_shape` does.
    """
    encoder = Encoder(methods)
    return encoder.encode_all(map(encoder.prepare, pictures), batch_size)


def _groups(methods: Sequence[AnyMethod]) -> list[tuple[list[int], FeatureRequest]]:
    """The numbers of the methods that one pass serves, and its request."""
    alike: dict[object, list[int]] = {}
    for number, method in enumerate(methods):
        alike.setdefault((id(method.backbone), method.request.preprocess_key), []).append(number)
    return [
        (numbers, reduce(FeatureRequest.joined, [methods[number].request for number in numbers]))
        for numbers in alike.values()
    ]


class _Pass:
    """The passes of one batch, for the methods that they serve: images are taken one by one, and run together at the end.

    Where methods take images whole (`FeatureRequest.whole`), each runs alone, and at once.
    """

    def __init__(self, methods: Sequence[AnyMethod], numbers: Sequence[int], request: FeatureRequest) -> None:
        self._methods = {number: methods[number] for number in numbers}
        self._request = request
        self._waiting: list[tuple[Prepared, Pixels]] = []
        self._done: dict[int, list[EncodedBatch]] = {number: [] for number in numbers}

    def take(self, image: Prepared, view: Pixels) -> None:
        """Take one more image in."""
        self._waiting.append((image, view))
        if self._request.whole:
            self._run()

    def finish(self) -> Iterator[tuple[int, EncodedBatch]]:
        """The batch as it is encoded for each method, by the method's number."""
        if self._waiting:
            self._run()
        for number, parts in self._done.items():
            yield number, joined(parts)

    def _run(self) -> None:
        """Encode what waits; neighbours of one size go through the tower together."""
        waiting, self._waiting = self._waiting, []
        for _, alike in groupby(waiting, key=lambda each: None if self._request.whole else each[1].shape):
            self._encode(list(alike))

    def _encode(self, waiting: Sequence[tuple[Prepared, Pixels]]) -> None:
        backbone = next(iter(self._methods.values())).backbone
        images = [image for image, _ in waiting]
        views, sizes = [view for _, view in waiting], [image.size for image in images]
        vision_pass = VisionPass(backbone, views, self._request, sizes=sizes)
        prepared = sum(image.seconds for image in images)
        for number, method in self._methods.items():
            shared = prepared + vision_pass.seconds
            started = time.perf_counter()
            features = method.encode(vision_pass)
            self._done[number].append(
                EncodedBatch(
                    features,
                    tuple(image.size for image in images),
                    tuple(image.source for image in images),
                    tuple(image.note for image in images),
                    shared + time.perf_counter() - started,
                )
            )
