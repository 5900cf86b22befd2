"""Pixels of any kind become RGB uint8 by rules that do not depend on the image."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from oddlens.io.pixels import UnreadableError, rgb_from_array, rgb_from_pil

SIZES = st.integers(1, 12)


def rgb_arrays() -> st.SearchStrategy[np.ndarray]:
    return st.tuples(SIZES, SIZES).flatmap(lambda size: hnp.arrays(np.uint8, (*size, 3)))


@given(rgb_arrays())
def test_uint8_rgb_is_taken_as_it_is_without_a_copy(values: np.ndarray) -> None:
    rgb = rgb_from_array(values, [])
    assert np.array_equal(rgb, values)
    assert np.shares_memory(rgb, values)


@given(rgb_arrays())
def test_16_bit_copies_of_8_bit_values_come_back_exactly(values: np.ndarray) -> None:
    for factor in (256, 257):
        assert np.array_equal(rgb_from_array(values.astype(np.uint16) * factor, []), values)


@given(rgb_arrays(), st.sampled_from([np.float32, np.float64]))
def test_float_copies_of_8_bit_values_come_back_exactly(values: np.ndarray, dtype: type) -> None:
    assert np.array_equal(rgb_from_array(values.astype(dtype) / 255, []), values)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_grey_is_repeated_in_the_three_channels(shape: tuple[int, ...]) -> None:
    grey = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    rgb = rgb_from_array(grey, [])
    assert rgb.shape == (5, 7, 3)
    assert np.array_equal(rgb, np.broadcast_to(grey.reshape(5, 7, 1), (5, 7, 3)))


def test_strided_views_and_other_byte_orders_are_fine() -> None:
    values = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    assert np.array_equal(rgb_from_array(values[::2, ::-1], []), values[::2, ::-1])
    assert np.array_equal(rgb_from_array(values.astype(">u2") * 256, []), values)


def test_transparent_pixels_turn_white_half_transparent_ones_half_white_and_opaque_ones_stay() -> None:
    notes: list[str] = []
    values = np.array([[[10, 20, 30, 0], [10, 20, 30, 128], [10, 20, 30, 255]]], dtype=np.uint8)
    rgb = rgb_from_array(values, notes)
    assert rgb[0, 0].tolist() == [255, 255, 255]
    np.testing.assert_allclose(rgb[0, 1], [132, 137, 142], atol=1)
    assert rgb[0, 2].tolist() == [10, 20, 30]
    assert notes == ["transparent parts shown on white"]


def test_an_opaque_alpha_channel_changes_nothing_and_is_not_worth_a_note() -> None:
    notes: list[str] = []
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    values[..., 3] = 255
    assert np.array_equal(rgb_from_array(values, notes), values[..., :3])
    assert notes == []


def test_a_note_says_that_16_bit_values_were_reduced() -> None:
    notes: list[str] = []
    rgb_from_array(np.full((2, 2), 65535, dtype=np.uint16), notes)
    assert notes == ["16-bit values reduced to their high byte"]


def test_a_note_warns_of_a_12_bit_camera_whose_picture_is_nearly_black() -> None:
    notes: list[str] = []
    rgb_from_array(np.full((2, 2), 4095, dtype=np.uint16), notes)
    assert "only the lower 12 bits are in use" in notes[0]


def test_opacity_is_no_brightness() -> None:
    """Of a 12-bit camera's image with an opacity channel the colours are as dark, and what is transparent does not count."""
    values = np.full((2, 2, 4), 4095, np.uint16)
    values[..., 3] = 65535
    values[0, 0] = (65535, 65535, 65535, 0)
    notes: list[str] = []
    rgb_from_array(values, notes)
    assert "only the lower 12 bits are in use" in notes[0]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.zeros((3, 8, 8), np.uint8), r"has the shape \(3, 8, 8\): give \[height, width\] or"),
        (np.zeros((2, 8, 8, 3), np.uint8), r"has the shape \(2, 8, 8, 3\): give"),
        (np.zeros(8, np.uint8), r"has the shape \(8,\): give"),
        (np.zeros((0, 8, 3), np.uint8), r"has no pixels \(shape \(0, 8, 3\)\): give at least one"),
        (np.zeros((8, 8), np.int64), r"has int64 values: give uint8 \(0\.\.255\), uint16"),
        (np.zeros((8, 8), bool), r"has bool values: give uint8"),
        (np.full((8, 8), 1.5), r"has float values from 1.5 to 1.5, but they must lie in 0\.\.1: divide them by"),
        (np.full((8, 8), -0.1), r"has float values from -0.1 to -0.1, but"),
        (np.array([[0.5, np.nan]]), "has values that are NaN or infinite: replace them"),
        (np.array([[0.5, np.inf]]), "has values that are NaN or infinite: replace them"),
    ],
)
def test_an_array_that_is_no_picture_is_refused_with_what_to_give(values: np.ndarray, sentence: str) -> None:
    with pytest.raises(UnreadableError, match=f"^{sentence}"):
        rgb_from_array(values, [])


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"]
)
def test_every_8_bit_mode_of_pillow_keeps_a_black_and_white_picture(mode: str) -> None:
    grey = np.zeros((4, 6), np.uint8)
    grey[:, 3:] = 255
    image = Image.fromarray(grey)
    for step in {"La": ["LA"], "PA": ["P"], "RGBa": ["RGBA"], "HSV": ["RGB"], "YCbCr": ["RGB"], "RGBX": ["RGB"]}.get(
        mode, []
    ):
        image = image.convert(step)
    rgb = rgb_from_pil(image.convert(mode), [])
    assert rgb.dtype == np.uint8
    assert np.array_equal(rgb, np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_16_bit_modes_of_pillow_keep_their_high_byte(mode: str) -> None:
    values = np.array([[0, 255, 256, 65535]], dtype=np.uint16 if mode == "I;16" else np.int32)
    assert rgb_from_pil(Image.fromarray(values), [])[0, :, 0].tolist() == [0, 0, 1, 255]


def test_whole_numbers_beyond_16_bits_are_refused() -> None:
    with pytest.raises(UnreadableError, match=re.escape("has whole numbers from -1 to 70000: scale them to 0..65535")):
        rgb_from_pil(Image.fromarray(np.array([[-1, 70000]], dtype=np.int32)), [])


def test_a_float_image_of_pillow_follows_the_rule_for_floats() -> None:
    assert rgb_from_pil(Image.fromarray(np.array([[0, 0.5, 1]], dtype=np.float32)), [])[0, :, 0].tolist() == [
        0,
        128,
        255,
    ]


def test_a_palette_with_a_transparent_colour_is_shown_on_white() -> None:
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).convert("P")
    image.info["transparency"] = int(np.asarray(image)[0, 0])
    assert rgb_from_pil(image, [])[0, 0].tolist() == [255, 255, 255]


def test_cmyk_is_converted_with_a_note() -> None:
    notes: list[str] = []
    assert rgb_from_pil(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), notes).tolist() == [[[255, 0, 0]]]
    assert notes == ["CMYK colours converted without their profile"]
