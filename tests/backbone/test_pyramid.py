"""Maps at several scales from transformer towers."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from oddlens.backbone.load import load_backbone
from oddlens.backbone.pyramid import VisionMaps, map_tower
from tests.tiny_clip import Shape, random_model, random_weights, write_open_clip


def noise(height: int = 64, width: int = 96) -> torch.Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_patches_of_the_middle_and_last_block_lie_side_by_side_on_their_own_grid() -> None:
    vision = random_model(layers=3).vision
    tower = map_tower(vision)
    assert (tower.strides, tower.channels) == ((8,), (2 * 64,))
    with torch.inference_mode():
        (found,) = tower.feature_maps(noise()).maps
        features = vision.run_blocks(vision.embed(noise(), "bicubic"), taps=(2, 3))
    assert found.shape == (2, 128, 8, 12)
    for number, tap in enumerate((2, 3)):
        plain = F.layer_norm(features.taps[tap][1, 1:], (64,)).view(8, 12, 64)
        torch.testing.assert_close(found[1, 64 * number : 64 * (number + 1)], plain.permute(2, 0, 1))


def test_the_dense_map_is_the_local_stream_in_the_joint_space() -> None:
    vision = random_model(layers=3).vision
    with torch.inference_mode():
        dense = VisionMaps(vision).feature_maps(noise()).dense
        features = vision.run_blocks(vision.embed(noise(), "bicubic"), local_taps=(3,), local_from=1)
        local = F.normalize(vision.project(features.local[3][:, 1:]), dim=-1)
    assert dense is not None
    torch.testing.assert_close(dense.flatten(2).transpose(1, 2), local)
    assert VisionMaps(vision).embed_pooled(dense) is dense


def test_what_is_not_requested_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    vision = random_model().vision
    monkeypatch.setattr(type(vision), "project", lambda *_: pytest.fail("the dense map was computed"))
    assert VisionMaps(vision).feature_maps(noise(), dense=False).dense is None


def test_patches_of_14_pixels_are_brought_to_a_grid_of_16(tmp_path: Path) -> None:
    shape = Shape(image_size=42, patch_size=14, layers=2)
    vision = load_backbone(write_open_clip(tmp_path, random_weights(0, shape), shape), device="cpu").vision
    tower = VisionMaps(vision)
    assert tower.strides == (16,)
    with torch.inference_mode():
        (found,) = tower.feature_maps(noise(), dense=False).maps
    assert found.shape == (2, 256, 4, 6)


def test_a_stem_with_finer_features_gives_them_at_half_the_stride(embedded_folder: Path) -> None:
    vision = load_backbone(embedded_folder, device="cpu").vision
    tower = VisionMaps(vision)
    assert (tower.strides, tower.channels) == ((8, 16), (40, 2 * 32))
    with torch.inference_mode():
        seen = tower.feature_maps(noise())
        fine, _ = vision.stem.trunk(noise())
    assert [tuple(each.shape) for each in seen.maps] == [(2, 40, 8, 12), (2, 64, 4, 6)]
    cells = F.normalize(F.pixel_unshuffle(fine, 2), dim=1)
    torch.testing.assert_close(seen.maps[0], F.pixel_shuffle(cells, 2))
