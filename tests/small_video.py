"""Videos for tests: soft noise that drifts, encoded on the spot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

av = pytest.importorskip("av", reason="PyAV, the extra 'video', is not installed")


Change = Callable[[Any, list[Any]], list[Any]]


def write_video(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    codec: str = "mpeg4",
    *,
    key_every: int = 12,
    change: Change = lambda _, packets: packets,
) -> Path:
    """The frames, uint8 [height, width, 3] of even sizes, as a video; mpeg4 loses a little.

    change: what becomes of the packets, given the stream and them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, _ = frames[0].shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 4_000_000
        stream.gop_size, stream.codec_context.max_b_frames = key_every, 0
        packets = [
            packet for frame in frames for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24"))
        ]
        packets = change(stream, packets + stream.encode())
        for packet in packets:
            container.mux(packet)
    return path


def broken(numbers: Collection[int]) -> Change:
    """These packets hold noise."""

    def change(stream: Any, packets: list[Any]) -> list[Any]:
        rng = np.random.default_rng(0)
        for number in numbers:
            old = packets[number]
            new = av.Packet(rng.bytes(old.size))
            new.stream = stream
            new.pts, new.dts, new.time_base, new.duration = old.pts, old.dts, old.time_base, old.duration
            new.is_keyframe = old.is_keyframe
            packets[number] = new
        return packets

    return change


def drive(count: int, height: int = 48, width: int = 64) -> list[NDArray[np.uint8]]:
    """Frames of which each is told from the others by its brightness."""
    rng = np.random.default_rng(0)
    ground = np.kron(rng.integers(0, 60, (height // 8, width // 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    return [ground + np.uint8(8 * number) for number in range(count)]
