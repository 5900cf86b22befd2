"""Pictures through the towers: what comes out, and how several methods share one walk."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import NamedTuple

import torch

from oddlens.backbone.vision_pass import FeatureRequest, VisionPass
from oddlens.errors import ImageError, printable
from oddlens.io.images import Picture
from oddlens.io.pixels import Pixels
from oddlens.io.preprocess import resized
from oddlens.methods.base import Features, Method, join_features

BATCH_SIZE = 8
"""Pictures that run through the towers together."""

LARGEST_SCALED = 2**27
"""Pixels of a picture at the size that a method looks at: one that is a thousand times as long as wide must not take all memory."""


@dataclass(frozen=True, eq=False)
class EncodedBatch:
    """Pictures after the towers: their features, and what is needed to tell of them. Ask about it as often as you like.

    seconds: spent on them, the walk through the tower included also where other methods shared it. digests: of references, see
    `Picture.digest`; () where they are not known.
    """

    features: Features
    sizes: tuple[tuple[int, int], ...]
    sources: tuple[str, ...]
    notes: tuple[str | None, ...]
    seconds: float = 0.0
    digests: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many pictures it holds."""
        return len(self.sources)

    def __getitem__(self, part: slice) -> EncodedBatch:
        """Some of the pictures, in the same memory; their `seconds` are not known."""
        return EncodedBatch(
            {name: value[part] for name, value in self.features.items()},
            self.sizes[part],
            self.sources[part],
            self.notes[part],
            digests=self.digests[part],
        )


def check_shape(picture: Picture, methods: Sequence[Method]) -> None:
    """Raises `ImageError` for a picture that is too long and narrow for a method that looks at it as a whole.

    It is brought to the shorter side that the method wants, and grows to one of the method's windows at least.
    """
    width, height = picture.size
    for request in {method.request for method in methods if method.request.whole}:
        scale = 1.0 if request.short_side is None else request.short_side / min(width, height)
        grown = max(width * scale, request.image_size) * max(height * scale, request.image_size)
        if grown > max(LARGEST_SCALED, width * height):
            raise ImageError(
                f"{printable(picture.source)} has {width} x {height} pixels, and as this method looks at it {grown / 1e6:.0f} "
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


@torch.inference_mode()
def encode_together(
    methods: Sequence[Method], pictures: Iterable[Picture], batch_size: int = BATCH_SIZE
) -> list[EncodedBatch]:
    """The pictures encoded for every method, in order; methods that agree on model, size and preprocessing share each walk.

    pictures: may be read as they are asked for. One of them is held at a time: what waits for the rest of its batch has the size
    that the tower takes. Raises `ImageError` as `check_shape` does.
    """
    looks = [_Look(methods, numbers, request) for numbers, request in _groups(methods)]
    batches: list[list[EncodedBatch]] = [[] for _ in methods]
    rest = iter(pictures)
    while True:
        count = 0
        for picture in islice(rest, batch_size):
            count += 1
            check_shape(picture, methods)
            for preprocess_key in looks:
                preprocess_key.take(picture)
            del picture  # before the next one is read
        if not count:
            return [joined(parts) for parts in batches]
        for preprocess_key in looks:
            for number, encoded in preprocess_key.finish():
                batches[number].append(encoded)


def _groups(methods: Sequence[Method]) -> list[tuple[list[int], FeatureRequest]]:
    """The numbers of the methods that one walk serves, and its request."""
    alike: dict[object, list[int]] = {}
    for number, method in enumerate(methods):
        alike.setdefault((id(method.backbone), method.request.preprocess_key), []).append(number)
    return [
        (numbers, reduce(FeatureRequest.joined, [methods[number].request for number in numbers]))
        for numbers in alike.values()
    ]


class _Waiting(NamedTuple):
    """What is left of a picture until its batch is complete. size: the picture's own."""

    pixels: Pixels
    size: tuple[int, int]
    source: str
    note: str | None


class _Look:
    """One walk of a batch, for the methods that it serves: pictures are taken one by one, and walked together at the end.

    Where methods look at pictures as they are (`FeatureRequest.whole`), each is walked alone, and at once.
    """

    def __init__(self, methods: Sequence[Method], numbers: Sequence[int], request: FeatureRequest) -> None:
        self._methods = {number: methods[number] for number in numbers}
        self._request = request
        self._waiting: list[_Waiting] = []
        self._seconds = 0.0
        self._done: dict[int, list[EncodedBatch]] = {number: [] for number in numbers}

    def take(self, picture: Picture) -> None:
        """Take one more picture in."""
        started = time.perf_counter()
        side, pixels = self._request.image_size, picture.pixels
        if not self._request.whole:
            pixels = resized(pixels, (side, side), self._request.interpolation)
        self._waiting.append(_Waiting(pixels, picture.size, picture.source, picture.note))
        self._seconds += time.perf_counter() - started
        if self._request.whole:
            self._walk()

    def finish(self) -> Iterator[tuple[int, EncodedBatch]]:
        """The batch as it is encoded for each method, by the method's number."""
        if self._waiting:
            self._walk()
        for number, parts in self._done.items():
            yield number, joined(parts)
            parts.clear()

    def _walk(self) -> None:
        backbone = next(iter(self._methods.values())).backbone
        pictures, self._waiting = self._waiting, []
        vision_pass = VisionPass(backbone, [picture.pixels for picture in pictures], self._request)
        for number, method in self._methods.items():
            shared = self._seconds + vision_pass.seconds
            started = time.perf_counter()
            features = method.encode(vision_pass)
            self._done[number].append(
                EncodedBatch(
                    features,
                    tuple(picture.size for picture in pictures),
                    tuple(picture.source for picture in pictures),
                    tuple(picture.note for picture in pictures),
                    shared + time.perf_counter() - started,
                )
            )
        self._seconds = 0.0
