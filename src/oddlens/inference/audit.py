"""Images drawn at random for audit, so that what a detector misses can be estimated: see docs/guides/teaching.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from oddlens.errors import UsageError
from oddlens.inference.records import Record
from oddlens.inference.sinks import Sink
from oddlens.io.images import Picture
from oddlens.io.pixels import Pixels

if TYPE_CHECKING:
    from oddlens.detection import Detection


def is_drawn(sha256: str, share: float) -> bool:
    """Whether an image belongs to the random share that is audited. It depends on its pixels alone, not on when it comes.

    sha256: of the pixels, see `Picture.digest`. share: from 0 to 1.
    """
    return int(sha256[:13], 16) < share * 16**13


class AuditSink(Sink):
    """Marks each image of a random share with `"audit": true` in its record, whatever its verdict. It stands before others.

    Attributes:
        ok_count: How many of them are OK: nobody would look at those otherwise.
    """

    needs_image = True

    def __init__(self, share: float) -> None:
        """share: above 0, up to 1. Raises `UsageError` for another one."""
        if not 0 < share <= 1:
            raise UsageError(
                f"the share that is audited cannot be {share:g}: give a number above 0 and up to 1, such as 0.02"
            )
        self._share = share
        self.ok_count = 0

    def settings(self) -> Mapping[str, object]:
        """See `Sink`."""
        return {"audit": self._share}

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """See `Sink`."""
        drawn = is_drawn(Picture(pixels(), detection.source).digest(), self._share)
        return {"audit": True} if drawn else {}

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        self.ok_count += record.get("audit") is True and record.get("verdict") == "ok"
        return record
