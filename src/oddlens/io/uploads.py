"""Image files that came as bytes, each with a name: decoded within limits, one and all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from oddlens.errors import ImageError, TooLargeError, UsageError, printable
from oddlens.io.images import Picture, checked_limit, read_image

LONGEST_SOURCE = 200
"""Letters of what a client calls an image."""

_TOGETHER = 4
"""All images of one request may have so many times the pixels that a single one may have: they are in memory together."""


@dataclass(frozen=True)
class Upload:
    """A file that came. source: what the client calls it, without folders."""

    source: str
    data: bytes


def source_name(given: str | None) -> str:
    """What a client calls an image: the last part of a path in the form of any system, on one line, of bounded length."""
    name = PurePosixPath((given or "").replace("\\", "/")).name
    return printable(name)[-LONGEST_SOURCE:] or "image"


def read_upload(file: Upload, max_megapixels: float | None, name: str | None = None) -> Picture:
    """Decode it. max_megapixels: see `oddlens.io.images.checked_limit`. name: what it is called besides.

    Raises `ImageError` for one that cannot be read, or is larger than the limit.
    """
    try:
        return read_image(file.data, name or file.source, max_megapixels)
    except TooLargeError as error:
        raise ImageError(f"{error.fault}: send it smaller or in parts, or raise the limit, max_megapixels") from error


def pictures_of(files: Sequence[Upload], max_megapixels: float | None) -> list[Picture]:
    """Each under a name of its own. max_megapixels: of one.

    Raises `ImageError` for one that cannot be read, and `UsageError` where they are too large together: a small file may hold a
    large image.
    """
    names: set[str] = set()
    found: list[Picture] = []
    most = _TOGETHER * checked_limit(max_megapixels)
    for file in files:
        name, count = file.source, 1
        while name in names:
            count += 1
            name = f"{Path(file.source).stem} ({count}){Path(file.source).suffix}"
        names.add(name)
        found.append(read_upload(file, max_megapixels, name))
        if sum(each.pixels.size for each in found) > 3e6 * most:
            raise UsageError(f"the images have more than {most:g} megapixels together: send fewer at once")
    return found
