"""The mask decoder: how it starts, what its parts compute, and what it does not mix up."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerMaskedAttentionDecoderLayer,
    Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention,
)

from oddlens.methods.vl4ad.decoder_network import LinearHead, MaskDecoder, Pyramid, WordHead
from oddlens.methods.vl4ad.decoder_shape import DecoderShape
from tests.small_streets import LINEAR, SHAPE

STRIDES, CHANNELS = (4, 8, 16, 32), (8, 16, 24, 32)


def drawn(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


def maps(batch: int = 2, height: int = 64, width: int = 96) -> list[Tensor]:
    sizes = zip(STRIDES, CHANNELS, strict=True)
    return [drawn(batch, channels, height // stride, width // stride, seed=stride) for stride, channels in sizes]


def decoder(shape: DecoderShape = SHAPE, classes: int = 0) -> MaskDecoder:
    torch.manual_seed(0)
    return MaskDecoder(shape, STRIDES, CHANNELS, embed_dim=24, classes=classes)


class TestStart:
    """Transformers starts these parts within its own models only: outside of them some hold whatever the memory held."""

    def test_everything_has_a_value_and_the_same_seed_gives_the_same(self) -> None:
        torch.full((1 << 20,), 1e30)  # memory that is likely given again
        first, second = decoder().state_dict(), decoder().state_dict()
        for name, value in first.items():
            assert value.abs().max() < 6, name
            assert torch.equal(value, second[name]), name

    def test_the_level_embedding_is_drawn(self) -> None:
        assert 0.6 < float(decoder().pixels.level_embed.detach().std()) < 1.4

    def test_each_head_of_deformable_attention_looks_its_own_way(self) -> None:
        (attention,) = (
            module
            for module in decoder().modules()
            if isinstance(module, Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention)
        )
        offsets = attention.sampling_offsets.bias.detach().view(attention.n_heads, 3, 4, 2)
        for head in range(attention.n_heads):
            angle = 2 * math.pi * head / attention.n_heads
            way = torch.tensor([math.cos(angle), math.sin(angle)])
            way = way / way.abs().max()
            for point in range(4):
                torch.testing.assert_close(offsets[head, 1, point], (point + 1) * way)
        for part in (attention.sampling_offsets.weight, attention.attention_weights.weight):
            assert not part.any()
        assert float(attention.value_proj.weight.detach().abs().max()) > 0.25  # Xavier's bound is 0.306

    def test_the_decoders_layers_are_drawn_by_xavier(self) -> None:
        layers = [each for each in decoder().modules() if isinstance(each, Mask2FormerMaskedAttentionDecoderLayer)]
        assert len(layers) == SHAPE.layers
        for name, value in layers[0].named_parameters():
            if value.ndim > 1:
                bound = math.sqrt(6 / sum(value.shape))
                assert 0.9 * bound < float(value.detach().abs().max()) <= bound, name


class TestNetwork:
    def test_every_layer_predicts_and_the_last_one_alone_where_asked(self) -> None:
        network = decoder().eval()
        with torch.no_grad():
            layers = network(maps())
            (last,) = network(maps(), last_only=True)
        assert len(layers) == SHAPE.layers + 1
        assert {tuple(each.masks.shape) for each in layers} == {(2, 6, 16, 24)}
        assert {tuple(each.classes.shape) for each in layers} == {(2, 6, 24)}
        assert torch.equal(last.masks, layers[-1].masks)
        assert torch.equal(last.classes, layers[-1].classes)
        assert not torch.allclose(layers[0].masks, last.masks)

    @pytest.mark.parametrize("queries", [1, 6])
    def test_frames_of_a_batch_do_not_touch_each_other(self, queries: int) -> None:
        network = decoder(DecoderShape(queries, 2, 32, 2, 32, 1, 32)).eval()
        with torch.no_grad():
            (both,) = network(maps(), last_only=True)
            for number in range(2):
                (alone,) = network([each[number : number + 1] for each in maps()], last_only=True)
                torch.testing.assert_close(alone.masks[0], both.masks[number], rtol=1e-4, atol=1e-5)
                torch.testing.assert_close(alone.classes[0], both.classes[number], rtol=1e-4, atol=1e-5)

    def test_a_class_embedding_is_of_unit_norm_and_a_linear_head_gives_logits(self) -> None:
        with torch.no_grad():
            (words,) = decoder()(maps(), last_only=True)
            (linear,) = decoder(LINEAR, classes=5)(maps(), last_only=True)
        torch.testing.assert_close(words.classes.norm(dim=-1), torch.ones(2, 6))
        assert linear.classes.shape == (2, 6, 5 + 1)

    def test_everything_in_it_learns(self) -> None:
        network = decoder()
        layers = network(maps())
        sum(each.masks.square().sum() + each.classes[..., 0].sum() for each in layers).backward()
        still = [name for name, value in network.named_parameters() if value.grad is None]
        assert still == ["head.logit_scale", "head.void.weight"]  # these come with the logits


class TestPyramid:
    def test_a_tower_with_a_pyramid_keeps_its_own(self) -> None:
        pyramid = Pyramid(STRIDES, CHANNELS, 32)
        assert pyramid.channels == list(CHANNELS)
        assert not list(pyramid.parameters())
        assert all(map(torch.equal, pyramid(maps()), maps()))

    @pytest.mark.parametrize("strides", [(8,), (16,), (32,), (8, 16)])
    def test_from_fewer_maps_all_four_scales_are_made(self, strides: tuple[int, ...]) -> None:
        given = [drawn(2, 10 * stride, 128 // stride, 64 // stride) for stride in strides]
        pyramid = Pyramid(strides, [10 * stride for stride in strides], 32)
        made = pyramid(given)
        assert [tuple(each.shape[-2:]) for each in made] == [(32, 16), (16, 8), (8, 4), (4, 2)]
        assert [each.shape[1] for each in made] == pyramid.channels
        for stride, one in zip(strides, given, strict=True):
            assert torch.equal(made[(4, 8, 16, 32).index(stride)], one)


class TestWordHead:
    def test_an_embedding_comes_of_the_query_and_of_the_features_under_its_mask(self) -> None:
        torch.manual_seed(0)
        head = WordHead(32, 24)
        queries, masks, features = drawn(1, 3, 32), drawn(1, 3, 4, 5, seed=1), drawn(1, 32, 4, 5, seed=2)
        masks[0, 1] = -1.0  # a mask without a pixel
        with torch.no_grad():
            found = head(queries, masks, features)
            for number in range(3):
                inside = features[0][:, masks[0, number] > 0]
                under = inside.mean(dim=1) if inside.numel() else torch.zeros(32)
                x = head.pool(F.layer_norm(under, (32,))) + queries[0, number]
                for layer in range(3):
                    linear = head.embed.layers[layer].layers[0]
                    x = linear(x) if layer == 2 else linear(x).relu()
                torch.testing.assert_close(found[0, number], x / x.norm())

    def test_a_class_is_as_near_as_the_nearest_of_its_words_and_void_comes_last(self) -> None:
        head = WordHead(32, 24)
        embeddings, words = F.normalize(drawn(2, 3, 24), dim=-1), F.normalize(drawn(5, 24, seed=1), dim=-1)
        with torch.no_grad():
            found = head.logits(embeddings, words, torch.tensor([1, 0, 1, 2, 2]))
        cosines = embeddings @ words.T
        void = embeddings @ F.normalize(head.void.weight.detach()[0], dim=0)
        best = [cosines[..., 1], cosines[..., [0, 2]].amax(-1), cosines[..., [3, 4]].amax(-1), void]
        torch.testing.assert_close(found, torch.stack(best, dim=-1) / 0.07)

    def test_its_temperature_starts_as_clips_and_goes_no_lower_than_its_bound(self) -> None:
        head = WordHead(32, 24)
        assert float(head.temperature.detach()) == pytest.approx(0.07)
        with torch.no_grad():
            head.logit_scale.fill_(20.0)
        assert float(head.temperature.detach()) == pytest.approx(0.01)


def test_a_linear_heads_logits_are_its_own() -> None:
    head = LinearHead(32, 4)
    queries = drawn(1, 3, 32)
    found = head(queries, drawn(1, 3, 4, 5), drawn(1, 32, 4, 5))
    torch.testing.assert_close(found, queries @ head.classes.weight.T + head.classes.bias)
    assert head.logits(found, torch.empty(0), torch.empty(0)) is found
    assert float(head.temperature) == 1
