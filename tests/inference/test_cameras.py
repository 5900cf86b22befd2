"""Cameras: a network camera on loopback, a video file, one that is plugged in; lines that break, and passwords that nobody sees."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from oddlens.errors import UsageError
from oddlens.inference import cameras
from oddlens.inference.cameras import Camera, Frame
from oddlens.io.images import read_image
from tests import mjpeg_server
from tests.mjpeg_server import MjpegCamera

Say = list[tuple[bool, str]]


@pytest.fixture
def server() -> Iterator[MjpegCamera]:
    pytest.importorskip("av", reason="PyAV, the extra 'video', is not installed")
    with mjpeg_server.serving() as camera:
        yield camera


@pytest.fixture
def opened() -> Iterator[Callable[[str], tuple[Camera, Say]]]:
    """Opens cameras that are closed at the end, with what they say."""
    running: list[Camera] = []

    def open_camera(address: str) -> tuple[Camera, Say]:
        said: Say = []
        camera = Camera(address, lambda is_ok, sentence: said.append((is_ok, sentence)), delays=(0.02,), silence_s=5.0)
        running.append(camera)
        camera.start()
        return camera, said

    yield open_camera
    for camera in running:
        camera.stop()


def frame_of(camera: Camera) -> Frame:
    frame = camera.newest(20)
    assert frame is not None
    return frame


def until(is_so: Callable[[], object]) -> None:
    limit = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.01)


def test_the_newest_frame_wins(server: MjpegCamera, opened: Callable[[str], tuple[Camera, Say]]) -> None:
    camera, said = opened(server.url)
    assert abs(frame_of(camera).pixels.mean() - 0) < 3
    server.brightness = 200
    until(lambda: frame_of(camera).pixels.mean() > 100)
    server.brightness = 100
    time.sleep(0.2)  # ten frames, of which none is kept but the last
    frame = frame_of(camera)
    assert abs(frame.pixels.mean() - 100) < 3
    assert frame.pixels.shape == (48, 64, 3)
    assert not said


def test_a_frame_is_taken_once(server: MjpegCamera, opened: Callable[[str], tuple[Camera, Say]]) -> None:
    camera, _ = opened(server.url)
    frame_of(camera)
    server.is_cut.set()
    until(lambda: camera.is_lost)
    camera.newest(0.0)  # the last one that came
    assert camera.newest(0.0) is None


def test_a_line_that_breaks_is_said_once_and_connected_again(
    server: MjpegCamera, opened: Callable[[str], tuple[Camera, Say]]
) -> None:
    camera, said = opened(server.url)
    frame_of(camera)
    server.is_cut.set()
    until(lambda: len(server.paths) > 4)  # it tries again and again
    assert camera.is_lost
    assert [is_ok for is_ok, _ in said] == [False]
    assert f"the camera {camera.name} gives no images (" in said[0][1]
    server.is_cut.clear()
    until(lambda: len(said) == 2)
    assert said[1] == (True, f"the camera {camera.name} gives images again")
    frame_of(camera)


def test_a_camera_that_speaks_rtsp(opened: Callable[[str], tuple[Camera, Say]]) -> None:
    pytest.importorskip("av", reason="PyAV, the extra 'video', is not installed")
    from tests import rtsp_server

    with rtsp_server.serving() as server:
        camera, said = opened(server.url.replace("rtsp://", "rtsp://admin:geheim@"))
        first = frame_of(camera)
        assert first.pixels.shape == (48, 64, 3)
        assert first.name.startswith(f"{server.url} 20")
        assert server.asked == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
        until(lambda: frame_of(camera).pixels.mean() > first.pixels.mean() + 3)
        server.over.set()
        until(lambda: said)
        server.over.clear()
        until(lambda: len(said) == 2)
    assert [is_ok for is_ok, _ in said[:2]] == [False, True]
    assert "geheim" not in str(said)


def test_the_delays_grow_up_to_half_a_minute() -> None:
    assert cameras.DELAYS == (1, 2, 4, 8, 16, 30)


@pytest.mark.parametrize("cut", [True, False])
def test_a_password_is_never_shown(
    server: MjpegCamera, opened: Callable[[str], tuple[Camera, Say]], capfd: pytest.CaptureFixture[str], cut: bool
) -> None:
    if cut:
        server.is_cut.set()
    address = server.url.replace("http://", "http://admin:geheim@") + "?token=geheim2"
    camera, said = opened(address)
    if cut:
        until(lambda: said)
        assert server.paths[0] == "/live?token=geheim2"
    else:
        assert "geheim" not in frame_of(camera).name
    camera.stop()
    shown = f"{said}{camera.name}{capfd.readouterr()}{[each.name for each in threading.enumerate()]}"
    assert "geheim" not in shown
    assert "admin" not in shown


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("ftp://a:geheim@cam/x", r"there is no camera ftp://cam/x: give rtsp://"),
        ("nothing.mp4", r"there is no camera nothing.mp4"),
        ("rtsp://a:geheim@cam:port/x", r"an address has no valid host and port"),
    ],
)
def test_what_is_no_camera_is_refused(address: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as raised:
        Camera(address)
    assert "geheim" not in str(raised.value)


def test_a_video_plays_once_at_its_own_speed(tmp_path: Path, opened: Callable[[str], tuple[Camera, Say]]) -> None:
    from tests.small_video import drive, write_video

    started = time.monotonic()
    camera, said = opened(str(write_video(tmp_path / "drive.mp4", drive(6))))
    found = [frame.pixels.mean() for frame in camera.each(threading.Event(), every_s=0.0)]
    assert time.monotonic() - started > 0.4  # five tenths lie between the first and the last
    assert found == sorted(found)
    assert found[-1] - found[0] > 30  # the last one is among them
    assert camera.has_ended
    assert not said


def test_a_file_that_is_no_video_is_said(tmp_path: Path, opened: Callable[[str], tuple[Camera, Say]]) -> None:
    pytest.importorskip("av", reason="PyAV, the extra 'video', is not installed")
    (tmp_path / "a.mp4").write_bytes(b"no video")
    camera, said = opened(str(tmp_path / "a.mp4"))
    assert list(camera.each(threading.Event())) == []
    assert [sentence.startswith("the video a.mp4 cannot be played (") for _, sentence in said] == [True]


def test_frames_are_some_seconds_apart(server: MjpegCamera, opened: Callable[[str], tuple[Camera, Say]]) -> None:
    camera, _ = opened(server.url)
    frame_of(camera)
    stop, times = threading.Event(), []
    for frame in camera.each(stop, every_s=0.2):
        times.append(frame.time.timestamp())
        if len(times) == 3:
            stop.set()
    assert times[2] - times[0] > 0.3


class _Plugged:
    """OpenCV's camera, of which every third frame is the last one before it stops."""

    opened = 0

    def __init__(self, number: int) -> None:
        _Plugged.opened += 1
        self._left = 3
        self._number = number

    def isOpened(self) -> bool:  # noqa: N802
        return self._number == 0

    def set(self, *_: object) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray]:
        time.sleep(0.01)
        self._left -= 1
        return self._left >= 0, np.full((4, 4, 3), (10, 20, 30), np.uint8)

    def release(self) -> None:
        pass


def test_a_plugged_in_camera(monkeypatch: pytest.MonkeyPatch, opened: Callable[[str], tuple[Camera, Say]]) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", _Plugged)
    camera, said = opened("0")
    assert frame_of(camera).pixels[0, 0].tolist() == [30, 20, 10]  # RGB
    until(lambda: len(said) >= 2)
    assert said[0] == (False, "the camera 0 gives no images (it stopped): it is tried again")
    assert said[1] == (True, "the camera 0 gives images again")


def test_a_camera_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, opened: Callable[[str], tuple[Camera, Say]]
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", _Plugged)
    _, said = opened("7")
    until(lambda: said)
    assert "there is no such camera, or another program uses it" in said[0][1]


def test_a_frame_as_a_file_loses_nothing() -> None:
    from datetime import UTC, datetime

    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    frame = Frame("cam", datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC), pixels)
    assert frame.name == "cam 2026-01-02 03:04:05.678"
    np.testing.assert_array_equal(read_image(frame.encoded()).pixels, pixels)
