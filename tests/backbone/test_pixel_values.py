"""Preprocessing gives the authors' own numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from oddlens.backbone.pixel_values import to_tensor

PARITY = Path(__file__).parents[3] / "shared" / "parity"
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.skipif(not PARITY.is_dir(), reason="needs ../shared/parity")
@pytest.mark.parametrize("method", ["april_gan", "anomalyclip"])
def test_the_tensor_is_that_of_the_authors_programs(method: str) -> None:
    case = np.load(PARITY / method / "case.npz")
    tensor = to_tensor(list(case["raw_uint8"]), (70, 70), CLIP_MEAN, CLIP_STD)
    assert tensor.dtype == torch.float32
    np.testing.assert_allclose(tensor.numpy(), case["pixel_values"], atol=1e-6, rtol=0)


@pytest.mark.skipif(not PARITY.is_dir(), reason="needs ../shared/parity")
def test_a_picture_of_the_right_size_gives_the_tensor_of_anovls_program() -> None:
    case = np.load(PARITY / "anovl" / "case.npz")
    tensor = to_tensor(list(case["raw_uint8"]), (80, 80), CLIP_MEAN, CLIP_STD)
    np.testing.assert_allclose(tensor.numpy(), case["img"], atol=1e-6, rtol=0)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_a_picture_of_the_right_size_is_not_resampled(height: int, width: int, seed: int) -> None:
    pixels = noise(height, width, seed)
    tensor = to_tensor([pixels], (height, width), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert np.array_equal((tensor[0].permute(1, 2, 0) * 255).round().numpy().astype(np.uint8), pixels)


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(["bicubic", "bilinear"]))
def test_other_pictures_are_resized_by_pillow_without_keeping_their_aspect(
    height: int, width: int, interpolation: str
) -> None:
    pixels = noise(height, width)
    filters = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
    expected = np.asarray(Image.fromarray(pixels).resize((24, 16), filters[interpolation]), dtype=np.float32) / 255
    tensor = to_tensor([pixels], (16, 24), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), interpolation)
    np.testing.assert_allclose(tensor[0].permute(1, 2, 0).numpy(), expected, atol=1e-7)


def test_pictures_of_different_sizes_make_one_contiguous_batch_in_order() -> None:
    pictures = [noise(9, 30), noise(16, 16), noise(50, 7)]
    batch = to_tensor(pictures, (16, 16), CLIP_MEAN, CLIP_STD)
    assert batch.shape == (3, 3, 16, 16)
    assert batch.is_contiguous()
    for row, pixels in zip(batch, pictures, strict=True):
        assert torch.equal(row, to_tensor([pixels], (16, 16), CLIP_MEAN, CLIP_STD)[0])


def test_no_pictures_make_an_empty_batch() -> None:
    assert to_tensor([], (16, 24), CLIP_MEAN, CLIP_STD).shape == (0, 3, 16, 24)


def test_read_only_pixels_are_fine_and_stay_as_they_are() -> None:
    pixels = noise(16, 16)
    before = pixels.copy()
    pixels.flags.writeable = False
    to_tensor([pixels, pixels], (16, 16), CLIP_MEAN, CLIP_STD)
    assert np.array_equal(pixels, before)
