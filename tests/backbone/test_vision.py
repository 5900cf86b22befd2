"""The vision tower against transformers' own and against a plain restatement: taps, sizes, local stream, windows."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from oddlens.backbone.load import load_backbone
from oddlens.backbone.tower import StemOutput, VisionFeatures, window_index
from oddlens.backbone.vision import ClipTower
from oddlens.errors import UsageError
from tests.naive_clip import NaiveClip, resized_positions
from tests.tiny_clip import SHAPE, Weights, random_model, randomise

DEPTH = SHAPE.layers


@pytest.fixture(scope="module")
def tower(open_clip_folder: Path) -> ClipTower:
    return load_backbone(open_clip_folder, device="cpu").vision


@pytest.fixture(scope="module")
def naive(weights: Weights) -> NaiveClip:
    return NaiveClip(weights)


def pixels(height: int = 40, width: int = 40, batch: int = 2, seed: int = 3) -> Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def close(ours: Tensor, theirs: Tensor, tolerance: float = 2e-5) -> bool:
    return ours.shape == theirs.shape and bool((ours - theirs).abs().max() <= tolerance)


@pytest.fixture(scope="module", params=["quick_gelu", "gelu"])
def theirs(request: pytest.FixtureRequest) -> Any:
    """A CLIPModel of theirs; its heads are not 64 wide."""
    from transformers import CLIPConfig, CLIPModel

    shared = {"hidden_act": request.param, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3}
    config = CLIPConfig(
        vision_config=shared | {"num_attention_heads": 4, "image_size": 40, "patch_size": 8, "layer_norm_eps": 1e-4},
        text_config=shared | {"num_attention_heads": 2, "vocab_size": 50, "max_position_embeddings": 12},
        projection_dim=24,
    )
    model = CLIPModel(config).eval()
    randomise(model, seed=1)
    return model


@pytest.fixture(scope="module")
def ours(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> ClipTower:
    """What they saved, loaded by us."""
    folder = tmp_path_factory.mktemp("theirs")
    theirs.save_pretrained(folder)
    return load_backbone(folder, device="cpu").vision


class TestAgainstTransformers:
    @torch.no_grad()
    def test_the_image_embedding_is_the_same(self, theirs: Any, ours: ClipTower) -> None:
        expected = theirs.visual_projection(theirs.vision_model(pixels()).pooler_output)
        assert close(ours.project(ours.run_blocks(ours.embed(pixels())).image), expected)

    @torch.no_grad()
    def test_every_tap_is_their_hidden_state(self, theirs: Any, ours: ClipTower) -> None:
        hidden = theirs.vision_model(pixels(), output_hidden_states=True).hidden_states
        features = ours.run_blocks(ours.embed(pixels()), taps=(1, 2, 3))
        assert close(ours.ln_pre(ours.embed(pixels()).tokens), hidden[0])
        for block in (1, 2, 3):
            assert close(features.taps[block], hidden[block])

    @torch.no_grad()
    @pytest.mark.parametrize("position", ["bilinear", "bicubic"])
    def test_at_another_size_it_is_their_model_with_resized_positions(
        self, theirs: Any, ours: ClipTower, position: Literal["bilinear", "bicubic"]
    ) -> None:
        from transformers import CLIPVisionConfig, CLIPVisionModel

        larger = CLIPVisionModel(CLIPVisionConfig(**theirs.config.vision_config.to_dict() | {"image_size": 56})).eval()
        state = theirs.vision_model.state_dict()
        name = "embeddings.position_embedding.weight"
        state[name] = resized_positions(state[name], (7, 7), position)
        inner = getattr(larger, "vision_model", larger)
        inner.load_state_dict(state, strict=False)
        expected = theirs.visual_projection(larger(pixels(56, 56)).pooler_output)
        assert close(ours.project(ours.run_blocks(ours.embed(pixels(56, 56), position)).image), expected, 5e-5)


class TestEmbedding:
    def test_patches_are_read_row_by_row_and_cls_comes_first(self, tower: ClipTower, naive: NaiveClip) -> None:
        for picture, tokens in zip(pixels(), tower.embed(pixels()).tokens, strict=True):
            assert close(tokens, naive.tokens(picture).float())

    @pytest.mark.parametrize("position", ["bilinear", "bicubic"])
    @pytest.mark.parametrize("size", [(24, 24), (56, 56), (40, 72), (80, 32)])
    def test_positions_are_resized_to_any_grid(
        self, tower: ClipTower, weights: Weights, size: tuple[int, int], position: Literal["bilinear", "bicubic"]
    ) -> None:
        grid = (size[0] // 8, size[1] // 8)
        embedded = tower.embed(torch.zeros(1, 3, *size), position)  # black pixels: nothing but CLS and positions
        expected = resized_positions(weights["visual.positional_embedding"], grid, position)
        expected[0] += weights["visual.class_embedding"]
        assert embedded.grid == grid
        assert close(embedded.tokens[0], expected)

    def test_a_remainder_smaller_than_a_patch_is_left_out(self, tower: ClipTower) -> None:
        picture = pixels(45, 47)
        assert torch.equal(tower.embed(picture).tokens, tower.embed(picture[:, :, :40, :40]).tokens)

    @pytest.mark.parametrize("size", [(7, 40), (40, 7), (1, 1)])
    def test_a_picture_smaller_than_a_patch_is_refused(self, tower: ClipTower, size: tuple[int, int]) -> None:
        with pytest.raises(UsageError, match=f"{size[1]}x{size[0]} pixels is smaller than one patch of 8 pixels"):
            tower.embed(torch.zeros(1, 3, *size))

    def test_sizes_seen_before_leave_no_trace(self, tower: ClipTower) -> None:
        before = tower.embed(pixels(), "bilinear").tokens
        tower.embed(pixels(64, 64), "bilinear")
        tower.embed(pixels(24, 24), "bicubic")
        assert torch.equal(tower.embed(pixels(), "bilinear").tokens, before)


class TestLocalStream:
    @pytest.mark.parametrize("start", [1, 2, 3])
    def test_it_adds_value_attention_from_any_block_on(self, tower: ClipTower, naive: NaiveClip, start: int) -> None:
        taps = range(start, DEPTH + 1)
        embedded = tower.embed(pixels())
        features = tower.run_blocks(embedded, local_taps=taps, local_from=start)
        for image in range(2):
            expected = naive.local(embedded.tokens[image].double(), start)
            assert list(features.local) == list(taps)
            for tap in taps:
                assert close(features.local[tap][image], expected[tap].float())

    def test_it_leaves_the_ordinary_stream_as_it_is(self, tower: ClipTower) -> None:
        embedded = tower.embed(pixels())
        plain = tower.run_blocks(embedded, taps=(1, 2, 3))
        both = tower.run_blocks(embedded, taps=(1, 2, 3), local_taps=(2, 3), local_from=2)
        assert close(both.image, plain.image, 1e-6)
        for block in (1, 2, 3):
            assert close(both.taps[block], plain.taps[block], 1e-6)

    def test_what_is_tapped_early_does_not_depend_on_later_taps(self, tower: ClipTower) -> None:
        embedded = tower.embed(pixels())
        early = tower.run_blocks(embedded, local_taps=(1,)).local[1]
        assert torch.equal(tower.run_blocks(embedded, local_taps=(1, 2, 3)).local[1], early)

    def test_a_tap_before_its_start_is_refused(self, tower: ClipTower) -> None:
        with pytest.raises(UsageError, match="starts at block 3: it has nothing after block 2"):
            tower.run_blocks(tower.embed(pixels()), local_taps=(2, 3), local_from=3)


class TestRunBlocksing:
    def test_the_last_block_for_cls_alone_equals_the_full_run(self, tower: ClipTower) -> None:
        embedded = tower.embed(pixels())
        full = tower.run_blocks(embedded, taps=(DEPTH,))
        assert torch.equal(full.image, full.taps[DEPTH][:, 0])
        assert close(tower.run_blocks(embedded).image, full.image, 2e-6)
        assert close(tower.run_blocks(embedded, local_taps=(DEPTH,)).image, full.image, 2e-6)

    def test_the_local_stream_after_the_last_block_is_the_same_with_and_without_its_tap(self, tower: ClipTower) -> None:
        embedded = tower.embed(pixels())
        alone = tower.run_blocks(embedded, local_taps=(DEPTH,)).local[DEPTH]
        assert close(tower.run_blocks(embedded, taps=(DEPTH,), local_taps=(DEPTH,)).local[DEPTH], alone, 2e-6)

    def test_taps_are_the_stream_of_the_restatement(self, tower: ClipTower, naive: NaiveClip) -> None:
        embedded = tower.embed(pixels(40, 56), "bilinear")
        features = tower.run_blocks(embedded, taps=(1, 3))
        hidden = naive.hidden(embedded.tokens[1].double())
        assert list(features.taps) == [1, 3]
        assert features.grid == (5, 7)
        for tap in (1, 3):
            assert close(features.taps[tap][1], hidden[tap].float())

    @pytest.mark.parametrize("taps", [(0,), (4,), (-1,), (1, 9)])
    def test_a_layer_that_does_not_exist_is_refused(self, tower: ClipTower, taps: tuple[int, ...]) -> None:
        embedded = tower.embed(pixels())
        with pytest.raises(UsageError, match="this model has blocks 1 to 3"):
            tower.run_blocks(embedded, taps=taps)
        with pytest.raises(UsageError, match="this model has blocks 1 to 3"):
            tower.run_blocks(embedded, local_taps=taps)

    def test_a_stem_tap_that_does_not_exist_is_refused(self, tower: ClipTower) -> None:
        with pytest.raises(UsageError, match="no stem features named 'stem': it has none"):
            tower.run_blocks(tower.embed(pixels()), taps=("stem",))

    def test_a_stem_with_raw_features_gives_them_as_patches(self, embedded_folder: Path) -> None:
        tower = load_backbone(embedded_folder, device="cpu").vision
        embedded = tower.embed(pixels(64, 80))
        tap = tower.run_blocks(embedded, taps=("stem", 1)).taps["stem"]
        assert tap.shape == (2, 20, 272)
        assert torch.equal(tap[1, 7], embedded.raw["stem"][1, :, 1, 2])
        with pytest.raises(UsageError, match="it has stem"):
            tower.run_blocks(embedded, taps=("fine",))

    def test_a_stems_taps_have_grids_of_their_own(self, embedded_folder: Path) -> None:
        tower = load_backbone(embedded_folder, device="cpu").vision
        found = tower.run_blocks(tower.embed(pixels(64, 96)), taps=("s3", "s6", 1), image=False)
        assert [found.grid_of(tap) for tap in ("s3", "s6", 1)] == [(8, 12), (2, 3), (4, 6)]
        assert found.patches("s6").shape == (2, 6, 192)
        assert found.pooled is None

    def test_projection_without_norm_leaves_ln_post_out(self, tower: ClipTower, weights: Weights) -> None:
        x = torch.randn(3, SHAPE.width, generator=torch.Generator().manual_seed(0))
        assert close(tower.project(x, norm=False), x @ weights["visual.proj"])


class TestWindows:
    @pytest.mark.parametrize("size", [1, 2, 3, 5])
    def test_each_is_embedded_as_if_it_were_alone(self, tower: ClipTower, naive: NaiveClip, size: int) -> None:
        embedded = tower.embed(pixels())
        found = tower.windows(embedded, size)
        for image in range(2):
            expected = naive.windows(embedded.tokens[image].double(), (5, 5), size)
            assert close(found[image], expected.float())

    def test_on_a_grid_that_is_not_square(self, tower: ClipTower, naive: NaiveClip) -> None:
        embedded = tower.embed(pixels(24, 48, batch=1))
        assert close(tower.windows(embedded, 2)[0], naive.windows(embedded.tokens[0].double(), (3, 6), 2).float())

    def test_how_many_run_at_once_changes_nothing(self, tower: ClipTower) -> None:
        embedded = tower.embed(pixels())
        together = tower.windows(embedded, 2)
        for tokens in (1, 7, 12):
            assert close(tower.windows(embedded, 2, tokens * 4 * 4 * tower.config.width), together, 2e-6)

    def test_a_window_over_the_whole_grid_is_the_picture(self, tower: ClipTower) -> None:
        embedded = tower.embed(pixels())
        assert close(tower.windows(embedded, 5)[:, 0], tower.project(tower.run_blocks(embedded).image), 5e-6)

    @pytest.mark.parametrize("layers", [1, 2])
    def test_in_a_tower_of_one_or_two_blocks(self, layers: int) -> None:
        tower = random_model(layers=layers).vision
        embedded = tower.embed(pixels())
        single = embedded.tokens[:, [0, 1, 2, 6, 7]]  # the first window of 2x2
        expected = tower.project(tower.run_blocks(StemOutput(single, (2, 2), {}), taps=(layers,)).image)
        assert close(tower.windows(embedded, 2)[:, 0], expected, 5e-6)

    def test_a_window_larger_than_the_grid_is_refused(self, tower: ClipTower) -> None:
        with pytest.raises(UsageError, match="a window of 6x6 patches does not fit a grid of 5x5 patches"):
            tower.windows(tower.embed(pixels()), 6)

    def test_the_index_counts_by_top_left_corner(self) -> None:
        assert window_index((3, 4), 2).tolist() == [
            [0, 1, 4, 5], [1, 2, 5, 6], [2, 3, 6, 7], [4, 5, 8, 9], [5, 6, 9, 10], [6, 7, 10, 11],
        ]  # fmt: skip


class TestNoState:
    def ask_everything(self, tower: ClipTower, seed: int) -> list[Tensor]:
        size = 40 + 8 * (seed % 3)
        embedded = tower.embed(pixels(size, size, seed=seed), "bicubic" if seed % 2 else "bilinear")
        features: VisionFeatures = tower.run_blocks(embedded, taps=(1, 3), local_taps=(2, 3), local_from=2)
        return [features.image, features.taps[1], features.local[3], tower.windows(embedded, 2)]

    def test_the_weights_are_untouched_by_every_call(self, tower: ClipTower) -> None:
        before = {name: value.clone() for name, value in tower.state_dict().items()}
        for seed in range(3):
            self.ask_everything(tower, seed)
        after = tower.state_dict()
        assert list(after) == list(before)
        assert all(torch.equal(after[name], value) for name, value in before.items())
        assert not any(parameter.requires_grad for parameter in tower.parameters())

    def test_threads_get_what_one_caller_gets(self, tower: ClipTower) -> None:
        alone = [self.ask_everything(tower, seed) for seed in range(12)]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda seed: self.ask_everything(tower, seed), range(12)))
        for expected, found in zip(alone, together, strict=True):
            assert all(close(a, b, 1e-6) for a, b in zip(found, expected, strict=True))


class TestGradients:
    @pytest.fixture
    def model(self) -> ClipTower:
        return random_model(seed=4).vision

    def test_they_flow_through_a_pass_to_the_tokens(self, model: ClipTower) -> None:
        embedded = model.embed(pixels())
        tokens = embedded.tokens.requires_grad_()
        features = model.run_blocks(embedded, taps=(2,), local_taps=(3,), local_from=2)
        (features.image.square().sum() + features.local[3].square().sum() + features.taps[2].sum()).backward()
        assert tokens.grad is not None
        assert (tokens.grad.abs().sum(dim=(1, 2)) > 0).all()

    def test_they_flow_to_the_weights_when_these_learn(self, model: ClipTower) -> None:
        model.requires_grad_()
        features = model.run_blocks(model.embed(pixels()), local_taps=(3,))
        (model.project(features.image).square().sum() + model.project(features.local[3]).square().sum()).backward()
        without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
        assert without == []


class ImageGraph(torch.nn.Module):
    """What a zero-shot method takes of the tower."""

    def __init__(self, tower: ClipTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        embedded = self.tower.embed(pixels)
        last = self.tower.config.layers
        features = self.tower.run_blocks(embedded, taps=(1,), local_taps=(last,), local_from=2)
        local = self.tower.project(features.local_patches(last))
        return self.tower.embed_image(features.image), features.patches(1), local, self.tower.windows(embedded, 2)


@pytest.mark.parametrize("model", ["plain", "embedded"])
def test_torch_export_takes_it_with_any_batch(model: str, embedded_folder: Path) -> None:
    if model == "plain":
        tower, size = random_model().vision, (48, 32)
    else:
        tower, size = load_backbone(embedded_folder, device="cpu").vision, (64, 80)
    graph = ImageGraph(tower).eval()
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    exported = torch.export.export(graph, (pixels(*size),), dynamic_shapes=shapes).module()
    with torch.no_grad():
        for images in (1, 2, 5):
            given = pixels(*size, batch=images, seed=images)
            for ours, expected in zip(exported(given), graph(given), strict=True):
                assert close(ours, expected)
