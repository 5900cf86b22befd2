"""Videos for tests: soft noise that drifts, encoded on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

av = pytest.importorskip("av", reason="PyAV, the extra 'video', is not installed")


def write_video(path: Path, frames: Sequence[NDArray[np.uint8]], codec: str = "mpeg4") -> Path:
    """The frames, uint8 [height, width, 3] of even sizes, as a video; mpeg4 loses a little."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, _ = frames[0].shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 4_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def drive(count: int, height: int = 48, width: int = 64) -> list[NDArray[np.uint8]]:
    """Frames of which each is told from the others by its brightness."""
    rng = np.random.default_rng(0)
    ground = np.kron(rng.integers(0, 60, (height // 8, width // 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    return [ground + np.uint8(8 * number) for number in range(count)]
