"""Towers of every kind: what they state is what they do, and what they cannot do is one sentence."""

from collections.abc import Callable

import pytest
import torch

from oddlens.backbone.convnext import ConvNextConfig, ConvNextTower
from oddlens.backbone.dinov2 import Dinov2Config, Dinov2Tower
from oddlens.backbone.options import Capabilities
from oddlens.backbone.siglip import SiglipConfig, SiglipTower
from oddlens.backbone.stem import PatchStem
from oddlens.backbone.tower import VisionTower
from oddlens.backbone.vision import ClipTower, VisionConfig
from oddlens.errors import UsageError

TOWERS: dict[str, Callable[[], VisionTower]] = {
    "CLIP": lambda: ClipTower(VisionConfig(32, 8, 16, 2, 2, 32, 12, "gelu"), PatchStem(16, 8)),
    "ConvNeXt CLIP": lambda: ConvNextTower(ConvNextConfig(64, (1, 1, 1, 1), (4, 8, 12, 16), 12)),
    "SigLIP": lambda: SiglipTower(SiglipConfig(32, 8, 16, 2, 2, 32)),
    "DINOv2": lambda: Dinov2Tower(Dinov2Config(32, 8, 16, 2, 2, 32, registers=2)),
}
CALLS: dict[str, list[Callable[[VisionTower], object]]] = {
    "patches": [
        lambda tower: tower.embed(torch.zeros(1, 3, 32, 32)),
        lambda tower: tower.run_blocks(tower.embed(torch.zeros(1, 3, 32, 32)), (1, 2)).patches(2),
        lambda tower: tower.normed(torch.zeros(1, 16)),
    ],
    "local": [lambda tower: tower.run_blocks(tower.embed(torch.zeros(1, 3, 32, 32)), local_taps=(2,)).local_patches(2)],
    "joint": [lambda tower: tower.embed_image(torch.zeros(1, 16)), lambda tower: tower.project(torch.zeros(1, 16))],
    "windows": [lambda tower: tower.windows(tower.embed(torch.zeros(1, 3, 32, 32)), 2)],
}


@pytest.mark.parametrize("kind", TOWERS)
@pytest.mark.parametrize("ability", CALLS)
@torch.inference_mode()
def test_a_tower_does_what_it_states_and_refuses_the_rest(kind: str, ability: str) -> None:
    tower = TOWERS[kind]()
    for call in CALLS[ability]:
        if getattr(tower.capabilities, ability):
            call(tower)
            continue
        with pytest.raises(UsageError, match=f"{kind} does not have .*: give a CLIP with a ViT as the model"):
            call(tower)


@pytest.mark.parametrize("kind", TOWERS)
def test_its_shape_is_known_as_any_towers_is(kind: str) -> None:
    tower = TOWERS[kind]()
    config = tower.config
    assert tower.kind == kind
    assert config.grid == config.image_size // config.patch_size
    assert (config.embed_dim > 0) == (kind != "DINOv2")
    assert config.mlp_width > config.width
    assert all(end.ndim >= 1 for end in tower.ends)


@pytest.mark.parametrize(("kind", "prefix"), [("CLIP", 1), ("SigLIP", 0), ("DINOv2", 3)])
@torch.inference_mode()
def test_patches_stand_behind_the_prefix(kind: str, prefix: int) -> None:
    tower = TOWERS[kind]()
    features = tower.run_blocks(tower.embed(torch.zeros(2, 3, 24, 40)), (1,))
    assert (tower.prefix, features.prefix, features.grid) == (prefix, prefix, (3, 5))
    assert features.taps[1].shape == (2, prefix + 15, 16)
    assert features.patches(1).shape == (2, 15, 16)
    assert features.image.shape == (2, 16)


def test_capabilities_that_are_tested_are_all_there_are() -> None:
    assert {*CALLS, "text", "learned_prompts"} == set(Capabilities.__dataclass_fields__)
