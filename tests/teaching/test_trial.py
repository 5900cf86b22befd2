"""An image that is tried."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from oddlens.io.images import Picture
from oddlens.teaching.trial import try_image, zero_shot


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
