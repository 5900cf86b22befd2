"""Masks as Label Studio's brush draws them: runs of bits, of which its own package reads the same.

32 bits: how many values follow once they are unpacked (4 a pixel: red, green, blue, opacity). 5 bits: how many bits a value has,
less 1. 4 x 4 bits: how many bits each of four kinds of lengths has, less 1. Then blocks: 1 bit, whether the block is one value many
times; 2 bits, the kind of its length; the length less 1; the value, or the values. The last byte is filled up. (The format is
rle-pack of thi.ng/umbrella, Apache-2.0.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SIZES = (3, 4, 8, 16)
_VALUE_BITS = 8
_HALF = 128
"""The opacity from which on a pixel counts: the edge of a brush is soft."""


def pack_brush(mask: NDArray[np.bool_]) -> list[int]:
    """The bytes of a mask, bool [height, width]."""
    pixels = mask.ravel()
    ends = np.flatnonzero(np.diff(pixels)) + 1
    bounds = np.concatenate([[0], ends, [len(pixels)]])
    bits = [f"{4 * len(pixels):032b}", f"{_VALUE_BITS - 1:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    for start, length in zip(bounds[:-1].tolist(), np.diff(bounds).tolist(), strict=True):
        value = f"{255 if pixels[start] else 0:08b}"
        left = 4 * length
        while left:
            part = min(left, 1 << _SIZES[-1])
            kind = next(kind for kind, size in enumerate(_SIZES) if part <= 1 << size)
            bits.append(f"1{kind:02b}{part - 1:0{_SIZES[kind]}b}{value}")
            left -= part
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def unpack_brush(packed: Sequence[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask, bool [height, width], of the bytes of a brush. size: (width, height).

    Raises:
        ValueError: They are no such bytes, or of an image of another size.
    """
    width, height = size
    try:
        bits = _Bits(bytes(packed))
    except (ValueError, TypeError) as error:
        raise ValueError("has no runs that are bytes") from error
    if bits.number(32) != 4 * width * height:
        raise ValueError(f"is not of an image of {width} x {height} pixels")
    value_bits = bits.number(5) + 1
    sizes = [bits.number(4) + 1 for _ in range(4)]
    values = np.zeros(4 * width * height, np.uint8)
    if value_bits != _VALUE_BITS:
        raise ValueError("has runs of values that are not bytes")
    at = 0
    while at < len(values):
        repeats = bits.number(1)
        count = bits.number(sizes[bits.number(2)]) + 1
        values[at : at + count] = bits.number(8) if repeats else bits.values(count)[: len(values) - at]
        at += count
    opaque: NDArray[np.bool_] = values.reshape(height, width, 4)[:, :, 3] >= _HALF
    return opaque


class _Bits:
    """Numbers out of bytes, bit by bit. Raises `ValueError` where they end."""

    def __init__(self, packed: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(packed, np.uint8))
        self._at = 0

    def number(self, count: int) -> int:
        """The next number, of so many bits."""
        number = 0
        for bit in self._next(count).tolist():
            number = 2 * number + bit
        return number

    def values(self, count: int) -> NDArray[np.uint8]:
        """So many bytes."""
        return np.packbits(self._next(8 * count))

    def _next(self, count: int) -> NDArray[np.uint8]:
        if self._at + count > len(self._bits):
            raise ValueError("has runs that are cut short")
        self._at += count
        return self._bits[self._at - count : self._at]
