"""Kind "arrays": arrays and objects that are handed over as pictures in Python."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, PngImagePlugin

from oddlens.io.images import read_image
from tests.fuzz.case import Case, check_detections, check_outcomes
from tests.fuzz.hostile import hostile_text, hostile_value
from tests.fuzz.images import check_picture
from tests.fuzz.world import World

_DTYPES = (
    "u1", "u1", "u1", "u2", "u2", "f4", "f4", "f8", "f2", "i1", "i2", "i4", "i8", "u4", "u8", "?", ">u2", ">f4",
    "c8", "S3", "U2", "M8[s]", "m8[s]", "O", "f16",
)  # fmt: skip
_MODES = (
    "1", "L", "P", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "La", "PA", "I;16",
    "I;16B", "I;16L",
)  # fmt: skip


def make(rng: random.Random, world: World, scratch: Path) -> Case:
    """An array, a Pillow image or something else, read as a picture or detected alone or among others."""
    what, given = rng.choice((_array, _array, _array, _array, _view, _view, _pillow, _pillow, _object))(rng, scratch)
    use = rng.choice(("read", "read", "detect", "detect several", "add_references"))
    method = rng.choice(("winclip", "winclip", "winclip", "april-gan", "anomalyclip", "anovl", "vl4ad"))

    def run() -> None:
        if use == "read":
            check_picture(read_image(given))
            return
        if use == "add_references":
            detector = world.fresh("winclip")
            detector.add_references(given)
            check_detections(detector.detect(world.pictures[0]), 1)
            return
        detector = world.detector(method, references=method in ("winclip", "april-gan") and rng.random() < 0.5)
        if use == "detect":
            check_detections(detector.detect(given))
        else:
            check_outcomes(detector.detect_each([world.pictures[0], given, world.pictures[1]]))

    return Case(f"{what}, {use} by {method}", run)


def _numbers(rng: random.Random, shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
    generator = np.random.default_rng(rng.getrandbits(32))
    kind = np.dtype(dtype).kind
    if kind in "fc":
        values = generator.random(shape)
        change = rng.randrange(8)
        if change == 0:
            values = values * rng.choice((255, 1e30, -1, 1e-45))
        elif change == 1 and values.size:
            values.flat[rng.randrange(values.size)] = rng.choice((np.nan, np.inf, -np.inf, 1.0000001, -1e-9))
        elif change == 2:
            values = np.full(shape, rng.choice((np.nan, np.inf, 0.0, 1.0)))
        with np.errstate(all="ignore"):
            return values.astype(dtype)
    if kind in "iu":
        most = rng.choice((2, 256, 4096, 65536, 2**31))
        return generator.integers(0, most, shape).astype(dtype)
    if kind == "O":
        values = np.empty(shape, object)
        values[...] = rng.choice((None, 0.5, "x", b"\0"))
        return values
    return generator.integers(0, 2, shape).astype(dtype)


def _array(rng: random.Random, scratch: Path) -> tuple[str, Any]:
    """Any shape and dtype, contiguous or not, of a subclass now and then."""
    height, width = (rng.choice((0, 1, 2, 3, 7, 24, 40, 63)) for _ in range(2))
    shape = rng.choice(
        (
            (height, width), (height, width, 3), (height, width, 3), (height, width, 1), (height, width, 4),
            (3, height, width), (height, width, 2), (height, width, 5), (1, height, width, 3), (height,), (), (0,),
            (height, width, 0), (1, 600, 3), (600, 1), (height, width, 3, 1),
        )
    )  # fmt: skip
    dtype = rng.choice(_DTYPES)
    values = np.asarray(_numbers(rng, shape, dtype))
    form = rng.randrange(12)
    if form == 0 and values.ndim:
        values = values[::-1]
    elif form == 1 and values.ndim > 1:
        values = values.swapaxes(0, 1)
    elif form == 2:
        values = np.asfortranarray(values)
    elif form == 3:
        values = np.ma.masked_array(values, mask=_numbers(rng, shape, "?"))
    elif form == 4:
        values.flags.writeable = False
    elif form == 5 and values.ndim == 2:
        values = np.asmatrix(values)
    elif form == 6 and values.size and values.dtype.kind in "uif":
        path = scratch / "array.npy"
        np.save(path, values)
        values = np.load(path, mmap_mode="r")
    elif form == 7:
        values = np.zeros(shape, [("r", "u1"), ("g", "u1"), ("b", "u1")])
    return f"{type(values).__name__} {values.dtype} {shape}, form {form}", values


def _view(rng: random.Random, scratch: Path) -> tuple[str, Any]:
    """A view that claims far more pixels than there are bytes."""
    shape = rng.choice(
        (
            (60000, 60000), (60000, 60000, 3), (1 << 20, 1 << 20), (40000, 40000, 4), (1, 1 << 31), (1 << 40, 0),
            (0, 1 << 40), (200_000_000, 1, 3),
        )
    )  # fmt: skip
    dtype = rng.choice(("u1", "u2", "f4", "f8", "i8", "?", "O"))
    return f"a view of one {dtype}, {shape}", np.broadcast_to(np.zeros((), dtype), shape)


def _pillow(rng: random.Random, scratch: Path) -> tuple[str, Any]:
    """A Pillow image of any mode, with odd things in its info; or a lazy or closed one."""
    mode = rng.choice(_MODES)
    size = rng.choice(((0, 0), (0, 5), (1, 1), (24, 20), (20, 24), (3, 1000)))
    image = Image.new(mode, size, rng.choice((0, 1, 128))) if rng.random() < 0.6 else Image.new(mode, size)
    for _ in range(rng.randrange(3)):
        key = rng.choice(("transparency", "icc_profile", "exif", "dpi", "gamma", "background", "duration", "version"))
        image.info[key] = rng.choice((b"", b"\0\1", b"Exif\0\0II*\0", 0, 300, (1, 2, 3), "x", None, hostile_value(rng)))
    state = rng.randrange(8)
    stream = io.BytesIO()
    Image.new("RGB", (24, 20)).save(stream, "PNG")
    png = stream.getvalue()
    if state == 0:
        image = PngImagePlugin.PngImageFile(
            io.BytesIO(png[: rng.randrange(60, len(png))] if rng.random() < 0.5 else png)
        )
    elif state == 1:
        image.close()
    elif state == 2 and mode == "P":
        image.putpalette(rng.choice((b"", bytes(3), bytes(768))))
    return f"a Pillow image, {mode} {size}, info {sorted(image.info)}, state {state}", image


class _Odd:
    """What claims to be a path, an array or an image, and is none."""

    def __init__(self, claim: str) -> None:
        self._claim = claim

    def __getattr__(self, name: str) -> Any:
        if name == self._claim:
            return lambda *_: 3
        raise AttributeError(name)


def _object(rng: random.Random, scratch: Path) -> tuple[str, Any]:
    """No picture at all."""
    draws: tuple[Callable[[], Any], ...] = (
        lambda: hostile_value(rng),
        lambda: None,
        list,
        lambda: [[[1, 2, 3]] * 4] * 4,
        lambda: {"a": 1},
        lambda: iter([]),
        lambda: (each for each in [None]),
        lambda: object(),
        lambda: _Odd(rng.choice(("__fspath__", "convert", "__array__", "__len__"))),
        lambda: torch.zeros(rng.choice(((3, 8, 8), (8, 8, 3), (2,)))),
        lambda: bytearray(b"x"),
        lambda: memoryview(b"x"),
        lambda: b"",
        lambda: hostile_text(rng).encode("utf-8", "replace"),
        lambda: io.BytesIO(b"x"),
        lambda: scratch,
        lambda: scratch / hostile_text(rng),
        lambda: hostile_text(rng),
        lambda: np.float32(1),
        lambda: 10**30,
        lambda: complex(1, 2),
        lambda: Image,
        lambda: range(3),
        lambda: {"a", "b"},
    )
    given = rng.choice(draws)()
    return f"{type(given).__name__} {given!r:.80}", given
