"""Small copies of references: a station keeps what a method makes of them, and people want to see them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from oddlens.detector import Detector
from oddlens.errors import OddlensError
from oddlens.io.atomic import replacing
from oddlens.io.images import Picture, read_image
from oddlens.io.paths import is_file
from oddlens.io.strict_json import said_time
from oddlens.teaching.report import Document, references_of
from oddlens.visualization.preview import write_preview

_MOST = 320
"""Pixels of the longer side."""


class Thumbnails:
    """JPEG files in a folder, each named by the digest of the image's pixels (`Picture.digest`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, pictures: Iterable[Picture]) -> None:
        """Make them. Raises `OddlensError` where they cannot be written."""
        for picture in pictures:
            self._write(picture, picture.digest())

    def references_of(
        self, detector: Detector, called: Callable[[str], tuple[str, datetime] | None] = lambda digest: None
    ) -> list[Document]:
        """As `report.references_of`. has_thumbnail: whether there is one, or the image still lies where it was read.

        called: what an image was called whose file is named by its SHA-256, and when; such a reference has that name, and a time.
        """
        sources = () if detector.references is None else detector.references.sources
        rows = references_of(detector)
        for row, source in zip(rows, sources, strict=True):
            named = called(Path(source).stem)
            row["time"] = None
            if named is not None:
                row["source"], row["time"] = Path(named[0]).name, said_time(named[1])
            row["has_thumbnail"] = is_file(self._place(str(row["digest"]))) or is_file(Path(source))
        return rows

    def find(self, detector: Detector, digest: str) -> Path | None:
        """The file for a reference; made now of the image that lies where it was read, if that is the same one; else None."""
        known = detector.references
        sources = {} if known is None else dict(zip(known.digests, known.sources, strict=False))
        if digest not in sources or is_file(self._place(digest)):
            return self._place(digest) if digest in sources else None
        try:
            picture = read_image(Path(sources[digest]), max_megapixels=math.inf)
        except OddlensError:
            return None
        return self._write(picture, digest) if picture.digest() == digest else None

    def _place(self, digest: str) -> Path:
        return self._folder / f"{digest}.jpg"

    def _write(self, picture: Picture, digest: str) -> Path:
        with replacing(self._place(digest)) as temporary:
            write_preview(temporary, picture.pixels, _MOST)
        return self._place(digest)
