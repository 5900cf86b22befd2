"""A sink that names the regions of what a run finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from oddlens.inference.records import Record
from oddlens.inference.sinks import Sink
from oddlens.io.pixels import Pixels

if TYPE_CHECKING:
    from oddlens.detection import Detection


class RegionNamer(Protocol):
    """What names regions: `oddlens.teaching.namer.Namer` is one; nothing here needs torch."""

    def named(self, detection: Detection, pixels: Pixels) -> Detection:
        """The detection with names for its regions."""

    def settings(self) -> dict[str, object]:
        """What names depend on beside the model, as JSON values."""


class RegionNamesSink(Sink):
    """Puts names into the regions of each record. It stands before the sinks that write."""

    needs_image = True

    def __init__(self, namer: RegionNamer) -> None:
        self._namer = namer

    def settings(self) -> Mapping[str, object]:
        """See `Sink`."""
        return {"defect_names": self._namer.settings()}

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        """See `Sink`. An image without regions is not read again."""
        if not detection.regions:
            return {}
        return {"regions": [region.to_dict() for region in self._namer.named(detection, pixels()).regions]}
