"""What every program that results go to has in common."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from oddlens.errors import UsageError, counted
from oddlens.inference.kept_images import KeptImage, KeptResults

Place = str | os.PathLike[str]
"""A path, or an address."""

Advance = Callable[[str, int, int], None]
"""Is called with what is done, how many, and of how many."""


@dataclass(frozen=True)
class Given:
    """What a program was given. place: where it lies. images: how many. said: what to know of it, in sentences."""

    place: str
    images: int
    said: tuple[str, ...] = ()


class Tool(Protocol):
    """A program that results go to. Its settings are what it is made with."""

    def give(self, results: KeptResults, to: Place, advance: Advance) -> Given:
        """Write the results to a place, whole or not at all.

        Raises:
            UsageError: The place or the results cannot be used, or a package is missing.
            OddlensError: Something cannot be written.
        """


def drawable(results: KeptResults) -> tuple[tuple[KeptImage, ...], tuple[str, ...]]:
    """The images for a program to which an image without regions is a good one, and what is left out, in sentences.

    An image that is not OK and has no region would be taken for one: there is no pixel threshold.

    Raises `UsageError` where no image is left.
    """
    found = tuple(image for image in results.images if image.verdict == "ok" or image.record.get("regions"))
    left = len(results.images) - len(found)
    why = (
        f"{counted(left, 'image that is', 'images that are')} not called OK and without a region "
        f"{'is' if left == 1 else 'are'} left out: 'oddlens judge --threshold SCORE,PIXEL' marks regions"
    )
    if not found:
        raise UsageError(why)
    return found, (*results.said, *((why,) if left else ()))


def copy_image(image: KeptImage, folder: Path) -> str:
    """Copy an image into a folder; its name there."""
    shutil.copyfile(image.path, folder / image.name)
    return image.name


class Boxed:
    """Counts regions that are only known as boxes."""

    count = 0

    @property
    def said(self) -> tuple[str, ...]:
        """That in a sentence."""
        if not self.count:
            return ()
        return (
            f"{counted(self.count, 'region is', 'regions are')} given as a box, because the run kept no map of the image "
            "('oddlens detect --write maps')",
        )
