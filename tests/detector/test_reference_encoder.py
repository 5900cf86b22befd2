"""Good examples through the towers: what a method makes of their views stands beside what the image itself gives."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import oddlens
from oddlens.detector import Detector
from oddlens.io.pixels import Pixels
from oddlens.methods.base import Features
from oddlens.methods.winclip.method import WinCLIP

Pictures = list[NDArray[np.uint8]]


class Mirroring(WinCLIP):
    """WinCLIP whose memory knows the mirror image of every good example, too."""

    def reference_views(self, pixels: Pixels) -> Sequence[Pixels]:
        return pixels, pixels[:, ::-1]

    def reference_features(self, features: Features, views: int) -> Features:
        assert views == 2
        return {name: value.unflatten(0, (-1, 2)).mean(dim=1) for name, value in features.items()}


@pytest.fixture
def mirroring(open_clip_folder: Path) -> Detector:
    method = oddlens.load("winclip", open_clip_folder, device="cpu").method
    return Detector("winclip", Mirroring(method.backbone, method.recipe))


def test_the_views_of_an_image_become_its_features(mirroring: Detector, pictures: Pictures) -> None:
    found = mirroring.encode_references(pictures[:3])
    for number, picture in enumerate(pictures[:3]):
        both = mirroring.encode([picture, picture[:, ::-1]])
        for name, value in both.features.items():
            assert torch.allclose(found.features[name][number], value.mean(dim=0), atol=1e-6)
    assert found.sizes == tuple((picture.shape[1], picture.shape[0]) for picture in pictures[:3])
    assert found.sources == ("image 1", "image 2", "image 3")


def test_references_are_added_so(mirroring: Detector, pictures: Pictures) -> None:
    references = mirroring.add_references(pictures[:2]).references
    assert references is not None
    expected = mirroring.encode_references(pictures[:2])
    assert all(torch.equal(references.features[name], value) for name, value in expected.features.items())
    assert len(set(references.digests)) == 2


def test_without_views_they_are_encoded_as_images_are(open_clip_folder: Path, pictures: Pictures) -> None:
    detector = oddlens.load("winclip", open_clip_folder, device="cpu")
    one, other = detector.encode(pictures), detector.encode_references(pictures)
    assert all(torch.equal(other.features[name], value) for name, value in one.features.items())
