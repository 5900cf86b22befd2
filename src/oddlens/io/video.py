"""Videos as images: every frame, or every nth, named by its file and its number."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from oddlens.errors import Failure, ImageError, OddlensError, UsageError, printable
from oddlens.io.images import Picture
from oddlens.io.paths import is_file
from oddlens.io.pixels import Pixels
from oddlens.io.remote import ImagePath

if TYPE_CHECKING:
    from av import VideoFrame as Decoded

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts")
"""The suffixes of videos."""

Advance = Callable[[Path, int, int], None]
"""Called while frames are counted, with the video, the count so far, and the count that its file states (0: none)."""


class Video:
    """A video file.

    A frame is what decoding gives: the length in a file may be missing or wrong, edit lists cut frames off, and broken data or
    data without their key frame give no frame. So frames are counted by decoding the file once.

    Attributes:
        path: The file.
        every: Only frames 0, every, 2 * every, ... are used.
        count: All its frames.

    Raises:
        UsageError: PyAV is not installed.
        ImageError: The file has no frame that can be decoded.
    """

    def __init__(self, path: Path, every: int = 1, advance: Advance | None = None) -> None:
        self.path = path
        self.every = every
        self._is_broken = False
        self._frames: Iterator[_Frame] | None = None
        self._next = 0
        try:
            import av
        except ImportError as error:
            raise UsageError(
                f"{printable(str(path))} is a video, and reading it needs PyAV: pip install 'oddlens[video]', "
                "or give its frames as images"
            ) from error
        try:
            self.count = self._counted(advance)
            if self._is_broken:  # known only now, and decoded in another way
                self.count = self._counted(advance)
        except OSError as error:
            raise ImageError(f"{printable(str(path))} cannot be read ({error.strerror}): check the file") from error
        except av.FFmpegError as error:
            raise ImageError(f"{printable(str(path))} holds no video that can be read: check the file") from error
        if not self.count:
            raise ImageError(f"{printable(str(path))} holds a video of which no frame can be decoded: check the file")

    @property
    def frames(self) -> list[VideoFrame]:
        """The frames that are used, in order."""
        return [VideoFrame(self, number) for number in range(0, self.count, self.every)]

    def read(self, number: int) -> Picture:
        """The image of a frame, upright. Frames that are read in order are decoded once.

        Raises:
            ImageError: The video has no such frame, or the file cannot be read.
        """
        import av

        name = str(VideoFrame(self, number))
        if number >= self.count:
            raise ImageError(f"{printable(name)} is not there: the video ends before it")
        if self._frames is None or number < self._next:
            self._frames, self._next = self._decoded(), 0
        try:
            for frame in self._frames:
                self._next += 1
                if self._next > number:
                    return frame.picture(name)
            reason = "is not there any more: the video changed"
        except OSError as error:  # of PyAV too
            reason = f"cannot be read ({error.strerror}): check the file"
        except av.FFmpegError:
            reason = "cannot be decoded any more: the video changed"
        self._frames = None
        raise ImageError(f"{printable(name)} {reason}")

    def _counted(self, advance: Advance | None) -> int:
        count = 0
        for count, frame in enumerate(self._decoded(), start=1):
            if advance is not None:
                advance(self.path, count, frame.of)
        return count

    def _decoded(self) -> Iterator[_Frame]:
        """The frames in order. Data that cannot be decoded are passed over, with a note on the next frame, or on the last one."""
        import av
        from av.video.stream import VideoStream

        # Only the file is opened: one that turns out to be a list of addresses opens none of them.
        options = {"protocol_whitelist": "file"}
        with av.open(f"file:{self.path}", options=options, metadata_errors="replace") as container:
            stream = container.streams.best("video")
            if stream is None:
                raise ImageError(f"{printable(str(self.path))} holds no video, only sound or the like: leave it out")
            assert isinstance(stream, VideoStream)
            # Threads that decode a frame each are faster, and lose frames behind broken data.
            stream.thread_type = "SLICE" if self._is_broken else "AUTO"
            packets = container.demux(stream)
            frame, lost = None, False
            while True:
                try:
                    packet = next(packets, None)
                    decoded = [] if packet is None else packet.decode()
                except av.FFmpegError as error:
                    if is_of_the_file(error):
                        raise
                    lost = self._is_broken = True
                    continue
                for image in decoded:
                    assert isinstance(image, av.VideoFrame)
                    if frame is not None:
                        yield frame
                    notes = ["what comes before it in the video cannot be decoded"] if lost else []
                    frame = _Frame(image, stream.frames, notes)
                    lost = False
                if packet is None:
                    break
            if frame is not None:
                if lost:
                    frame.notes.append("what comes after it in the video cannot be decoded")
                yield frame


def is_of_the_file(error: Exception) -> bool:
    """Whether the error is of the file and not of a frame."""
    return isinstance(error, OSError) and not isinstance(error, BlockingIOError)


@dataclass(frozen=True)
class _Frame:
    """A decoded frame. of: how many frames its file states."""

    image: Decoded
    of: int
    notes: list[str]

    def picture(self, name: str) -> Picture:
        damage = ["its data in the video are damaged"] if self.image.is_corrupt else []
        return Picture(upright(self.image), name, "; ".join(self.notes + damage) or None)


def upright(frame: Decoded) -> Pixels:
    """The pixels of a decoded frame, turned as its video says."""
    # The angle is counter-clockwise, as numpy turns.
    pixels: Pixels = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    return np.ascontiguousarray(pixels)


@dataclass(frozen=True)
class VideoFrame:
    """A frame of a video, which runs take as they take paths of images. Its name is FILE#NUMBER."""

    video: Video
    number: int

    @property
    def stem(self) -> str:
        """The stem of the files that are written for it."""
        return f"{self.video.path.stem}-{self.number:06d}"

    def __fspath__(self) -> str:
        """Its name."""
        return f"{self.video.path}#{self.number:06d}"

    __str__ = __fspath__

    def read(self) -> Picture:
        """The image. Raises ImageError if it cannot be decoded."""
        return self.video.read(self.number)


def read_named_frame(name: str) -> Picture | None:
    """The frame that a name like "drive.mp4#000123" says; None if the name says none.

    The video is decoded for it from the beginning, twice: to read many frames, take `Video.frames`.
    """
    path, _, number = name.rpartition("#")
    if not number.isdecimal() or not is_video(Path(path)) or not is_file(path) or is_file(name):
        return None
    return Video(Path(path)).read(int(number))


def is_video(path: ImagePath) -> bool:
    """Whether a file is a video, by its name; what is behind an address is none."""
    return isinstance(path, Path) and path.suffix.lower() in SUFFIXES


def with_frames(
    items: Iterable[ImagePath | Failure], every: int = 1, advance: Advance | None = None
) -> list[ImagePath | VideoFrame | Failure]:
    """The items, with the frames of each video in its place, or a failure for one that cannot be read."""
    found: list[ImagePath | VideoFrame | Failure] = []
    for item in items:
        if not isinstance(item, Path) or not is_video(item):
            found.append(item)
            continue
        try:
            frames = Video(item, every, advance).frames
            if not frames:
                raise ImageError(f"{printable(os.fspath(item))} holds no frame: check the file")
            found += frames
        except OddlensError as error:
            found.append(Failure(os.fspath(item), str(error)))
    return found
