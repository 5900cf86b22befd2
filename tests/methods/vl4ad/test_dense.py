"""Every patch a mask: windows against the whole frame, maps against masks written out, and no grid to be seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision import ClipTower
from oddlens.backbone.vision_pass import VisionPass
from oddlens.errors import UsageError
from oddlens.methods.base import Features
from oddlens.methods.vl4ad import dense
from oddlens.methods.vl4ad.dense import MAP_STRIDE, DenseMasks
from tests.tiny_clip import Weights, write_open_clip

Frame = NDArray[np.uint8]
PATCH, SIDE = 8, 5


def noise(height: int, width: int, seed: int = 0) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encode(backbone: Backbone, masks: DenseMasks, *frames: Frame) -> Features:
    return masks.encode(VisionPass(backbone, frames, FeatureRequest(40)))


def grids(features: Features, number: int = 0) -> Tensor:
    """The embeddings of one frame on its grid of patches: [rows, columns, embed_dim]."""
    rows, columns = (-(-int(pixels) // PATCH) for pixels in features["frame"][number])
    return features["embeddings"][number, : rows * columns].view(rows, columns, -1)


@pytest.fixture(scope="module")
def tower(open_clip_folder: Path) -> Backbone:
    return load_backbone(open_clip_folder, device="cpu")


@pytest.fixture(scope="module")
def short_sighted(tmp_path_factory: pytest.TempPathFactory, weights: Weights) -> Backbone:
    """A tower that sees every patch alone: no positions, and attention that passes nothing on."""
    planted = {name: torch.zeros_like(value) if _mixes(name) else value for name, value in weights.items()}
    return load_backbone(write_open_clip(tmp_path_factory.mktemp("planted"), planted), device="cpu")


def _mixes(name: str) -> bool:
    return name == "visual.positional_embedding" or (name.startswith("visual.") and "attn.out_proj.weight" in name)


class TestEmbeddings:
    def test_a_frame_of_one_window_is_the_towers_last_local_stream(self, tower: Backbone) -> None:
        frame = noise(40, 40)
        vision = tower.vision
        walked = vision.run_blocks(vision.embed(tower.to_pixels([frame], 40)), local_taps=(3,), local_from=3)
        expected = F.normalize(vision.project(walked.local[3][0, 1:]), dim=-1)
        found = encode(tower, DenseMasks(tower, image_size=40), frame)
        assert torch.allclose(found["embeddings"][0], expected, atol=1e-6)

    def test_the_local_stream_can_leave_earlier(self, tower: Backbone) -> None:
        found, last = (
            encode(tower, DenseMasks(tower, image_size=40, local_from=each), noise(40, 40)) for each in (1, None)
        )
        assert not torch.allclose(found["embeddings"], last["embeddings"], atol=1e-3)

    @pytest.mark.parametrize(("height", "width"), [(120, 200), (200, 120), (83, 131), (40, 41), (24, 90), (9, 3)])
    @pytest.mark.parametrize("overlap", [0, 0.5, 0.7])
    def test_windows_without_context_make_up_the_whole_frame(
        self, short_sighted: Backbone, height: int, width: int, overlap: float
    ) -> None:
        """Where a patch is seen alone, cutting the frame changes nothing: at any size, odd, upright or smaller than a window."""
        frame = noise(height, width)
        rows, columns = -(-height // PATCH), -(-width // PATCH)
        grown = np.pad(frame, [(0, rows * PATCH - height), (0, columns * PATCH - width), (0, 0)], "reflect")
        vision = short_sighted.vision
        whole = torch.tensor(grown / 255).sub(torch.tensor(short_sighted.mean)).div(torch.tensor(short_sighted.std))
        embedded = vision.embed(whole.permute(2, 0, 1)[None].float())
        local = vision.run_blocks(embedded, local_taps=(3,), local_from=3).local[3]
        expected = F.normalize(vision.project(local[0, 1:]), dim=-1).view(rows, columns, -1)
        found = encode(short_sighted, DenseMasks(short_sighted, image_size=40, overlap=overlap), frame)
        assert torch.allclose(grids(found), expected, atol=1e-5)

    def test_context_is_all_that_windows_change(self, tower: Backbone) -> None:
        """Two frames that agree on a whole window agree on what only this window sees."""
        one = noise(40, 200)
        other = np.concatenate([one[:, :80], noise(40, 120, seed=1)], axis=1)
        found = [grids(encode(tower, DenseMasks(tower, image_size=40, overlap=0), frame)) for frame in (one, other)]
        assert torch.equal(found[0][:, :10], found[1][:, :10])
        assert not torch.allclose(found[0][:, 10:], found[1][:, 10:], atol=1e-2)

    def test_frames_of_several_sizes_go_together_as_they_go_alone(self, tower: Backbone) -> None:
        frames = [noise(40, 60), noise(90, 30, seed=1), noise(20, 20, seed=2)]
        masks = DenseMasks(tower, image_size=40)
        together = encode(tower, masks, *frames)
        assert together["masks"].tolist() == [40, 48, 9]
        assert together["frame"].tolist() == [[40, 60], [90, 30], [20, 20]]
        for number, frame in enumerate(frames):
            alone = encode(tower, masks, frame)
            assert torch.allclose(grids(together, number), grids(alone), atol=1e-6)
            assert not together["embeddings"][number, together["masks"][number] :].any()

    def test_embeddings_have_unit_length(self, tower: Backbone) -> None:
        found = encode(tower, DenseMasks(tower, image_size=40), noise(70, 90))
        assert torch.allclose(grids(found).norm(dim=-1), torch.ones(9, 12), atol=1e-6)

    def test_a_frame_is_read_with_the_given_short_side(self, tower: Backbone) -> None:
        found = encode(tower, DenseMasks(tower, image_size=40, short_side=80), noise(40, 60))
        assert found["frame"].tolist() == [[80, 120]]
        assert found["masks"].tolist() == [10 * 15]

    def test_a_larger_frame_is_more_batches_of_the_same_few_windows(
        self, tower: Backbone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What bounds the memory of the tower."""
        batches: list[int] = []
        embed = ClipTower.embed

        def watched(self: ClipTower, pixels: Tensor, *arguments: Any) -> Any:
            batches.append(len(pixels))
            return embed(self, pixels, *arguments)

        monkeypatch.setattr(ClipTower, "embed", watched)
        encode(tower, DenseMasks(tower, image_size=40, overlap=0), noise(200, 240))
        assert sum(batches) == 5 * 6
        assert max(batches) <= 8

    def test_windows_smaller_than_a_patch_are_refused(self, tower: Backbone) -> None:
        with pytest.raises(UsageError, match="windows of 7 pixels hold no patch of 8"):
            DenseMasks(tower, image_size=7)

    def test_the_temperature_is_the_models_own_and_never_below_clips_bound(self, tower: Backbone) -> None:
        own = float(tower.model.logit_scale)
        assert DenseMasks(tower, image_size=40).temperature == pytest.approx(np.exp(-own))
        with torch.no_grad():
            kept = tower.model.logit_scale.clone()
            tower.model.logit_scale.fill_(9.0)
            assert DenseMasks(tower, image_size=40).temperature == pytest.approx(0.01)
            tower.model.logit_scale.copy_(kept)


class TestMaps:
    def spread(self, backbone: Backbone, frame: Frame) -> tuple[Callable[[Tensor], Tensor], int]:
        masks = DenseMasks(backbone, image_size=40)
        features = encode(backbone, masks, frame)
        alone = {name: value[0] for name, value in features.items()}
        return lambda values: masks.spread(alone, values), int(features["masks"][0])

    @pytest.mark.parametrize(("height", "width"), [(40, 64), (37, 90), (3, 5), (100, 20)])
    def test_values_lie_in_a_frame_as_masks_written_out_would_have_it(
        self, tower: Backbone, height: int, width: int
    ) -> None:
        """The exact sum over [masks, height, width], which a large frame has no memory for, is the interpolation of values."""
        spread, count = self.spread(tower, noise(height, width))
        masks = spread(torch.eye(count))  # the mask of patch i is what its value alone makes of a frame
        assert masks.shape == (count, -(-height // MAP_STRIDE), -(-width // MAP_STRIDE))
        assert masks.min() >= 0
        assert torch.allclose(masks.sum(dim=0), torch.ones_like(masks[0]), atol=1e-5)
        values = torch.randn(count, 7, generator=torch.Generator().manual_seed(0))
        assert torch.allclose(spread(values), torch.einsum("nhw,nk->khw", masks, values), atol=1e-5)

    def test_a_mask_is_highest_in_its_patch(self, tower: Backbone) -> None:
        spread, count = self.spread(tower, noise(40, 64))
        for number, mask in enumerate(spread(torch.eye(count))):
            row, column = divmod(number, 8)
            places = (mask == mask.max()).nonzero() * MAP_STRIDE // PATCH
            assert (places == torch.tensor([row, column])).all()

    def test_it_is_torchs_bilinear_upsampling_where_patches_fit_the_frame(self, tower: Backbone) -> None:
        spread, _ = self.spread(tower, noise(80, 120))
        values = torch.randn(3, 10, 15, generator=torch.Generator().manual_seed(0))
        expected = F.interpolate(values[None], scale_factor=2, mode="bilinear", align_corners=False)[0]
        assert torch.allclose(spread(values.flatten(1).T), expected, atol=1e-5)

    def test_a_frame_as_long_as_a_line_scan_takes_memory_by_its_pixels_and_not_by_their_square(
        self, tower: Backbone
    ) -> None:
        pixels = 1_000_000
        features = {"frame": torch.tensor([PATCH, pixels])}
        values = torch.arange(pixels // PATCH, dtype=torch.float32)[:, None]
        (found,) = DenseMasks(tower, image_size=40).spread(features, values)
        assert found.shape == (PATCH // MAP_STRIDE, pixels // MAP_STRIDE)
        assert (found.diff(dim=1) >= 0).all()


def scene(side: int, seed: int) -> Frame:
    """Soft blobs that repeat at no distance."""
    drawn = np.random.default_rng(seed).normal(size=(side + 96, side + 96, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(drawn, (0, 0), 16)[48:-48, 48:-48]
    return np.clip(128 + 50 * soft / soft.std(), 0, 255).astype(np.uint8)


class TestNoGrid:
    def rhythm(self, backbone: Backbone, overlap: float) -> float:
        """How much more neighbouring patches differ at one place between two starts of windows than at another, along both axes."""
        masks, steps = DenseMasks(backbone, image_size=40, overlap=overlap), []
        for seed in range(4):
            grid = grids(encode(backbone, masks, scene(240, seed)))
            for along in (grid, grid.transpose(0, 1)):
                steps.append((along[1:] - along[:-1]).norm(dim=-1).mean(dim=1))
        beat = max(1, round(SIDE * (1 - overlap)))
        mean = torch.stack(steps).mean(dim=0)[SIDE - 1 : -SIDE]  # windows that reach the rim overlap less
        places = [float(mean[start::beat].mean()) for start in range(beat)]
        return max(places) / min(places)

    def test_windows_side_by_side_leave_seams_and_blended_ones_do_not(self, tower: Backbone) -> None:
        assert self.rhythm(tower, 0) > 1.5
        assert self.rhythm(tower, 0.5) < 1.1

    def test_a_frame_shifted_by_whole_patches_gives_a_map_that_is_shifted(self, tower: Backbone) -> None:
        """Blending does not know where the frame began: what the shift changes is small beside what a frame holds."""
        frame, changes = scene(256, 0), {}
        for overlap in (0, 0.8):
            masks = DenseMasks(tower, image_size=40, overlap=overlap)
            still, moved = (grids(encode(tower, masks, each)) for each in (frame[:240, :240], frame[16:, 16:]))
            inner = still[7:-5, 7:-5]
            held = (inner - inner.flatten(0, 1).mean(dim=0)).norm(dim=-1).mean()
            changes[overlap] = float((inner - moved[5:-7, 5:-7]).norm(dim=-1).mean() / held)
        assert changes[0.8] < 0.1
        assert changes[0.8] < changes[0] / 4


@pytest.mark.parametrize("at_once", [1, 3, 7, 4096])
@pytest.mark.parametrize(("height", "width"), [(40, 60), (83, 31), (9, 300), (3, 3)])
def test_a_map_is_the_same_in_how_many_pieces_it_is_spread(
    tower: Backbone, monkeypatch: pytest.MonkeyPatch, height: int, width: int, at_once: int
) -> None:
    masks = DenseMasks(tower, image_size=40)
    rows, columns = -(-height // PATCH), -(-width // PATCH)
    values = torch.randn(rows * columns, 5, generator=torch.Generator().manual_seed(3))
    features = {"frame": torch.tensor([height, width])}
    whole = masks.spread(features, values)
    assert whole.shape == (5, -(-height // 4), -(-width // 4))
    monkeypatch.setattr(dense, "_MAP_PIXELS_AT_ONCE", at_once)
    assert torch.allclose(masks.spread(features, values), whole, atol=1e-6)
    ones = masks.spread(features, torch.ones(rows * columns, 1))
    assert torch.allclose(ones, torch.ones_like(ones), atol=1e-6)
