"""An image that is tried."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.io.images import Picture
from oddlens.teaching.trial import try_image, zero_shot
from tests.service.given import make_station, part


def shown(uri: object) -> tuple[int, int]:
    """(width, height) of an image in a data: URI."""
    assert isinstance(uri, str)
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).size


@pytest.mark.parametrize(("size", "small"), [((64, 48), (64, 48)), ((3000, 2), (1024, 1)), ((1, 4000), (1, 1024))])
def test_what_is_shown_is_small_and_has_a_pixel_at_least(size: tuple[int, int], small: tuple[int, int]) -> None:
    picture = Picture(np.full((size[1], size[0], 3), 128, np.uint8), "part.png")
    found = try_image(picture, "nut", zero_shot("onnx"))
    assert (found["path"], found["image_size"]) == ("part.png", list(size))
    assert shown(found["image"]) == shown(found["overlay"]) == small


def test_a_method_that_asks_no_words_keeps_its_verdict_whatever_the_object_is_called(tmp_path: Path) -> None:
    detector = oddlens.open_station(make_station(tmp_path / "plates", 4), runtime="onnx")
    detector.calibrate([np.asarray(part(seed)) for seed in range(10, 14)])  # for the object "plate"
    picture = Picture(np.asarray(part(70, True)), "part.png")
    (own, other) = (try_image(picture, name, detector) for name in (None, "knitted wool"))
    assert own["verdict"] == other["verdict"] == "ng"
    assert own["threshold"] == other["threshold"]
