"""A network camera on loopback: MJPEG over HTTP, as cheap cameras give it, with a line that a test can cut."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np


@dataclass
class MjpegCamera:
    """Its state. brightness: of the frames. paths: what was asked for. is_cut: it breaks every line, and takes no new one."""

    port: int = 0
    brightness: int = 0
    frames_per_second: float = 50.0
    paths: list[str] = field(default_factory=list)
    is_cut: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/live"


@contextmanager
def serving() -> Iterator[MjpegCamera]:
    """A camera for the time of the block."""
    camera = MjpegCamera()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"camera": camera}))
    server.daemon_threads = True
    camera.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield camera
    finally:
        camera.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    camera: MjpegCamera

    def do_GET(self) -> None:
        camera = self.camera
        camera.paths.append(self.path)
        if camera.is_cut.is_set():
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            while not (camera.is_cut.is_set() or camera.over.wait(1 / camera.frames_per_second)):
                jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), camera.brightness, np.uint8))[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""
