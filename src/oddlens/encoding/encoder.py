"""Images through the towers: what comes out, and how several methods share one vision pass."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import groupby, islice
from typing import NamedTuple

from oddlens.backbone.request import FeatureRequest
from oddlens.encoding.arrays import join_features
from oddlens.encoding.batch import EncodedBatch, encoding_settings, joined
from oddlens.errors import ImageError, UsageError, printable
from oddlens.io.images import Picture
from oddlens.io.loader import BATCH_SIZE
from oddlens.io.pixels import Pixels
from oddlens.io.preparation import AS_IN_PAPERS, Layout, Preparation
from oddlens.methods.outside_code import faults_of
from oddlens.methods.recipe_fields import LARGEST_SIDE
from oddlens.methods.scoring import Features, ScoringMethod

LARGEST_SCALED = 2**27
"""Pixels of an image at the size that a method gives it: one that is a thousand times as long as wide must not take all memory."""


GROWN_MUCH = 16
"""An image that a method makes so many times as large, and of so many times its square, costs more than one would think."""


def check_shape(picture: Picture, methods: Sequence[ScoringMethod]) -> str | None:
    """Raises `ImageError` for an image that is too long and narrow for a method that takes it whole.

    Such a method scales it to a shorter side, and to the size of one of its windows at least. One without windows (`cut_to`) has
    all patches at once, whose cost grows with the square of their number: an image may have as many as the largest square.

    Returns:
        A note on one that grows much for it; else None.
    """
    note = None
    width, height = picture.size
    for request in {method.request for method in methods if method.request.whole or method.request.cut_to}:
        side = request.image_size if request.cut_to else request.short_side
        scale = 1.0 if side is None else side / min(width, height)
        grown = max(width * scale, request.image_size) * max(height * scale, request.image_size)
        most = LARGEST_SIDE**2 if request.cut_to else max(LARGEST_SCALED, width * height)
        if grown > most:
            raise ImageError(
                f"{printable(picture.source)} has {width} x {height} pixels, and at the size of this method {grown / 1e6:.0f} "
                f"megapixels, of which {most / 1e6:.0f} are the most: cut it into parts"
            )
        if side is not None and grown > GROWN_MUCH * max(width * height, side**2):
            note = f"{width} x {height} pixels are scaled to {grown / 1e6:.1f} megapixels for this method: cut it into parts"
    return note


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image as the towers take it.

    views: for each pass that is made (see `Encoder`) its pixels, or those of its tiles. size: (width, height) of the image itself.
    layouts: its tiles for each pass; () where it has none. seconds: spent on this.
    """

    views: tuple[tuple[Pixels, ...], ...] = field(repr=False)
    size: tuple[int, int]
    source: str
    note: str | None
    seconds: float
    layouts: tuple[Layout, ...] = ()

    @property
    def pixel_count(self) -> int:
        """Pixels in memory."""
        return sum(view.shape[0] * view.shape[1] for views in self.views for view in views)

    @property
    def view_count(self) -> int:
        """How many images it is for the towers: one, or as many as it has tiles."""
        return max(map(len, self.views))


class Encoder:
    """Images -> features, for several methods: those that agree on model, size and preprocessing share each vision pass.

    preparation: how images are cut and fitted into the tower's square.
    """

    def __init__(self, methods: Sequence[ScoringMethod], preparation: Preparation = AS_IN_PAPERS) -> None:
        self._wholes = tuple(methods)
        self._methods = tuple(part for method in methods for part in method.parts)
        self._preparation = preparation
        self._groups = _groups(self._methods)
        for method in methods:
            if preparation.tiles == "auto" and len({part.request.image_size for part in method.parts}) > 1:
                raise UsageError(
                    f"{method.card.name} looks at images at two sizes, for which auto would make other tiles: give their number, "
                    "as 2x2"
                )

    @property
    def passes(self) -> int:
        """How many passes a batch makes: one for all methods that agree."""
        return len(self._groups)

    def prepare(self, picture: Picture) -> Prepared:
        """Bring an image to what the methods want of it; any thread may do it. Raises `ImageError` as `check_shape` does."""
        started = time.perf_counter()
        shape_note = check_shape(picture, self._methods)
        requests, prepared = [request for _, request in self._groups], self._preparation
        if prepared.is_default:
            whole = tuple((request.view(picture.pixels),) for request in requests)
            note = "; ".join(filter(None, (picture.note, shape_note))) or None
            return Prepared(whole, picture.size, picture.source, note, time.perf_counter() - started)
        layouts = tuple(prepared.layout(picture.size, request.image_size) for request in requests)
        views = tuple(
            tuple(map(request.view, layout.views(picture.pixels, request.interpolation)))
            for layout, request in zip(layouts, requests, strict=True)
        )
        note = "; ".join(filter(None, (picture.note, shape_note, layouts[0].note))) or None
        return Prepared(views, picture.size, picture.source, note, time.perf_counter() - started, layouts)

    def encode(self, images: Iterable[Prepared]) -> list[EncodedBatch]:
        """One batch, encoded for each method. Images that a method takes whole run alone, and at once."""
        passes = [_Pass(self._methods, numbers, request) for numbers, request in self._groups]
        preparing = 0.0
        for image in images:
            preparing += image.seconds
            for number, each in enumerate(passes):
                each.take(image, image.views[number], image.layouts[number] if image.layouts else None)
            del image  # before the next one is read
        batches: list[EncodedBatch | None] = [None] * len(self._methods)
        for each in passes:
            for number, encoded in each.finish():
                batches[number] = encoded
        parts = (joined([]) if batch is None else batch for batch in batches)
        return [_whole(method, list(islice(parts, len(method.parts))), preparing) for method in self._wholes]

    def encode_all(self, images: Iterable[Prepared], batch_size: int = BATCH_SIZE) -> list[EncodedBatch]:
        """Any number of images in batches of `batch_size` consecutive ones, encoded for each method."""
        parts: list[list[EncodedBatch]] = [[] for _ in self._wholes]
        rest = iter(images)
        while len((batches := self.encode(islice(rest, batch_size)))[0]):
            for number, batch in enumerate(batches):
                parts[number].append(batch)
        return [joined(each) for each in parts]


def encode_together(
    methods: Sequence[ScoringMethod],
    pictures: Iterable[Picture],
    batch_size: int = BATCH_SIZE,
    preparation: Preparation = AS_IN_PAPERS,
) -> list[EncodedBatch]:
    """The images encoded for every method, in order; methods that agree on model, size and preprocessing share each pass.

    pictures: may be read one by one. One of them is held at a time: what waits for the rest of its batch has the size
    that the tower takes. Raises `ImageError` as `check_shape` does.
    """
    encoder = Encoder(methods, preparation)
    return encoder.encode_all(map(encoder.prepare, pictures), batch_size)


def _whole(method: ScoringMethod, parts: Sequence[EncodedBatch], preparing: float) -> EncodedBatch:
    """A batch of a method, of those of its `parts`. preparing: the seconds that each of them counts."""
    if len(parts) == 1:
        return parts[0]
    seconds = sum(part.seconds for part in parts) - preparing * (len(parts) - 1)
    features = method.joined([part.features for part in parts])
    return replace(parts[-1], features=features, seconds=seconds, encoded_with=encoding_settings(method))


def _groups(methods: Sequence[ScoringMethod]) -> list[tuple[list[int], FeatureRequest]]:
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

    def __init__(self, methods: Sequence[ScoringMethod], numbers: Sequence[int], request: FeatureRequest) -> None:
        self._methods = {number: methods[number] for number in numbers}
        self._request = request
        self._waiting: list[_Waiting] = []
        self._done: dict[int, list[EncodedBatch]] = {number: [] for number in numbers}

    def take(self, image: Prepared, views: tuple[Pixels, ...], layout: Layout | None) -> None:
        """Take one more image in."""
        self._waiting.append(_Waiting(image, views, layout))
        if self._request.whole:
            self._run()

    def finish(self) -> Iterator[tuple[int, EncodedBatch]]:
        """The batch as it is encoded for each method, by the method's number."""
        if self._waiting:
            self._run()
        for number, parts in self._done.items():
            yield number, joined(parts)

    def _run(self) -> None:
        """Encode what waits: neighbours of one size together; tiles in groups that are no larger than those of images."""
        waiting, self._waiting = self._waiting, []
        first = next(iter(self._methods.values()))
        layouts = tuple(each.layout for each in waiting if each.layout is not None)
        most = max(len(waiting), BATCH_SIZE)
        parts: dict[int, list[Features]] = {number: [] for number in self._methods}
        seconds = dict.fromkeys(self._methods, sum(each.image.seconds for each in waiting))
        views = [(view, each.image.size) for each in waiting for view in each.views]
        for _, alike in groupby(views, key=lambda each: None if self._request.whole else each[0].shape):
            while together := list(islice(alike, most)):
                pixels, sizes = zip(*together, strict=True)
                with first.inference():
                    vision_pass = first.vision_pass(pixels, self._request, () if layouts else sizes)
                    for number, method in self._methods.items():
                        shared, started = vision_pass.seconds, time.perf_counter()
                        with faults_of(method.card):
                            parts[number].append(method.encode(vision_pass))
                        seconds[number] += shared + time.perf_counter() - started
        images = [each.image for each in waiting]
        for number, features in parts.items():
            self._done[number].append(
                EncodedBatch(
                    features[0] if len(features) == 1 else join_features(features),
                    tuple(image.size for image in images),
                    tuple(image.source for image in images),
                    tuple(image.note for image in images),
                    seconds[number],
                    layouts=layouts,
                    encoded_with=encoding_settings(self._methods[number]),
                )
            )


class _Waiting(NamedTuple):
    """An image that waits for its pass: what the tower gets of it, and its tiles where it has some."""

    image: Prepared
    views: tuple[Pixels, ...]
    layout: Layout | None
