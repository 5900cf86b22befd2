"""How many images of a category are held at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from oddlens.encoding import Prepared
from oddlens.io.loader import BATCH_SIZE


@dataclass(frozen=True)
class Chunks:
    """How many images' features are held at once.

    Attributes:
        images: The most images; of tiled ones the most tiles, up to whole images.
        pixels: After a batch that reaches this number of pixels, no other begins: of large images fewer are held.
        batch_size: Images that run through a tower together.
    """

    images: int = 4 * BATCH_SIZE
    pixels: int = 2**24
    batch_size: int = BATCH_SIZE


CHUNKS = Chunks()


def in_chunks(images: Iterator[Prepared], chunks: Chunks, first: int) -> Iterator[tuple[list[Prepared], float]]:
    """The images that are held at once, and the seconds spent waiting for them. first: the number of the first one.

    A chunk ends at each multiple of `chunks.images`, so that parts that begin there have the chunks of the whole.
    """
    while True:
        started = time.perf_counter()
        part: list[Prepared] = []
        pixels = views = 0
        while (
            views < chunks.images
            and (pixels < chunks.pixels or len(part) % chunks.batch_size)
            and not (part and (first + len(part)) % chunks.images == 0)
        ):
            image = next(images, None)
            if image is None:
                break
            part.append(image)
            pixels += image.size[0] * image.size[1]
            views += image.view_count
        if not part:
            return
        first += len(part)
        yield part, time.perf_counter() - started
