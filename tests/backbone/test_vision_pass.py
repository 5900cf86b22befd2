"""A pass of images through the tower."""

from pathlib import Path

import numpy as np
import pytest

from oddlens.backbone.load import load_backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass


@pytest.mark.parametrize(
    ("request_of", "height", "width"),
    [(FeatureRequest(224, aspect_cell=32), 1000, 867), (FeatureRequest(79, cut_to=10), 1000, 500)],
)
def test_images_are_resized_once(request_of: FeatureRequest, height: int, width: int, open_clip_folder: Path) -> None:
    """A size that was rounded need not stay the same where it is rounded again."""
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    view = request_of.view(image)
    assert request_of.view(view).shape != view.shape
    backbone = load_backbone(open_clip_folder)
    made = VisionPass(backbone, [view], request_of).pixels[0].permute(1, 2, 0).numpy()
    assert np.allclose(made * backbone.std + backbone.mean, view / 255, atol=1e-5)
