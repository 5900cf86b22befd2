"""Masks of Label Studio's brush: its own package is what they are held against."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from oddlens.data.brush import pack_brush, unpack_brush


def masks() -> list[NDArray[np.bool_]]:
    """None, all, noise, a block with long runs, single pixels."""
    generator = np.random.default_rng(0)
    block = np.zeros((300, 401), np.bool_)
    block[20:280, 50:350] = True
    dots = np.zeros((31, 17), np.bool_)
    dots[::2, ::3] = True
    return [np.zeros((9, 7), np.bool_), np.ones((250, 200), np.bool_), generator.random((40, 53)) > 0.6, block, dots]


@pytest.mark.parametrize("mask", masks(), ids=["none", "all", "noise", "block", "dots"])
def test_a_mask_comes_back(mask: NDArray[np.bool_]) -> None:
    assert np.array_equal(unpack_brush(pack_brush(mask), mask.shape[::-1]), mask)


@pytest.mark.parametrize("mask", masks(), ids=["none", "all", "noise", "block", "dots"])
def test_label_studios_own_package_reads_and_writes_the_same(mask: NDArray[np.bool_]) -> None:
    brush = pytest.importorskip("label_studio_sdk.converter.brush", reason="label-studio-sdk is not installed")
    theirs = brush.decode_rle(pack_brush(mask)).reshape(*mask.shape, 4)
    assert np.array_equal(theirs, np.repeat(255 * mask[:, :, None].astype(np.uint8), 4, axis=2))
    assert np.array_equal(unpack_brush(brush.mask2rle(255 * mask.astype(np.uint8)), mask.shape[::-1]), mask)


def test_values_one_by_one_are_read_too_and_soft_edges_count_from_the_half() -> None:
    """What the page in a browser writes: here 4 pixels, three as values one by one, one as a run."""
    values = [0, 0, 0, 127, 0, 0, 0, 128, 9, 9, 9, 255]
    bits = f"{16:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    bits += f"0{1:02b}{len(values) - 1:04b}" + "".join(f"{each:08b}" for each in values)
    bits += f"1{0:02b}{3:03b}{255:08b}"
    bits += "0" * (-len(bits) % 8)
    packed = list(int(bits, 2).to_bytes(len(bits) // 8, "big"))
    assert unpack_brush(packed, (2, 2)).tolist() == [[False, True], [True, True]]


@pytest.mark.parametrize(
    ("packed", "size", "said"),
    [
        ([], (2, 2), "cut short"),
        (pack_brush(np.ones((2, 2), np.bool_)), (3, 2), "not of an image of 3 x 2 pixels"),
        (pack_brush(np.ones((20, 20), np.bool_))[:-1], (20, 20), "cut short"),
        ([300], (2, 2), "no runs that are bytes"),
        (["a"], (2, 2), "no runs that are bytes"),
    ],
)
def test_what_is_no_brush_is_refused(packed: list[int], size: tuple[int, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        unpack_brush(packed, size)


@given(st.binary(max_size=60))
def test_any_bytes_give_a_mask_or_are_refused(packed: bytes) -> None:
    head = pack_brush(np.zeros((3, 3), np.bool_))[:7]
    with suppress(ValueError):
        assert unpack_brush([*head, *packed], (3, 3)).shape == (3, 3)
