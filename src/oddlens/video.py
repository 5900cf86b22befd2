"""Videos as pictures: every frame, or every nth, under the name of its file and its number."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from oddlens.errors import ImageError, UsageError
from oddlens.images import Picture
from oddlens.pixels import Pixels
from oddlens.wording import printable

if TYPE_CHECKING:
    from av import VideoFrame as Decoded

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts")
"""By which a file is known as a video."""


class Video:
    """A video file. count: its frames. every: only frames 0, every, 2 * every, ... are looked at.

    Raises `UsageError` where PyAV is not installed, `ImageError` for a file that holds no video.
    """

    def __init__(self, path: Path, every: int = 1) -> None:
        self.path = path
        self.every = every
        self._decoder: Iterator[Decoded] | None = None
        self._next = 0
        self._end: tuple[int, str] | None = None  # the first frame that there is not, and why, once it is known
        try:
            import av
        except ImportError as error:
            raise UsageError(
                f"{printable(str(path))} is a video, and reading it needs PyAV: pip install 'oddlens[video]', "
                "or give its frames as pictures"
            ) from error
        try:
            with av.open(os.fspath(path)) as container:
                # What a file says of its length may be missing or wrong; its packets are what there is to decode.
                self.count = sum(packet.size > 0 for packet in container.demux(container.streams.video[0]))
        except (av.FFmpegError, IndexError) as error:
            raise ImageError(f"{printable(str(path))} holds no video that can be read: check the file") from error

    @property
    def frames(self) -> list[VideoFrame]:
        """Those that are looked at, in order."""
        return [VideoFrame(self, number) for number in range(0, self.count, self.every)]

    def read(self, number: int) -> Pixels:
        """The pixels of a frame, uint8 [height, width, 3], upright. Frames that are read in order are decoded once.

        Raises `ImageError` where it cannot be decoded.
        """
        import av

        if self._end is not None and number >= self._end[0]:
            raise ImageError(f"{self._name(number)} {self._end[1]}")
        if self._decoder is None or number < self._next:
            self._decoder, self._next = self._decode(), 0
        try:
            for frame in self._decoder:
                self._next += 1
                if self._next > number:
                    # The angle is counter-clockwise, as numpy turns.
                    pixels: Pixels = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
                    return np.ascontiguousarray(pixels)
        except OSError as error:  # of PyAV too: the file is away, which says nothing of its frames
            self._decoder = None
            raise ImageError(f"{self._name(number)} cannot be read ({error.strerror}): check the file") from error
        except av.FFmpegError as error:
            self._decoder = None
            self._end = self._next, "cannot be decoded: the video is damaged before it or there"
            raise ImageError(f"{self._name(number)} {self._end[1]}") from error
        self._decoder = None
        self._end = self._next, "is not there: the video ends before it"
        raise ImageError(f"{self._name(number)} {self._end[1]}")

    def _decode(self) -> Iterator[Decoded]:
        import av

        with av.open(os.fspath(self.path)) as container:
            container.streams.video[0].thread_type = "AUTO"
            yield from container.decode(video=0)

    def _name(self, number: int) -> str:
        return printable(str(VideoFrame(self, number)))


@dataclass(frozen=True)
class VideoFrame:
    """A frame of a video: what runs take beside the paths of pictures. It is called FILE#NUMBER."""

    video: Video
    number: int

    @property
    def stem(self) -> str:
        """A file name without suffix for what is written about it."""
        return f"{self.video.path.stem}-{self.number:06d}"

    def __fspath__(self) -> str:
        """What it is called."""
        return f"{self.video.path}#{self.number:06d}"

    __str__ = __fspath__

    def read(self) -> Picture:
        """The picture. Raises `ImageError` where it cannot be decoded."""
        return Picture(self.video.read(self.number), str(self))


def with_frames(paths: Iterable[Path], every: int = 1) -> list[Path | VideoFrame]:
    """The paths, with the frames of each video in its place. Raises as `Video` does."""
    found: list[Path | VideoFrame] = []
    for path in paths:
        found += Video(path, every).frames if path.suffix.lower() in SUFFIXES else [path]
    return found
