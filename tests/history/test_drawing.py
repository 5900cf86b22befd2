"""What is drawn of kept images: few are decoded at once, whatever a gallery asks for."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from oddlens.history import drawing
from oddlens.history.pictures import Pictures
from oddlens.history.records import Inspection


def png(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def inspection(number: int, digest: str) -> Inspection:
    found: dict[str, object] = {"score": 0.7, "verdict": "ng", "image_size": [32, 24], "regions": []}
    return Inspection(
        id=number, station="line-3", station_version=1, time=datetime.now(UTC), source="a.png", origin="api", digest=digest,
        detection=found, error=None, map_digest=None, identity={}, ms=1.0,
    )  # fmt: skip


@pytest.mark.parametrize("draw", [drawing.thumbnail, drawing.pixel_digest])
def test_few_images_are_decoded_at_once(
    draw: Callable[[Pictures, Inspection], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = Pictures(tmp_path)
    kept = [inspection(number, pictures.put(png(number))) for number in range(8)]
    read, lock, now, most = drawing.read_image, threading.Lock(), [0], [0]

    def counted(*given: Any, **more: Any) -> Any:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        found = read(*given, **more)
        with lock:
            now[0] -= 1
        return found

    monkeypatch.setattr(drawing, "read_image", counted)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda each: draw(pictures, each), kept))
    assert len(set(found)) == len(kept)
    assert most[0] == 2
