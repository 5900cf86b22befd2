"""SigLIP's towers against transformers' own: image and text embeddings, patch tokens, the local stream, windows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.layouts import siglip
from oddlens.backbone.model import Model
from oddlens.backbone.options import Capabilities
from oddlens.backbone.siglip import SiglipText, SiglipTower
from oddlens.backbone.tower import StemOutput, window_index
from oddlens.errors import UsageError
from tests.tiny_siglip import CONTEXT, LAYERS, WIDTH, gemma_tokenizer, siglip_tokenizer_file, their_siglip, write_siglip

ALL = tuple(range(1, LAYERS + 1))


@dataclass(frozen=True)
class Pair:
    """One model, in their program and in ours."""

    theirs: Any
    ours: Model


@pytest.fixture(scope="module", params=[("siglip", 5), ("siglip2", 6)], ids=["SigLIP, odd grid", "SigLIP 2, even grid"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    kind, grid = request.param
    folder = tmp_path_factory.mktemp("theirs")
    theirs = their_siglip(kind, grid)
    theirs.save_pretrained(folder)
    (gemma_tokenizer() if kind == "siglip2" else siglip_tokenizer_file()).save(str(folder / "tokenizer.json"))
    return Pair(theirs, siglip.read(folder).model)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """40 px, a 5x5 grid."""
    return siglip.read(write_siglip(tmp_path_factory.mktemp("model"))).model


@pytest.fixture(scope="module")
def tower(model: Model) -> SiglipTower:
    return model.vision


def pixels(height: int = 40, width: int = 40, batch: int = 2, seed: int = 3) -> Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def close(ours: Tensor, theirs: Tensor, tolerance: float = 1e-5) -> bool:
    return ours.shape == theirs.shape and bool((ours - theirs).abs().max() <= tolerance)


class TestImages:
    @torch.no_grad()
    @pytest.mark.parametrize("size", [(40, 40), (48, 48), (64, 64), (24, 56), (16, 8)])
    def test_image_and_patch_tokens_are_theirs_at_any_size(self, pair: Pair, size: tuple[int, int]) -> None:
        expected = pair.theirs.vision_model(pixels(*size), interpolate_pos_encoding=True, output_hidden_states=True)
        tower = pair.ours.vision
        embedded = tower.embed(pixels(*size))
        features = tower.run_blocks(embedded, taps=ALL)
        assert features.grid == (size[0] // 8, size[1] // 8)
        assert close(embedded.tokens, expected.hidden_states[0])
        for block in ALL:
            assert close(features.patches(block), expected.hidden_states[block])
        assert close(tower.normed(features.patches(LAYERS)), expected.last_hidden_state)
        assert close(tower.embed_image(features.image), expected.pooler_output)

    @torch.no_grad()
    def test_a_patch_alone_is_projected_as_the_head_pools_it_alone(self, pair: Pair) -> None:
        theirs, tower = pair.theirs.vision_model, pair.ours.vision
        tokens = tower.run_blocks(tower.embed(pixels()), taps=(2,), image=False).patches(2)
        alone = tokens.flatten(0, 1)[:, None]
        expected = theirs.head(theirs.post_layernorm(alone)).view(2, 25, WIDTH)
        assert close(tower.project(tokens), expected)
        assert close(tower.project(tokens[:, 0]), expected[:, 0])
        assert close(tower.project(tower.normed(tokens), norm=False), expected)

    @torch.no_grad()
    @pytest.mark.parametrize("start", ALL)
    def test_the_local_stream_adds_value_attention_from_any_block_on(self, pair: Pair, start: int) -> None:
        """Restated on their weights; the ordinary stream stays as it is."""
        theirs, tower = pair.theirs.vision_model, pair.ours.vision
        hidden = theirs(pixels(40, 40), interpolate_pos_encoding=True, output_hidden_states=True).hidden_states
        taps = range(start, LAYERS + 1)
        features = tower.run_blocks(tower.embed(pixels()), taps=ALL, local_taps=taps, local_from=start)
        assert list(features.local) == list(taps)
        local = hidden[start - 1]
        for block in taps:
            layer = theirs.encoder.layers[block - 1]
            v = layer.self_attn.v_proj(layer.layer_norm1(hidden[block - 1])).view(2, 25, 4, -1).transpose(1, 2)
            mixed = (v @ v.transpose(2, 3) / v.shape[-1] ** 0.5).softmax(dim=3) @ v
            local = local + layer.self_attn.out_proj(mixed.transpose(1, 2).flatten(2))
            assert close(features.local_patches(block), local)
        assert all(close(features.taps[block], hidden[block]) for block in ALL)

    @torch.no_grad()
    @pytest.mark.parametrize("size", [2, 3])
    def test_a_window_is_their_model_on_its_patches_alone(self, pair: Pair, size: int) -> None:
        theirs, tower = pair.theirs.vision_model, pair.ours.vision
        embedded = tower.embed(pixels(32, 40))
        windows = window_index(embedded.grid, size)
        found = tower.windows(embedded, size)
        assert found.shape == (2, (5 - size) * (6 - size), WIDTH)
        for number, patches in enumerate(windows):
            encoded = theirs.encoder(inputs_embeds=embedded.tokens[:, patches]).last_hidden_state
            assert close(found[:, number], theirs.head(theirs.post_layernorm(encoded)))

    @torch.no_grad()
    def test_windows_are_the_same_however_many_run_at_once(self, tower: SiglipTower) -> None:
        embedded = tower.embed(pixels())
        at_once = tower.windows(embedded, 3)
        assert close(tower.windows(embedded, 3, most_bytes=1), at_once)

    def test_a_window_that_does_not_fit_is_refused(self, tower: SiglipTower) -> None:
        with pytest.raises(UsageError, match="a window of 6x6 patches does not fit a grid of 5x5 patches"):
            tower.windows(tower.embed(pixels()), 6)


class TestRunBlocks:
    def test_what_the_tower_can_do_is_stated(self, tower: SiglipTower) -> None:
        assert tower.capabilities == Capabilities(patches=True, local=True, joint=True, windows=True)
        assert tower.prefix == 0

    @torch.no_grad()
    def test_without_the_image_it_ends_at_the_last_tap(
        self, tower: SiglipTower, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        embedded = tower.embed(pixels())
        whole = tower.run_blocks(embedded, taps=(1,), local_taps=(2,), local_from=2)
        for block in tower.blocks[2:]:
            monkeypatch.setattr(block, "forward", None)  # whoever calls it fails
        short = tower.run_blocks(embedded, taps=(1,), local_taps=(2,), local_from=2, image=False)
        assert torch.equal(short.taps[1], whole.taps[1])
        assert torch.equal(short.local[2], whole.local[2])
        with pytest.raises(UsageError, match="did not request the image embedding"):
            tower.embed_image(short.image)

    @torch.no_grad()
    def test_what_is_kept_is_not_written_to_by_later_blocks(self, tower: SiglipTower) -> None:
        embedded = tower.embed(pixels())
        before = embedded.tokens.clone()
        alone = tower.run_blocks(embedded, taps=(1,), image=False).taps[1]
        assert torch.equal(tower.run_blocks(embedded, taps=ALL).taps[1], alone)
        assert torch.equal(embedded.tokens, before)

    @pytest.mark.parametrize(
        ("taps", "local_taps", "local_from", "sentence"),
        [
            ((0,), (), 1, "layer 0 does not exist"),
            ((), (LAYERS + 1,), 1, f"this model has blocks 1 to {LAYERS}"),
            ((), (1,), 2, "the local stream starts at block 2: it has nothing after block 1"),
            (("stem",), (), 1, "no stem features named 'stem'"),
        ],
    )
    def test_taps_that_do_not_exist_are_refused(
        self, tower: SiglipTower, taps: tuple[Any, ...], local_taps: tuple[int, ...], local_from: int, sentence: str
    ) -> None:
        with pytest.raises(UsageError, match=sentence):
            tower.run_blocks(tower.embed(pixels()), taps, local_taps, local_from)

    def test_gradients_change_no_number(self, tower: SiglipTower) -> None:
        wanted = pixels().requires_grad_()
        made = tower.run_blocks(tower.embed(wanted), taps=ALL)
        made.image.sum().backward()
        assert wanted.grad is not None
        assert wanted.grad.abs().max() > 0
        with torch.no_grad():
            assert close(tower.run_blocks(tower.embed(pixels())).image, made.image.detach())

    @pytest.mark.parametrize("size", [(7, 40), (40, 7)])
    def test_a_picture_smaller_than_a_patch_is_refused(self, tower: SiglipTower, size: tuple[int, int]) -> None:
        with pytest.raises(UsageError, match=f"{size[1]}x{size[0]} pixels is smaller than one patch of 8 pixels"):
            tower.embed(torch.zeros(1, 3, *size))

    def test_a_remainder_smaller_than_a_patch_is_left_out(self, tower: SiglipTower) -> None:
        """so400m-patch14-384 has one at its own size."""
        picture = pixels(45, 47)
        assert torch.equal(tower.embed(picture).tokens, tower.embed(picture[:, :, :40, :40]).tokens)


def prompts(text: SiglipText, lengths: tuple[int, ...] = (3, 7, CONTEXT, 1)) -> tuple[Tensor, Tensor]:
    """Random ids, cut at the longest prompt, with rubbish behind the ends; and the ends."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, text.config.vocabulary, (len(lengths), max(lengths)), generator=generator)
    return ids, torch.tensor(lengths) - 1


class TestTexts:
    @torch.no_grad()
    def test_text_embeddings_are_theirs_of_prompts_padded_to_the_context(self, pair: Pair) -> None:
        text = pair.ours.text
        ids, ends = prompts(text)
        padded = ids.clone()
        for row, end in zip(padded, ends.tolist(), strict=True):
            row[end + 1 :] = text.config.pad
        expected = pair.theirs.get_text_features(padded)
        assert close(text(ids, ends), getattr(expected, "pooler_output", expected))

    @torch.no_grad()
    def test_it_does_not_matter_where_the_caller_cuts(self, model: Model) -> None:
        ids, ends = prompts(model.text)
        whole = model.text(ids, ends)
        for row, end in enumerate(ends.tolist()):
            assert close(model.text(ids[row : row + 1, : end + 1], ends[row : row + 1]), whole[row : row + 1])

    @torch.no_grad()
    def test_scores_are_theirs(self, pair: Pair) -> None:
        ours = pair.ours
        ids, ends = prompts(ours.text, (CONTEXT, CONTEXT))
        expected = pair.theirs(input_ids=ids, pixel_values=pixels(*2 * (ours.vision.config.image_size,)))
        image = ours.vision.embed_image(
            ours.vision.run_blocks(ours.vision.embed(pixels(*2 * (ours.vision.config.image_size,)))).image
        )
        cosine = F.normalize(image, dim=-1) @ F.normalize(ours.text(ids, ends), dim=-1).T
        assert close(cosine * ours.logit_scale.exp() + ours.logit_bias, expected.logits_per_image)

    def test_learned_prompts_are_refused(self, model: Model) -> None:
        with pytest.raises(UsageError, match="takes words, not learned prompts"):
            model.text.encode_embeddings(torch.zeros(1, 4, 32), torch.tensor([3]))


class ImageGraph(torch.nn.Module):
    """What a zero-shot method takes of the vision tower."""

    def __init__(self, tower: SiglipTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        embedded: StemOutput = self.tower.embed(pixels)
        features = self.tower.run_blocks(embedded, taps=(2,), local_taps=(LAYERS,), local_from=2)
        local = self.tower.project(features.local_patches(LAYERS))
        return self.tower.embed_image(features.image), features.patches(2), local, self.tower.windows(embedded, 2)


class TestExport:
    def test_torch_export_takes_the_vision_tower_with_any_batch(self, tower: SiglipTower) -> None:
        graph = ImageGraph(tower).eval()
        shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
        exported = torch.export.export(graph, (pixels(48, 32),), dynamic_shapes=shapes).module()
        with torch.no_grad():
            for images in (1, 2, 5):
                given = pixels(48, 32, batch=images, seed=images)
                for ours, expected in zip(exported(given), graph(given), strict=True):
                    assert close(ours, expected)

    def test_torch_export_takes_the_text_tower_with_any_batch(self, model: Model, tmp_path: Path) -> None:
        text = model.text.eval()
        batch = torch.export.Dim("batch", min=1, max=64)
        exported = torch.export.export(text, prompts(text), dynamic_shapes=({0: batch}, {0: batch})).module()
        with torch.no_grad():
            for lengths in ((CONTEXT,), (CONTEXT, 2), (5, CONTEXT, 1, 9, 2)):
                given = prompts(text, lengths)
                assert close(exported(*given), text(*given))
