"""Generated parts, good and defective, as image files, and calls that send them."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import oddlens

if TYPE_CHECKING:
    from starlette.testclient import TestClient

SIDE = 96
STATION = "/api/stations/plates"
PNG = {"content-type": "image/png"}


def part(seed: int, defect: bool = False) -> Image.Image:
    """A grey plate with fine noise; a defect is a dark, rough spot."""
    rng = np.random.default_rng(seed)
    pixels = 150 + 4 * rng.standard_normal((SIDE, SIDE, 1)) + np.linspace(-10, 10, SIDE)[:, None, None]
    if defect:
        row, column = rng.integers(20, SIDE - 40, 2)
        pixels[row : row + 14, column : column + 14] -= 60 + 30 * rng.standard_normal((14, 14, 1))
    return Image.fromarray(np.repeat(pixels, 3, axis=2).clip(0, 255).astype(np.uint8))


def png(seed: int, defect: bool = False) -> bytes:
    """A part as the bytes of a PNG file."""
    file = io.BytesIO()
    part(seed, defect).save(file, "PNG")
    return file.getvalue()


def make_station(folder: Path, references: int) -> Path:
    """A station of some good plates, calibrated on them, on the graphs of the embedded model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector = oddlens.load("patch-knn", runtime="onnx")
        detector.object_name = "plate"
        detector.add_references([np.asarray(part(seed)) for seed in range(references)])
        detector.calibrate()
        detector.save(folder)
    return folder


def make_road_station(folder: Path) -> Path:
    """A station of a method that takes neither good images nor words: dense masks on the embedded model. It needs torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector = oddlens.load("vl4ad", device="cpu", short_side=64)
        detector.object_name = "street"
        detector.save(folder)
    return folder


def inspect(client: TestClient, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = client.post(f"{STATION}/inspect", content=data, headers=PNG).json()
    return found


def files(*seeds: int, defect: bool = False) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("files", (f"{seed}.png", png(seed, defect), "image/png")) for seed in seeds]


def ok(found: Any, status: int = 200) -> dict[str, Any]:
    assert found.status_code == status, found.text
    document: dict[str, Any] = found.json()
    return document


def grey(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((96, 96, 3), level, np.uint8)).save(file, "PNG")
    return file.getvalue()
