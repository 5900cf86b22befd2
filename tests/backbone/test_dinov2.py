"""The DINOv2 tower against transformers' own: hidden states at any size, with and without registers, MLP and SwiGLU."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from oddlens.backbone.dinov2 import Dinov2Tower
from oddlens.backbone.layouts import dinov2
from oddlens.backbone.options import Capabilities
from oddlens.backbone.tower import VisionTower
from oddlens.errors import UsageError
from tests.tiny_dinov2 import LAYERS, their_dinov2, write_dinov2

ALL = tuple(range(1, LAYERS + 1))


@dataclass(frozen=True)
class Pair:
    """One model, in their program and in ours."""

    theirs: Any
    ours: Dinov2Tower


@pytest.fixture(
    scope="module",
    params=[(0, False, 5), (0, True, 6), (4, False, 6), (4, True, 5), (1, False, 5)],
    ids=[
        "MLP, odd grid",
        "SwiGLU, even grid",
        "registers, MLP, even grid",
        "registers, SwiGLU, odd grid",
        "1 register",
    ],
)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    registers, swiglu, grid = request.param
    theirs = their_dinov2(registers, swiglu, grid)
    folder = tmp_path_factory.mktemp("theirs")
    theirs.save_pretrained(folder)
    return Pair(theirs, dinov2.read(folder).model.vision)


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Dinov2Tower:
    """With two registers, 40 px."""
    return dinov2.read(write_dinov2(tmp_path_factory.mktemp("tower"), registers=2)).model.vision


def pixels(height: int = 40, width: int = 40, batch: int = 2, seed: int = 3) -> Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def close(ours: Tensor, theirs: Tensor, tolerance: float = 1e-5) -> bool:
    return ours.shape == theirs.shape and bool((ours - theirs).abs().max() <= tolerance)


class TestAgainstTransformers:
    @torch.no_grad()
    @pytest.mark.parametrize("size", [(40, 40), (48, 48), (56, 56), (24, 72), (16, 8)])
    def test_every_hidden_state_is_theirs_at_any_size(self, pair: Pair, size: tuple[int, int]) -> None:
        expected = pair.theirs(pixels(*size), output_hidden_states=True)
        embedded = pair.ours.embed(pixels(*size))
        features = pair.ours.run_blocks(embedded, taps=ALL)
        assert close(embedded.tokens, expected.hidden_states[0])
        for block in ALL:
            assert close(features.taps[block], expected.hidden_states[block])
        assert close(pair.ours.normed(features.taps[LAYERS]), expected.last_hidden_state)
        assert close(pair.ours.normed(features.image), expected.pooler_output)

    @torch.no_grad()
    @pytest.mark.parametrize("size", [(40, 40), (56, 32)])
    def test_the_class_token_alone_is_the_same(self, pair: Pair, size: tuple[int, int]) -> None:
        """Without a tap after the last block, that block runs for the class token only."""
        features = pair.ours.run_blocks(pair.ours.embed(pixels(*size)), taps=(2,))
        assert close(pair.ours.normed(features.image), pair.theirs(pixels(*size)).pooler_output)

    @torch.no_grad()
    def test_patches_are_what_stands_behind_class_token_and_registers(self, pair: Pair) -> None:
        ours, theirs = pair.ours, pair.theirs
        assert ours.prefix == 1 + getattr(theirs.config, "num_register_tokens", 0)
        features = ours.run_blocks(ours.embed(pixels(24, 56)), taps=(3,))
        assert features.grid == (3, 7)
        expected = theirs(pixels(24, 56), output_hidden_states=True).hidden_states[3]
        assert close(features.patches(3), expected[:, -21:])

    def test_gradients_change_no_number(self, pair: Pair) -> None:
        """Where none are wanted memory is overwritten; where some are it is not."""
        wanted = pixels().requires_grad_()
        made = pair.ours.run_blocks(pair.ours.embed(wanted), taps=ALL)
        made.image.sum().backward()
        assert wanted.grad is not None
        assert wanted.grad.abs().max() > 0
        with torch.no_grad():
            plain = pair.ours.run_blocks(pair.ours.embed(pixels()), taps=ALL)
        for block in ALL:
            assert close(plain.taps[block], made.taps[block].detach())


class TestEmbedding:
    def test_a_remainder_smaller_than_a_patch_is_left_out(self, tower: Dinov2Tower) -> None:
        picture = pixels(45, 47)
        assert torch.equal(tower.embed(picture).tokens, tower.embed(picture[:, :, :40, :40]).tokens)

    def test_registers_have_no_place(self, tower: Dinov2Tower) -> None:
        """They are the same at every size, and so is the class token."""
        small, large = (tower.embed(pixels(side, side)).tokens[:, :3] for side in (24, 64))
        assert torch.equal(small, large)

    @pytest.mark.parametrize("size", [(7, 40), (40, 7)])
    def test_a_picture_smaller_than_a_patch_is_refused(self, tower: Dinov2Tower, size: tuple[int, int]) -> None:
        with pytest.raises(UsageError, match=f"{size[1]}x{size[0]} pixels is smaller than one patch of 8 pixels"):
            tower.embed(torch.zeros(1, 3, *size))

    def test_another_way_to_resize_positions_can_be_given(self, tower: Dinov2Tower) -> None:
        own, offset = tower.embed(pixels(48, 48)).tokens, tower.embed(pixels(48, 48), "bicubic_offset").tokens
        assert (own - offset).abs().max() > 1e-3
        assert torch.equal(own, tower.embed(pixels(48, 48), "bicubic").tokens)


class TestRunBlocks:
    def test_without_the_image_it_ends_at_the_last_tap(
        self, tower: Dinov2Tower, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        embedded = tower.embed(pixels())
        whole = tower.run_blocks(embedded, taps=(1, 2))
        for block in tower.blocks[2:]:
            monkeypatch.setattr(block, "forward", None)  # whoever calls it fails
        short = tower.run_blocks(embedded, taps=(1, 2), image=False)
        assert list(short.taps) == [1, 2]
        assert all(torch.equal(short.taps[block], whole.taps[block]) for block in (1, 2))
        with pytest.raises(UsageError, match="did not request the image embedding"):
            _ = short.image

    def test_what_is_tapped_is_not_written_to_by_later_blocks(self, tower: Dinov2Tower) -> None:
        embedded = tower.embed(pixels())
        before = embedded.tokens.clone()
        alone = tower.run_blocks(embedded, taps=(1,), image=False).taps[1]
        assert torch.equal(tower.run_blocks(embedded, taps=ALL).taps[1], alone)
        assert torch.equal(embedded.tokens, before)

    @pytest.mark.parametrize("tap", [0, -1, LAYERS + 1])
    def test_blocks_that_do_not_exist_are_refused(self, tower: Dinov2Tower, tap: int) -> None:
        with pytest.raises(UsageError, match=f"layer {tap} does not exist: this model has blocks 1 to {LAYERS}"):
            tower.run_blocks(tower.embed(pixels()), taps=(tap,))

    def test_it_has_no_stem_features(self, tower: Dinov2Tower) -> None:
        with pytest.raises(UsageError, match="no stem features named 'stem'"):
            tower.run_blocks(tower.embed(pixels()), taps=("stem",))

    def test_there_is_no_local_stream_and_it_says_so(self, tower: Dinov2Tower) -> None:
        assert tower.capabilities == Capabilities(patches=True)
        with pytest.raises(UsageError, match=r"DINOv2 does not have a local \(V-V\) stream"):
            tower.run_blocks(tower.embed(pixels()), local_taps=(1,))


class Graph(torch.nn.Module):
    """What a vision-only method takes of the tower."""

    def __init__(self, tower: VisionTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.tower.run_blocks(self.tower.embed(pixels), taps=(2, LAYERS))
        return features.image, features.patches(2), self.tower.normed(features.patches(LAYERS))


@pytest.mark.parametrize(("registers", "swiglu", "grid"), [(0, False, 5), (4, True, 6)])
def test_torch_export_takes_it_with_any_batch(registers: int, swiglu: bool, grid: int, tmp_path: Path) -> None:
    """At a size that one of the models is made for and the other is not."""
    graph = Graph(dinov2.read(write_dinov2(tmp_path, registers=registers, swiglu=swiglu, grid=grid)).model.vision)
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    exported = torch.export.export(graph.eval(), (pixels(),), dynamic_shapes=shapes).module()
    with torch.no_grad():
        for images in (1, 2, 5):
            given = pixels(batch=images, seed=images)
            for ours, expected in zip(exported(given), graph(given), strict=True):
                assert close(ours, expected)
