"""Good images as they are read: each counts once, by its pixels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from oddlens.calibration import Look, look_at
from oddlens.detector.reference_encoder import ReferenceEncoder
from oddlens.encoding import Encoder, Prepared
from oddlens.errors import Failure, OddlensWarning, first_and_more, printable
from oddlens.io.images import Picture
from oddlens.io.inputs import Images, each_input
from oddlens.io.loader import BATCH_SIZE, load, load_each


class GoodImage(NamedTuple):
    """An image that is read, the digest of its pixels, and what it looks like where that is asked for."""

    image: Prepared
    digest: str
    look: Look | None = None

    @property
    def pixel_count(self) -> int:
        """Pixels in memory."""
        return self.image.pixel_count


def unlike(
    images: Iterable[GoodImage], sources: dict[str, str], doubles: list[str], looks: list[Look | None]
) -> Iterator[Prepared]:
    """The images whose digest is not among `sources` yet, which gets theirs; `doubles` gets the names of the others.

    looks: gets the look of each image that is given.
    """
    for each in images:
        source = each.image.source
        if each.digest in sources:
            doubles.append(" is ".join(dict.fromkeys(printable(name) for name in (source, sources[each.digest]))))
        else:
            sources[each.digest] = source
            looks.append(each.look)
            yield each.image
        del each  # before the next one is read


def warn_of_doubles(doubles: Sequence[str], where: str = "references") -> None:
    warnings.warn(
        f"the same image is among the {where} more than once, and counts once: {first_and_more(doubles, 3)}",
        OddlensWarning,
        stacklevel=3,
    )


@contextmanager
def read_good_images(
    images: Images,
    encoder: Encoder | ReferenceEncoder,
    max_megapixels: float | None,
    sources: dict[str, str],
    doubles: list[str],
    looks: list[Look | None] | None = None,
    failed: Callable[[Failure], object] | None = None,
) -> Iterator[Iterator[Prepared]]:
    """The images as an encoder takes them, without those that are there already.

    sources: the name of each image by the digest of its pixels, which the new ones are added to. doubles: gets the names of those
    that are left out. looks: gets the look of each image that is given; None: nobody looks. failed: takes each image that cannot be
    read; None: the first one is raised. Threads read ahead; they end with the context.
    """

    def prepare(picture: Picture) -> GoodImage:
        look = None if looks is None else look_at(picture.pixels)
        return GoodImage(encoder.prepare(picture), picture.digest(), look)

    inputs = each_input(images, max_megapixels)
    loaded = load(inputs, prepare, group=BATCH_SIZE) if failed is None else load_each(inputs, prepare, group=BATCH_SIZE)
    with closing(loaded) as read:
        yield unlike(_whole(read, failed), sources, doubles, [] if looks is None else looks)


def _whole(images: Iterable[GoodImage | Failure], failed: Callable[[Failure], object] | None) -> Iterator[GoodImage]:
    for each in images:
        if not isinstance(each, Failure):
            yield each
        elif failed is not None:
            failed(each)
        del each  # before the next one is read
