"""Kind "images": damaged and hostile files of pictures, masks and videos."""

from __future__ import annotations

import io
import random
import struct
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from oddlens.data import Record, read_classes, read_ignore, read_mask
from oddlens.errors import ImageError
from oddlens.io.images import Picture, read_image
from tests.fuzz.case import Case, Wrong, check_detections
from tests.fuzz.mutate import mutate_bytes
from tests.fuzz.picture_formats import CHANGES
from tests.fuzz.program import program
from tests.fuzz.world import World
from tests.small_tiff import write_tiff

SUFFIXES = {
    "JPEG2000": ".jp2",
    "AVIF": ".avif",
    "PNG": ".png",
    "JPEG": ".jpg",
    "WebP": ".webp",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "GIF": ".gif",
    "PPM": ".ppm",
}


def make(rng: random.Random, world: World, scratch: Path) -> Case:
    """A file of one of the formats, damaged in one of many ways, read as a picture (then detected, now and then) or as a mask."""
    if rng.random() < 0.04 and (video := _video()):
        return _of_video(rng, world, scratch, video)
    form = rng.choice(list(SUFFIXES))
    name, data = rng.choice([(name, data) for name, data in _seeds() if name.split()[0] == form])
    damage, damaged = _damaged(rng, form, data)
    suffix = SUFFIXES[form] if rng.random() < 0.9 else rng.choice([*SUFFIXES.values(), "", ".txt", ".mp4"])
    path = scratch / f"picture{suffix}"
    path.write_bytes(damaged)
    use = rng.choice(("read", "read", "read", "bytes", "detect", "mask", "overlay"))

    def run() -> None:
        if use == "mask":
            check_mask(path)
        elif use == "bytes":
            check_picture(read_image(damaged))
        else:
            picture = read_image(path)
            check_picture(picture)
            if use in ("detect", "overlay") and picture.pixels.size < 3_000_000:
                detector = world.detector("winclip", references=rng.random() < 0.5)
                detections = detector.detect(path)
                check_detections(detections, 1)
                if use == "overlay":
                    detections[0].overlay(path)

    return Case(f"{name}, {damage}, {len(damaged)} bytes, as {suffix or 'a file without suffix'}, {use}", run)


def check_picture(picture: Picture) -> None:
    """Raises `Wrong` for what is no picture."""
    pixels = picture.pixels
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise Wrong(f"the pixels are {pixels.dtype} {pixels.shape}")
    if picture.note is not None and not picture.note.isprintable():
        raise Wrong(f"the note is not one line: {picture.note!r:.300}")


def check_mask(path: Path) -> None:
    """Read a file in the ways that masks and label files are read: each may be refused, none may give anything else."""
    mask = read_mask(path)
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise Wrong(f"the mask is {mask.dtype} {mask.shape}")
    labels = Record(path, path, 1, "street", "anomaly", "test", path, path, "cityscapes")
    for read, dtype in ((read_classes, np.uint8), (read_ignore, np.bool_)):
        values = read(labels)
        if values is None or values.dtype != dtype or values.ndim != 2:
            raise Wrong(f"{read.__name__} gives {values!r:.100}")


@cache
def _seeds() -> list[tuple[str, bytes]]:
    """Whole files of every format and many modes, 24 x 20 pixels."""
    rng = np.random.default_rng(3)
    colour = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)).resize((24, 20), Image.Resampling.BICUBIC)
    alpha = colour.copy()
    alpha.putalpha(colour.convert("L"))
    grey, palette = colour.convert("L"), colour.convert("P")
    deep = Image.fromarray((np.asarray(grey).astype(np.uint16) << 8) | 7)
    fractions = Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    many = [colour.rotate(angle) for angle in (90, 180)]
    exif = Image.Exif()
    exif[0x0112] = 6
    texts = PngImagePlugin.PngInfo()
    texts.add_text("a", "b" * 500, zip=True)
    seeds: list[tuple[str, bytes]] = []

    def add(name: str, image: Image.Image, **options: object) -> None:
        stream = io.BytesIO()
        image.save(stream, name.split()[0].upper(), **options)
        seeds.append((name, stream.getvalue()))

    for suffix, image in (
        ("", colour),
        (" alpha", alpha),
        (" grey", grey),
        (" palette", palette),
        (" 16", deep),
        (" 1", grey.convert("1")),
    ):
        add("PNG" + suffix, image)
    add("PNG text", colour, pnginfo=texts, exif=exif, icc_profile=b"x" * 300)
    add("PNG animated", colour, save_all=True, append_images=many)
    for suffix, image, options in (
        ("", colour, {}),
        (" grey", grey, {}),
        (" CMYK", colour.convert("CMYK"), {}),
        (" progressive", colour, {"progressive": True}),
        (" exif", colour, {"exif": exif}),
        (" restart", colour, {"restart_marker_blocks": 1}),
        (" 444", colour, {"subsampling": 0}),
    ):
        add("JPEG" + suffix, image, quality=90, **options)
    for suffix, image, options in (
        ("", colour, {}),
        (" lossless", alpha, {"lossless": True}),
        (" animated", colour, {"save_all": True, "append_images": many}),
    ):
        add("WebP" + suffix, image, **options)
    for suffix, image in (
        ("", colour),
        (" grey", grey),
        (" palette", palette),
        (" 1", grey.convert("1")),
        (" alpha", alpha),
    ):
        add("BMP" + suffix, image)
    for suffix, image, options in (
        ("", colour, {}),
        (" alpha", alpha, {}),
        (" grey", grey, {}),
        (" 16", deep, {}),
        (" float", fractions, {}),
        (" lzw", colour, {"compression": "tiff_lzw"}),
        (" deflate", colour, {"compression": "tiff_adobe_deflate"}),
        (" jpeg", colour, {"compression": "jpeg"}),
        (" group4", grey.convert("1"), {"compression": "group4"}),
        (" pages", colour, {"save_all": True, "append_images": many}),
        (" CMYK", colour.convert("CMYK"), {}),
        (" big", colour, {"big_tiff": True}),
        (" exif", colour, {"exif": exif}),
    ):
        add("TIFF" + suffix, image, **options)
    add("GIF", palette)
    add("GIF animated", colour, save_all=True, append_images=many)
    for suffix, image in (("", colour), (" grey", grey), (" 1", grey.convert("1"))):
        add("PPM" + suffix, image)
    for suffix, image in (("", colour), (" grey", grey), (" 16", deep)):
        add("JPEG2000" + suffix, image)
    for suffix, image in (("", colour), (" alpha", alpha)):
        add("AVIF" + suffix, image)
    numbers = np.arange(480, dtype=np.uint16).reshape(20, 24)
    for bits in (9, 10, 12, 14, 16):
        seeds.append((f"TIFF {bits} bits", write_tiff(numbers, bits)))
    seeds.append(("TIFF bands", write_tiff(np.dstack([numbers % 256] * 4), 8, extra=0, order=">")))
    seeds.append(("TIFF many pages", write_tiff(numbers, 16, pages=40)))
    seeds.append(("PPM 16", b"P6\n6 5\n65535\n" + bytes(range(180))))
    seeds.append(("PPM ascii", b"P3\n2 2\n255\n" + b"1 2 3 " * 4))
    seeds.append(("PPM float", b"Pf\n4 3\n-1.0\n" + struct.pack("<12f", *[0.5] * 12)))
    return seeds


def _damaged(rng: random.Random, form: str, data: bytes) -> tuple[str, bytes]:
    """Damage of bytes, or of what the format is made of."""
    special = CHANGES.get(form)
    if special is not None and rng.random() < 0.55:
        change = rng.choice(special)
        try:
            return change.__name__.strip("_").replace("_", " "), change(rng, data)
        except (struct.error, IndexError, ValueError):
            pass
    others = [other for _, other in _seeds()]
    return "damaged bytes", mutate_bytes(rng, data, others)


@cache
def _video() -> bytes | None:
    """A short video; None where the extra "video" is not installed."""
    try:
        import av
    except ImportError:
        return None
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        track = container.add_stream("mpeg4", rate=10)
        track.width, track.height, track.pix_fmt = 48, 32, "yuv420p"
        for number in range(4):
            pixels = np.full((32, 48, 3), 40 * number, np.uint8)
            container.mux(track.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(track.encode())
    return stream.getvalue()


def _of_video(rng: random.Random, world: World, scratch: Path, data: bytes) -> Case:
    damaged = mutate_bytes(rng, data)
    path = scratch / f"drive{rng.choice(('.mp4', '.mp4', '.avi', '.mkv', '.webm'))}"
    path.write_bytes(damaged)
    every = rng.choice((1, 2, 10**9))

    def run() -> None:
        if program(scratch, "detect", path.name, "--model", world.model, "--json", "--every", every).code:
            raise ImageError("the program ended with a sentence: it was judged where the program was called")

    return Case(f"a video, damaged bytes, {len(damaged)} bytes, {path.suffix}, every {every}", run)
