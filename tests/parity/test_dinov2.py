"""DINOv2 held against transformers' and facebookresearch's own programs: three models, a square and a rectangle."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddlens.backbone.dinov2 import Dinov2Tower
from oddlens.backbone.layouts import dinov2
from oddlens.backbone.options import PositionResize
from oddlens.backbone.positions import resized_positions

Case = dict[str, NDArray[np.generic]]
MODELS = {"plain": "dinov2-12", "reg": "dinov2-reg-12", "swiglu": "dinov2-reg-swiglu-12"}
PIXELS = {"": "pixel_values", "_rect": "rect_pixel_values"}
BLOCKS = {"": tuple(range(13)), "_rect": (0, 8, 9, 12)}
HUBS_OWN: dict[str, PositionResize] = {"plain": "bicubic_offset", "reg": "bicubic", "swiglu": "bicubic"}
"""How facebookresearch's code resizes the positions of these models."""


@pytest.fixture(scope="module")
def case(parity: Path) -> Case:
    return dict(np.load(parity / "dinov2" / "case.npz"))


@pytest.fixture(scope="module", params=MODELS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tower(parity: Path, name: str) -> Dinov2Tower:
    return dinov2.read(parity / MODELS[name]).model.vision


def close(ours: Tensor, theirs: NDArray[np.generic], tolerance: float = 1e-5) -> bool:
    """By the spread of theirs, which is about 5 after the final LayerNorm."""
    expected = torch.tensor(theirs)
    return ours.shape == expected.shape and bool((ours - expected).abs().max() <= tolerance * expected.std())


@pytest.mark.parametrize("form", ["", "_rect"])
class TestTokens:
    @torch.inference_mode()
    def test_hidden_states(self, tower: Dinov2Tower, case: Case, name: str, form: str) -> None:
        embedded = tower.embed(torch.tensor(case[PIXELS[form]]))
        taps = tower.run_blocks(embedded, taps=range(1, 13)).taps
        for block, theirs in zip(BLOCKS[form], case[f"{name}{form}_hidden_states"], strict=True):
            assert close(taps[block] if block else embedded.tokens, theirs)

    @torch.inference_mode()
    def test_the_last_state_after_the_final_norm(self, tower: Dinov2Tower, case: Case, name: str, form: str) -> None:
        features = tower.run_blocks(tower.embed(torch.tensor(case[PIXELS[form]])), taps=(12,))
        assert close(tower.normed(features.taps[12]), case[f"{name}{form}_last_hidden_state"])
        assert close(tower.normed(features.image), case[f"{name}{form}_last_hidden_state"][:, 0])

    @torch.inference_mode()
    def test_the_last_state_of_facebookresearch(self, tower: Dinov2Tower, case: Case, name: str, form: str) -> None:
        embedded = tower.embed(torch.tensor(case[PIXELS[form]]), HUBS_OWN[name])
        assert close(tower.normed(tower.run_blocks(embedded, taps=(12,)).taps[12]), case[f"{name}{form}_hub_last"])


@torch.inference_mode()
@pytest.mark.parametrize("hub", [False, True], ids=["transformers", "facebookresearch"])
def test_positions_of_other_sizes(tower: Dinov2Tower, case: Case, name: str, hub: bool) -> None:
    prefix = f"{name}_hub_pos_" if hub else f"{name}_pos_"
    sizes = [key.removeprefix(prefix) for key in case if key.startswith(prefix)]
    assert len(sizes) == 4
    resize = HUBS_OWN[name] if hub else tower.config.position
    for size in sizes:
        rows, columns = (int(side) // 14 for side in size.split("x"))
        own, places = tower.position_embedding[:1], tower.position_embedding[1:]
        made = torch.cat([own, resized_positions(places, 4, (rows, columns), resize)])
        assert close(made[None], case[prefix + size])


def test_what_the_folders_say(parity: Path) -> None:
    """The normalisation of their preprocessor, no tokenizer, and every file that makes the model what it is."""
    for folder in MODELS.values():
        loaded = dinov2.LAYOUT.read(parity / folder)
        assert dinov2.LAYOUT.recognise(parity / folder)
        assert (loaded.mean, loaded.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        assert loaded.tokenizer is None
        assert loaded.model.text is None
        assert [path.name for path in loaded.files] == ["config.json", "model.safetensors", "preprocessor_config.json"]
