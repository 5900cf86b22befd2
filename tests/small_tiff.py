"""TIFF files for tests that Pillow does not write: any number of bits, float values, bands beyond the colours, many pages."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHORT, LONG = 3, 4
_FORMATS = {SHORT: "H", LONG: "I"}


def write_tiff(
    values: NDArray[Any],
    bits: int = 32,
    *,
    photometric: int | None = None,
    extra: int | None = None,
    orientation: int = 1,
    order: str = "<",
    pages: int = 1,
) -> bytes:
    """An uncompressed TIFF of [h, w] or [h, w, c]: whole numbers of so many bits, packed, or float32. Directories come first.

    photometric: by default grey (1) up to two bands, else RGB (2). extra: what the bands beyond the colours are said to be; None
    says nothing. order: "<" or ">". pages: each with a directory of its own for the same pixels.
    """
    height, width, channels = values.shape if values.ndim == 3 else (*values.shape, 1)
    is_float = values.dtype.kind == "f"
    pixels = values.astype(f"{order}f4").tobytes() if is_float else _packed(values.reshape(height, -1), bits, order)
    colours = 1 if channels < 3 else 3
    tags = {
        256: (SHORT, [width]),
        257: (SHORT, [height]),
        258: (SHORT, [bits] * channels),
        259: (SHORT, [1]),
        262: (SHORT, [(1 if colours == 1 else 2) if photometric is None else photometric]),
        273: (LONG, [0]),
        274: (SHORT, [orientation]),
        277: (SHORT, [channels]),
        278: (SHORT, [height]),
        279: (LONG, [len(pixels)]),
        339: (SHORT, [3 if is_float else 1] * channels),
    }
    if extra is not None:
        tags[338] = SHORT, [extra] * (channels - colours)
    size = 2 + 12 * len(tags) + 4 + sum(_outside(*tag) for tag in tags.values())
    tags[273] = LONG, [8 + pages * size]
    directories = b"".join(
        _directory(tags, 8 + page * size, 8 + (page + 1) * size if page + 1 < pages else 0, order)
        for page in range(pages)
    )
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", 8) + directories + pixels


def _packed(rows: NDArray[Any], bits: int, order: str) -> bytes:
    """Rows of whole numbers, highest bit first and each row from a new byte on; of 16 bits in the order of the file."""
    if bits == 16:
        return rows.astype(f"{order}u2").tobytes()
    single = (rows[..., None].astype(np.uint32) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(single.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def _outside(kind: int, values: list[int]) -> int:
    """How many bytes of a tag lie behind its directory."""
    length = struct.calcsize(_FORMATS[kind]) * len(values)
    return length if length > 4 else 0


def _directory(tags: dict[int, tuple[int, list[int]]], place: int, following: int, order: str) -> bytes:
    entries, outside = b"", b""
    behind = place + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        content = struct.pack(f"{order}{len(values)}{_FORMATS[kind]}", *values)
        entries += struct.pack(f"{order}HHI", tag, kind, len(values))
        if len(content) > 4:
            entries += struct.pack(f"{order}I", behind + len(outside))
            outside += content
        else:
            entries += content.ljust(4, b"\0")
    return struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", following) + outside
