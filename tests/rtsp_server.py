"""A network camera on loopback that speaks RTSP, as most do: MPEG transport stream in RTP, over the connection itself."""

from __future__ import annotations

import io
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV, the extra 'video', is not installed")

RATE = 25
_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track1\r\n"


class RtspCamera(socketserver.ThreadingTCPServer):
    """It sends frames that grow brighter, for ten seconds, at 25 a second. over: set it, and every line breaks."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.over = threading.Event()
        self.asked: list[str] = []
        self.packets = _transport_stream()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.server_address[1]}/stream"


@contextmanager
def serving() -> Iterator[RtspCamera]:
    """A camera for the time of the block."""
    with RtspCamera() as camera:
        thread = threading.Thread(target=camera.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield camera
        finally:
            camera.over.set()
            camera.shutdown()
            thread.join()


class _Handler(socketserver.StreamRequestHandler):
    server: RtspCamera

    def handle(self) -> None:
        while lines := self._request():
            method, address, _ = lines[0].split()
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            self.server.asked.append(method)
            more, body = "", ""
            if method == "DESCRIBE":
                more, body = f"Content-Base: {address}/\r\nContent-Type: application/sdp\r\n", _SDP
            elif method == "SETUP":
                more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
            head = f"RTSP/1.0 200 OK\r\nCSeq: {headers['cseq']}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
            self.wfile.write((head + body).encode())
            if method == "PLAY":
                self._play()
                return

    def _request(self) -> list[str]:
        lines = []
        while (line := self.rfile.readline().decode().strip()) or not lines:
            if not line:
                return []
            lines.append(line)
        return lines

    def _play(self) -> None:
        try:
            for number, packet in enumerate(self.server.packets):
                if self.server.over.wait(10 / len(self.server.packets)):
                    return
                rtp = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, number * 3600, 1) + packet
                self.wfile.write(b"$\0" + struct.pack(">H", len(rtp)) + rtp)
        except OSError:
            return


def _transport_stream() -> list[bytes]:
    """The stream in pieces of seven packets."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=RATE)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 5
        stream.codec_context.max_b_frames = 0
        for number in range(10 * RATE):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 + number // 2, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    data = file.getvalue()
    return [data[start : start + 7 * 188] for start in range(0, len(data), 7 * 188)]
