"""Small copies of references: made of what was sent, or of what still lies where it was read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.detector import Detector
from oddlens.io.images import read_image
from oddlens.io.png import write_png
from oddlens.teaching.thumbnails import Thumbnails


@pytest.fixture
def detector(tmp_path: Path) -> Detector:
    """With three references, a large one among them."""
    rng = np.random.default_rng(0)
    for number, side in enumerate((700, 48, 48)):
        write_png(tmp_path / f"{number}.png", rng.integers(0, 256, (side, side, 3), np.uint8))
    return oddlens.load("patch-knn", runtime="onnx").add_references(sorted(tmp_path.glob("*.png")))


def digests(detector: Detector) -> tuple[str, ...]:
    assert detector.references is not None
    return detector.references.digests


def test_they_are_small_and_made_of_the_file_that_is_still_there(detector: Detector, tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "small")
    assert [each["has_thumbnail"] for each in thumbnails.references_of(detector)] == [True] * 3
    path = thumbnails.find(detector, digests(detector)[0])
    assert path is not None
    with Image.open(path) as image:
        assert (image.format, image.size) == ("JPEG", (233, 233))
    (tmp_path / "0.png").unlink()
    assert thumbnails.find(detector, digests(detector)[0]) == path, "it is kept"


def test_of_another_image_in_its_place_or_of_none_there_is_none(detector: Detector, tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "small")
    (tmp_path / "1.png").write_bytes((tmp_path / "2.png").read_bytes())
    assert thumbnails.find(detector, digests(detector)[1]) is None
    (tmp_path / "2.png").unlink()
    assert thumbnails.find(detector, digests(detector)[2]) is None
    assert [each["has_thumbnail"] for each in thumbnails.references_of(detector)] == [True, True, False]
    assert thumbnails.find(detector, "0" * 64) is None
    assert thumbnails.find(detector, "../../1") is None
    assert not (tmp_path / "small").exists()


def test_what_was_sent_has_one(detector: Detector, tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "small")
    picture = read_image(tmp_path / "2.png", "2.png")
    thumbnails.add([picture])
    (tmp_path / "2.png").unlink()
    assert thumbnails.find(detector, digests(detector)[2]) == tmp_path / "small" / f"{picture.digest()}.jpg"
