"""Pictures through the towers: what comes out, and how several methods share one walk."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice

import torch

from oddlens.backbone.walk import Walk, WalkRequest
from oddlens.images import Picture
from oddlens.methods.method import Features, Method, join_features

BATCH_SIZE = 8
"""Pictures that run through the towers together."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """Pictures after the towers: their features, and what is needed to tell of them. Ask about it as often as you like.

    seconds: spent on them, the walk through the tower included also where other methods shared it.
    """

    features: Features
    sizes: tuple[tuple[int, int], ...]
    sources: tuple[str, ...]
    notes: tuple[str | None, ...]
    seconds: float = 0.0

    def __len__(self) -> int:
        """How many pictures it holds."""
        return len(self.sources)


def joined(parts: Sequence[Encoded]) -> Encoded:
    """Several batches of one method as one; nothing for none."""
    if not parts:
        return Encoded({}, (), (), ())
    return Encoded(
        join_features([part.features for part in parts]),
        tuple(size for part in parts for size in part.sizes),
        tuple(source for part in parts for source in part.sources),
        tuple(note for part in parts for note in part.notes),
        sum(part.seconds for part in parts),
    )


@torch.inference_mode()
def encode_together(
    methods: Sequence[Method], pictures: Iterable[Picture], batch_size: int = BATCH_SIZE
) -> list[Encoded]:
    """The pictures encoded for every method, in order; methods that agree on model, size and preprocessing share each walk.

    pictures: may be read as they are asked for; no more than a batch of them is held.
    """
    groups = _groups(methods)
    batches: list[list[Encoded]] = [[] for _ in methods]
    rest = iter(pictures)
    while batch := list(islice(rest, batch_size)):
        for numbers, request in groups:
            for number, encoded in zip(
                numbers, _encode_batch([methods[n] for n in numbers], request, batch), strict=True
            ):
                batches[number].append(encoded)
    return [joined(parts) for parts in batches]


def _groups(methods: Sequence[Method]) -> list[tuple[list[int], WalkRequest]]:
    """The numbers of the methods that one walk serves, and its request."""
    alike: dict[object, list[int]] = {}
    for number, method in enumerate(methods):
        alike.setdefault((id(method.backbone), method.request.look), []).append(number)
    return [
        (numbers, reduce(WalkRequest.joined, [methods[number].request for number in numbers]))
        for numbers in alike.values()
    ]


def _encode_batch(methods: Sequence[Method], request: WalkRequest, pictures: Sequence[Picture]) -> list[Encoded]:
    walk = Walk(methods[0].backbone, [picture.pixels for picture in pictures], request)
    batch = []
    for method in methods:
        shared = walk.seconds
        started = time.perf_counter()
        features = method.encode(walk)
        batch.append(
            Encoded(
                features,
                tuple(picture.size for picture in pictures),
                tuple(picture.source for picture in pictures),
                tuple(picture.note for picture in pictures),
                shared + time.perf_counter() - started,
            )
        )
    return batch
