"""Cameras: the newest frame of a network camera, of one that is plugged in, or of a video that plays. Lines may break."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.errors import UsageError, needs_package, printable
from oddlens.io.addresses import shown_address
from oddlens.io.paths import is_file
from oddlens.io.pixels import Pixels
from oddlens.io.png import encode_png
from oddlens.io.quiet import quiet_libraries
from oddlens.io.video import is_of_the_file, upright

EVERY = 1.0
"""Seconds between two frames that are taken, at least."""

DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds until a camera that is lost is tried again; the last one from then on."""

SILENCE_S = 10.0
"""A camera that gives nothing for so long is lost."""

_PROTOCOLS = {
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsp,rtsps,rtp,udp,tcp,tls",
    "http": "http,tcp",
    "https": "https,http,tls,tcp",
}
"""What an address may lead to: not to a file, even where a server says so."""

Grab = Callable[[], Pixels]
"""Gives the pixels of a frame: only those of a frame that is taken are computed."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a camera. time: when it came, UTC."""

    camera: str
    time: datetime
    pixels: Pixels

    @property
    def name(self) -> str:
        """Its camera and its time, which no other frame of that camera has."""
        return f"{self.camera} {self.time:%Y-%m-%d %H:%M:%S}.{self.time.microsecond // 1000:03d}"

    def encoded(self) -> bytes:
        """As a PNG, which loses nothing: its score is the same when it is read again."""
        return encode_png(self.pixels)


class Camera:
    """A camera, in a thread of its own, which holds the newest frame alone: who is slow misses frames, and never sees an old one.

    A line that breaks is connected again after 1, 2, 4 ... 30 seconds, for ever. A video file plays once, at its own speed.

    Attributes:
        name: The address as it may be shown: without user, password and what may hold one.
        is_lost: Whether it gives no frames now.
        has_ended: A video file is over.

    Args:
        address: rtsp(s)://, http(s):// (MJPEG and other streams), a video file, or the number of a plugged-in camera.
        say: Called with (is_ok, sentence) when it is lost, and when it is found again.
        delays: Seconds before each further attempt.
        silence_s: Seconds without a frame after which a network camera is lost.

    Raises:
        UsageError: The address is of another kind, or reading it needs PyAV, which is not installed.
    """

    def __init__(
        self,
        address: str,
        say: Callable[[bool, str], None] = lambda is_ok, sentence: None,
        *,
        delays: tuple[float, ...] = DELAYS,
        silence_s: float = SILENCE_S,
    ) -> None:
        self.name = shown_address(address)
        self.is_lost = self.has_ended = False
        self._say, self._delays, self._silence_s = say, delays, silence_s
        self._newest: tuple[datetime, Grab] | None = None
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._frames = self._opener(address)
        self._thread = threading.Thread(target=self._run, name=f"oddlens-camera {self.name}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; one that hangs in a system's call ends with the program."""
        self._stop.set()
        with self._news:
            self._news.notify_all()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def newest(self, timeout_s: float) -> Frame | None:
        """The newest frame that was not taken yet; waits for one so long. None: there is none."""
        with self._news:
            self._news.wait_for(lambda: self._newest or self.has_ended or self._stop.is_set(), timeout_s)
            taken, self._newest = self._newest, None
        return None if taken is None else Frame(self.name, taken[0], taken[1]())

    def each(self, stop: threading.Event, every_s: float = EVERY) -> Iterator[Frame]:
        """The newest frame, again and again, `every_s` seconds apart at least, until `stop` is set or a video file is over."""
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            due = time.monotonic() + every_s
            frame = None
            while frame is None and not stop.is_set():
                is_over = self.has_ended  # before it is asked: what came last is not lost
                frame = self.newest(0.2)
                if frame is None and is_over:
                    return
            if frame is not None:
                yield frame

    def _run(self) -> None:
        tries = 0
        while not self._stop.is_set():
            try:
                with closing(self._frames()) as frames:
                    for grab in frames:
                        tries = 0
                        self._came(grab)
                        if self._stop.is_set():
                            return
                reason = "the stream ended"
                if self._plays_once:
                    break
            except (
                Exception
            ) as error:  # PyAV's are of many kinds, and their own text shows the address with its password
                reason = printable(str(getattr(error, "strerror", None) or type(error).__name__))
            if self._plays_once:
                self._lost(f"the video {self.name} cannot be played ({reason}): check the file")
                break
            self._lost(f"the camera {self.name} gives no images ({reason}): it is tried again")
            self._stop.wait(self._delays[min(tries, len(self._delays) - 1)])
            tries += 1
        with self._news:
            self.has_ended = True
            self._news.notify_all()

    def _came(self, grab: Grab) -> None:
        if self.is_lost:
            self.is_lost = False
            self._say(True, f"the camera {self.name} gives images again")
        with self._news:
            self._newest = datetime.now(UTC), grab
            self._news.notify_all()

    def _lost(self, sentence: str) -> None:
        if not self.is_lost:
            self.is_lost = True
            self._say(False, sentence)

    def _opener(self, address: str) -> Callable[[], Generator[Grab, None, None]]:
        """What opens the camera and gives its frames until the line breaks."""
        self._plays_once = False
        if address.isdecimal() and address.isascii():
            number = int(address)
            return lambda: _plugged_in(number)
        scheme = urlsplit(address).scheme.lower()
        if scheme not in _PROTOCOLS and ("://" in address or not is_file(address)):
            raise UsageError(
                f"there is no camera {self.name}: give rtsp://, http:// or https://, a number such as 0, or a video file"
            )
        with needs_package("av", f"the camera {self.name} needs PyAV: pip install 'oddlens[video]'"):
            import av  # noqa: F401
        if scheme in _PROTOCOLS:
            return lambda: _streamed(address, scheme, self._silence_s)
        self._plays_once = True
        return lambda: _played(address, self._stop)


def _streamed(address: str, scheme: str, silence_s: float) -> Generator[Grab, None, None]:
    """The frames of a network camera as they come."""
    options = {
        "protocol_whitelist": _PROTOCOLS[scheme],
        "fflags": "nobuffer",
        "flags": "low_delay",
        "analyzeduration": "1000000",
        **({"rtsp_transport": "tcp"} if scheme.startswith("rtsp") else {}),
    }
    for grab, _ in _decoded(address, options, silence_s):
        yield grab


def _played(path: str, stop: threading.Event) -> Generator[Grab, None, None]:
    """The frames of a file, each at its time."""
    started = time.monotonic()
    for grab, at in _decoded(f"file:{path}", {"protocol_whitelist": "file"}, None):
        if stop.wait(max(0.0, started + at - time.monotonic())):
            return
        yield grab


def _decoded(
    address: str, options: dict[str, str], silence_s: float | None
) -> Generator[tuple[Grab, float], None, None]:
    """Each frame with its time in the video, in seconds."""
    import av
    from av.video.stream import VideoStream

    with av.open(address, options=options, metadata_errors="replace", timeout=silence_s) as container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            raise OSError(0, "it holds no video")
        stream.thread_type = "SLICE"  # threads that decode a frame each hold frames back
        first: float | None = None
        for packet in container.demux(stream):
            try:
                decoded = packet.decode()
            except av.FFmpegError as error:
                if is_of_the_file(error):
                    raise
                continue  # a frame that was damaged on the way
            for frame in decoded:
                assert isinstance(frame, av.VideoFrame)
                if frame.is_corrupt:
                    continue
                at = frame.time or 0.0
                first = at if first is None else first
                yield partial(upright, frame), at - first


def _plugged_in(number: int) -> Generator[Grab, None, None]:
    """The frames of a camera that the system knows by a number."""
    with quiet_libraries():
        camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise OSError(0, "there is no such camera, or another program uses it")
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        while True:
            is_there, pixels = camera.read()
            if not is_there:
                raise OSError(0, "it stopped")
            yield partial(_rgb, pixels)
    finally:
        camera.release()


def _rgb(pixels: NDArray[np.generic]) -> Pixels:
    """Pixels of OpenCV, which are BGR."""
    return np.ascontiguousarray(pixels[..., ::-1], np.uint8)
