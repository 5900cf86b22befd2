"""The embedded model's stem: the published weights, folded, against the plain network with its batch norms."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.efficientnet import EfficientNetTrunk, HybridStem, trunk_file, trunk_tensors
from oddlens.backbone.weights_file import read_tensors
from tests.tiny_clip import randomise

# Blocks 0 to 14 of EfficientNet-B0's table: stride and kernel of each.
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1)
KERNELS = (3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5)


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    return read_tensors(trunk_file())


@pytest.fixture(scope="module")
def trunk(published: dict[str, Tensor]) -> EfficientNetTrunk:
    trunk = EfficientNetTrunk()
    trunk.load_state_dict(trunk_tensors(published))
    return trunk.requires_grad_(False)


def plain(published: dict[str, Tensor], pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The network as its paper has it: TensorFlow's "same" padding, convolution, batch norm, ReLU6."""

    def convolve(x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        weight = published[f"{conv}.weight"]
        kernel = weight.shape[-1]
        padded = []
        for size in (x.shape[3], x.shape[2]):
            outputs = -(-size // stride)
            missing = max((outputs - 1) * stride + kernel - size, 0)
            padded += [missing // 2, missing - missing // 2]
        groups = 1 if weight.shape[1] > 1 or x.shape[1] == 1 else len(weight)
        x = F.conv2d(F.pad(x, padded), weight, None, stride, groups=groups)
        mean, variance = published[f"{norm}.running_mean"], published[f"{norm}.running_var"]
        return F.batch_norm(x, mean, variance, published[f"{norm}.weight"], published[f"{norm}.bias"], eps=1e-3)

    x = F.relu6(convolve(pixels, "_conv_stem", "_bn0", 2))
    after = []
    for number, (stride, kernel) in enumerate(zip(STRIDES, KERNELS, strict=True)):
        name = f"_blocks.{number}."
        inner = x if number == 0 else F.relu6(convolve(x, f"{name}_expand_conv", f"{name}_bn0"))
        assert published[f"{name}_depthwise_conv.weight"].shape[-1] == kernel
        inner = F.relu6(convolve(inner, f"{name}_depthwise_conv", f"{name}_bn1", stride))
        inner = convolve(inner, f"{name}_project_conv", f"{name}_bn2")
        x = x + inner if x.shape == inner.shape else inner
        after.append(x)
    return after[4], after[10], after[14]


@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
def test_the_folded_trunk_is_the_published_network(
    trunk: EfficientNetTrunk, published: dict[str, Tensor], size: tuple[int, int]
) -> None:
    pixels = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    for ours, theirs, stride in zip(trunk(pixels), plain(published, pixels)[:2], (8, 16), strict=True):
        assert ours.shape[2:] == (size[0] // stride, size[1] // stride)
        assert torch.allclose(ours, theirs, atol=1e-4 * float(theirs.abs().max()))


def test_images_run_one_after_another_and_their_numbers_do_not_know_their_batch(trunk: EfficientNetTrunk) -> None:
    pixels = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    lengths: list[int] = []
    watch = trunk.first.register_forward_hook(lambda module, given, made: lengths.append(len(made)))
    try:
        together = trunk(pixels)
    finally:
        watch.remove()
    assert lengths == [1, 1, 1]
    for number, image in enumerate(torch.split(pixels, 1)):
        for whole, alone in zip(together, trunk(image), strict=True):
            assert torch.equal(whole[number], alone[0])


@pytest.fixture(scope="module")
def stem() -> HybridStem:
    """The whole stem with random weights."""
    stem = HybridStem(width=24)
    randomise(stem)
    return stem.requires_grad_(False)


class TestStem:
    def test_raw_features_are_two_parts_of_unit_length(self, stem: HybridStem) -> None:
        stemmed = stem(torch.randn(2, 3, 48, 64, generator=torch.Generator().manual_seed(1)))
        assert stemmed.tokens.shape == (2, 24, 3, 4)
        raw = stemmed.raw["stem"]
        assert raw.shape == (2, 4 * 40 + 112, 3, 4)
        assert torch.allclose(raw[:, :160].norm(dim=1), torch.ones(2, 3, 4), atol=1e-5)
        assert torch.allclose(raw[:, 160:].norm(dim=1), torch.ones(2, 3, 4), atol=1e-5)

    def test_a_tokens_fine_cells_are_those_of_its_patch(self, stem: HybridStem) -> None:
        fine, coarse = torch.rand(1, 40, 6, 8), torch.rand(1, 112, 3, 4)
        raw = stem.from_features(fine, coarse).raw["stem"]
        cells = fine[0, :, 2:4, 4:6].flatten()  # patch (1, 2)
        assert torch.allclose(raw[0, :160, 1, 2], cells / cells.norm(), atol=1e-6)

    def test_a_remainder_smaller_than_a_patch_is_left_out(self, stem: HybridStem) -> None:
        pixels = torch.randn(1, 3, 63, 50, generator=torch.Generator().manual_seed(2))
        assert torch.equal(stem(pixels).tokens, stem(pixels[:, :, :48, :48]).tokens)


class TestTaps:
    def test_they_are_the_published_networks_stages(self, published: dict[str, Tensor]) -> None:
        stem = HybridStem(width=24)
        stem.trunk.load_state_dict(trunk_tensors(published))
        pixels = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            raw = stem(pixels).raw
            for name, theirs in zip(("s3", "s5", "s6"), plain(published, pixels), strict=True):
                ours = stem.tap(name, raw)
                assert ours.shape == theirs.shape
                assert torch.allclose(ours, theirs, atol=1e-4 * float(theirs.abs().max()))

    def test_stage_6_is_loaded_where_it_is_tapped_and_once(self) -> None:
        stem = HybridStem(width=24)
        with torch.inference_mode():
            raw = stem(torch.rand(1, 3, 64, 64)).raw
            stem.load_taps(("stem", "s3", "s5"))
            stem.tap("s5", raw)
            assert stem.stage_6 is None
            stem.tap("s6", raw)
        loaded = stem.stage_6
        stem.load_taps(("s6",))
        assert stem.stage_6 is loaded
        assert loaded is not None
        assert not any(each.requires_grad or each.is_inference() for each in loaded.parameters())
