"""The images of a run: read in the predictor's threads, and held, where there is room, until the sinks have drawn on them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from oddlens.errors import Failure, ImageError
from oddlens.inference.records import Record
from oddlens.inference.task import HeldImage, Item
from oddlens.inference.times import Times
from oddlens.io.images import Picture, read_image
from oddlens.io.pixels import Pixels
from oddlens.io.video import VideoFrame


class Room:
    """Pixels that may be held."""

    def __init__(self, pixels: int) -> None:
        self._left = pixels
        self._lock = threading.Lock()

    def take(self, pixels: int, *, anyway: bool) -> bool:
        """Reserve room; returns whether there is any. anyway: reserve it in any case."""
        with self._lock:
            if pixels > self._left and not anyway:
                return False
            self._left -= pixels
            return True

    def give_back(self, pixels: int) -> None:
        """Make room again."""
        with self._lock:
            self._left += pixels


@dataclass(frozen=True, eq=False)
class Reading:
    """How the images of a run are read. holds: whether a sink draws on them. times: receives how long it took."""

    max_megapixels: float | None
    holds: bool
    room: Room
    times: Times


class RunImage:
    """An image of a task: the predictor's threads read it, it is held if there is room, and sinks draw on it.

    earlier: its result in an earlier run. runs: whether it goes through the predictor: it, or another one of its group, is new.
    """

    __slots__ = ("_reading", "earlier", "held", "item", "number", "runs")  # an engine may have a million at once

    def __init__(self, item: Item, number: int, earlier: Record | None, runs: bool, reading: Reading) -> None:
        self.item = item
        self.number = number
        self.earlier = earlier
        self.runs = runs
        self.held: Picture | None = None
        self._reading = reading

    @property
    def held_pixels(self) -> int:
        """The number of pixels that are held."""
        return 0 if self.held is None else self.held.pixel_count

    def read(self) -> Picture:
        """The image. Raises ImageError if it cannot be read."""
        started = time.perf_counter()
        picture = self._read()
        self._reading.times.add("reading", started)
        is_frame = isinstance(self.item, VideoFrame)  # held in any case: going back one frame decodes the video again
        if (
            self._reading.holds
            and self.earlier is None
            and self._reading.room.take(picture.pixel_count, anyway=is_frame)
        ):
            self.held = picture
        return picture

    def pixels(self) -> Pixels:
        """Its pixels, to draw on."""
        started = time.perf_counter()
        picture = self.held or self._read()
        self._reading.times.add("reading", started)
        return picture.pixels

    def release(self) -> None:
        """Stop holding its pixels."""
        self._reading.room.give_back(self.held_pixels)
        self.held = None

    def _read(self) -> Picture:
        if isinstance(self.item, Failure):
            raise ImageError(self.item.reason)
        if isinstance(self.item, VideoFrame):
            return self.item.read()
        if isinstance(self.item, HeldImage):
            return read_image(self.item.data, self.item.name, self._reading.max_megapixels)
        return read_image(self.item, max_megapixels=self._reading.max_megapixels)
