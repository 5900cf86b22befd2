"""Kind "weights": models in every layout and learned parts, with edited, damaged and hostile files."""

from __future__ import annotations

import io
import json
import pickle
import random
import shutil
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

import oddlens
from oddlens.backbone.load import load_backbone
from tests.fuzz.case import Case, check_detections
from tests.fuzz.mutate import json_bytes, mutate_bytes, mutate_json, mutate_safetensors, mutate_tensors, zeros_deflated
from tests.fuzz.world import SMALL, World


def make(rng: random.Random, world: World, scratch: Path) -> Case:
    """A model or a learned part with something changed in it, loaded and asked."""
    return _learned(rng, world, scratch) if rng.random() < 0.4 else _model(rng, world, scratch)


def _model(rng: random.Random, world: World, scratch: Path) -> Case:
    layout = rng.choice(
        (
            "open_clip", "open_clip", "open_clip", "transformers", "transformers", "sharded", "bin", "embedded",
            "embedded", "openai", "siglip", "siglip", "dinov2",
        )
    )  # fmt: skip
    original = world.models[layout]
    place = scratch / original.name
    if original.is_dir():
        shutil.copytree(original, place)
        path = rng.choice(sorted(place.iterdir()))
    else:
        shutil.copyfile(original, place)
        path = place
    what = _changed(rng, path)
    method = rng.choice(("winclip", "winclip", "winclip", "winclip", "winclip", "winclip", "winclip", "vl4ad"))
    given = rng.choice((place, place, place, path))

    def run() -> None:
        if layout == "dinov2":  # no method of words runs on it
            backbone = load_backbone(given, device="cpu")
            vision = backbone.vision
            pixels = backbone.to_pixels([world.pictures[0]], vision.config.image_size)
            with torch.inference_mode():
                vision.run_blocks(vision.embed(pixels), taps=(vision.config.layers,))
            return
        recipe = SMALL[method] if layout != "openai" or method != "winclip" else {}
        detector = oddlens.load(method, given, device="cpu", **recipe)
        check_detections(detector.detect(world.pictures[:1]), 1)
        if method == "winclip":
            detector.add_references(world.pictures[1:3])
            check_detections(detector.detect(world.pictures[:1]), 1)

    return Case(f"model {layout}, {path.name}, {what}, by {method}", run)


def _learned(rng: random.Random, world: World, scratch: Path) -> Case:
    name = rng.choice(sorted(world.learned))
    original = world.learned[name]
    method = name.removeprefix("authors' ")
    path = scratch / original.name
    shutil.copyfile(original, path)
    what = _changed(rng, path)
    if rng.random() < 0.05:
        renamed = path.with_suffix(rng.choice((".pt", ".bin", ".safetensors", ".pth", "")))
        path = path.rename(renamed)
    asked = method if rng.random() < 0.9 else rng.choice(("winclip", "april-gan", "anomalyclip", "anovl", "vl4ad"))
    references = asked == "april-gan" and rng.random() < 0.5
    _ = world.backbone

    def run() -> None:
        recipe = {} if rng.random() < 0.5 and path.suffix == ".safetensors" else SMALL[asked]
        detector = oddlens.load(asked, world.model, path, "cpu", **recipe)
        if references:
            detector.add_references(world.pictures[1:3])
        check_detections(detector.detect(world.pictures[:1]), 1)

    return Case(f"weights of {name}, {what}, by {asked}", run)


def _changed(rng: random.Random, path: Path) -> str:
    """Change a file by its form; says how."""
    data = path.read_bytes()
    kind = path.suffix
    if kind == ".safetensors":
        change = rng.choice((_tensors, _tensors, _tensors, _safetensors_bytes, _provenance, _lfs))
    elif kind == ".json":
        change = rng.choice((_json, _json, _json, _json, _bytes))
    elif kind in (".pt", ".pth", ".bin"):
        change = rng.choice(
            (
                _saved_tensors, _saved_tensors, _saved_tensors, _zip_entry, _zip_entry, _zip_bomb, _pickle_bomb,
                _saved_object, _bytes, _lfs,
            )
        )  # fmt: skip
    else:
        change = _bytes
    changed = change(rng, data)
    path.unlink()
    path.write_bytes(changed)
    return change.__name__.strip("_").replace("_", " ")


def _bytes(rng: random.Random, data: bytes) -> bytes:
    return mutate_bytes(rng, data)


def _json(rng: random.Random, data: bytes) -> bytes:
    return json_bytes(rng, mutate_json(rng, json.loads(data)))


def _safetensors_bytes(rng: random.Random, data: bytes) -> bytes:
    return mutate_safetensors(rng, data)


def _tensors(rng: random.Random, data: bytes) -> bytes:
    tensors, metadata = _opened(data)
    return save(mutate_tensors(rng, tensors), metadata)


def _provenance(rng: random.Random, data: bytes) -> bytes:
    """What a learned part says of itself, edited."""
    tensors, metadata = _opened(data)
    told = json.loads((metadata or {}).get("oddlens", '{"format": 1}'))
    text = json_bytes(rng, mutate_json(rng, told)).decode("utf-8", "replace")
    return save(tensors, {"oddlens": text})


def _opened(data: bytes) -> tuple[dict[str, Tensor], dict[str, str] | None]:
    (length,) = struct.unpack("<Q", data[:8])
    metadata = json.loads(data[8 : 8 + length]).get("__metadata__")
    return load(data), metadata


def _lfs(rng: random.Random, data: bytes) -> bytes:
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123\n"


def _saved_tensors(rng: random.Random, data: bytes) -> bytes:
    """A state dict with other tensors, nested otherwise, views of vast shapes among them. An archive becomes a state dict."""
    try:
        state = torch.load(io.BytesIO(data), weights_only=True)
    except Exception:
        return mutate_bytes(rng, data)
    inner = state
    while isinstance(inner, dict) and inner and all(isinstance(value, dict) for value in inner.values()):
        inner = next(iter(inner.values()))
    if not isinstance(inner, dict) or not inner:
        return mutate_bytes(rng, data)
    name = rng.choice(sorted(map(str, inner)))
    change = rng.randrange(7)
    if change == 0:
        inner[name] = torch.zeros(1).expand(*rng.choice(((1 << 20, 1 << 14), (1 << 35,), (64, 1 << 30))))
    elif change == 1:
        inner[name] = rng.choice((None, 1, "x", [1], {"a": torch.zeros(2)}, OrderedDict()))
    elif change == 2:
        inner[rng.choice((3, None, ("a",), 1.5, b"x"))] = torch.zeros(2)
    elif change == 3:
        inner[name] = inner[name].to_sparse() if isinstance(inner[name], Tensor) and inner[name].ndim else None
    elif change == 4:
        state = rng.choice(
            (
                {"state_dict": state},
                {"model": state},
                [state],
                state if rng.random() < 0.5 else inner,
                {"a": {"b": {"c": state}}},
            )
        )
    else:
        changed = mutate_tensors(rng, {str(key): value for key, value in inner.items() if isinstance(value, Tensor)})
        inner.clear()
        inner.update(changed)
    stream = io.BytesIO()
    torch.save(state, stream, _use_new_zipfile_serialization=rng.random() < 0.9)
    return stream.getvalue()


def _saved_object(rng: random.Random, data: bytes) -> bytes:
    """Something else than a state dict: plain pickles, code, a deep nest."""
    nest: Any = torch.zeros(1)
    for _ in range(rng.choice((3, 400))):
        nest = {"a": nest}
    value = rng.choice((None, 3, "x", [], {}, [1, "a"], torch.zeros(3), nest, {"a": [torch.zeros(2)]}, set()))
    if rng.random() < 0.3:
        return pickle.dumps(value if not isinstance(value, Tensor) else 3, protocol=rng.choice((0, 2, 4)))
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def _zip_entry(rng: random.Random, data: bytes) -> bytes:
    """The archive written again with an entry damaged, missing, renamed or doubled."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    number = (
        rng.randrange(len(entries))
        if rng.random() < 0.5
        else next(i for i, (name, _) in enumerate(entries) if name.endswith("data.pkl"))
    )
    name, content = entries[number]
    change = rng.randrange(6)
    if change < 3:
        entries[number] = name, mutate_bytes(rng, content)
    elif change == 3:
        del entries[number]
    elif change == 4:
        entries[number] = (
            rng.choice(
                (name + "x", "../../evil", "/etc/passwd", "a" * 1000, name.upper(), "archive/code/__torch__.py")
            ),
            content,
        )
    else:
        entries.append((name, mutate_bytes(rng, content)))
    return _zipped(entries)


def _zip_bomb(rng: random.Random, data: bytes) -> bytes:
    """The archive with an entry that unpacks to gigabytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    number = rng.choice([i for i, (name, _) in enumerate(entries) if name.endswith("data.pkl") or "/data/" in name])
    return _zipped(entries, bomb=(number, rng.choice((200, 4000))))


def _zipped(entries: list[tuple[str, bytes]], bomb: tuple[int, int] | None = None) -> bytes:
    """A zip file. bomb: the number of an entry that is zeros instead, and how many megabytes of them."""
    stream = io.BytesIO()
    import warnings

    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore")  # of names that come twice
        for number, (name, content) in enumerate(entries):
            if bomb is None or number != bomb[0]:
                archive.writestr(name, content)
    if bomb is None:
        return stream.getvalue()
    number, megabytes = bomb
    packed, unpacked, name = zeros_deflated(megabytes), megabytes << 20, entries[number][0].encode()
    written = stream.getvalue()
    end = written.rindex(b"PK\x05\x06")
    count, size, start = struct.unpack("<HII", written[end + 10 : end + 20])
    local = (
        struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, len(packed), unpacked, len(name), 0)
        + name
        + packed
    )
    central = (
        struct.pack(
            "<4sHHHHHHIIIHHHHHII",
            b"PK\x01\x02",
            20,
            20,
            0,
            8,
            0,
            0,
            0,
            len(packed),
            unpacked,
            len(name),
            0,
            0,
            0,
            0,
            0,
            start,
        )
        + name
    )
    directory = written[start : start + size] + central
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count + 1, count + 1, len(directory), start + len(local), 0)
    return written[:start] + local + directory + tail


def _pickle_bomb(rng: random.Random, data: bytes) -> bytes:
    """The archive's pickle replaced by a short one that asks for the world."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    module = b"c__torch__\nModule\n"
    bombs = (
        b"\x80\x02" + b"N" + b"r" + struct.pack("<I", rng.choice((0x0A000000, 0x7FFFFFFF, 0xFFFFFFFF))) + b".",
        b"\x80\x04" + b"\x8d" + struct.pack("<Q", rng.choice((1 << 33, 1 << 62))) + b"x.",
        b"\x80\x02" + b"(" * 100_000 + b".",
        b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"N.",
        b"\x80\x02" + module + b")\x81q\x00}q\x01X\x01\x00\x00\x00ah\x00sb.",  # a module that holds itself
        b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
        b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
        b"\x80\x02ccollections\nOrderedDict\n)R.",
        b"\x80\x02" + module + b")\x81}X\x01\x00\x00\x00a" + b"]" * 3 + b"sb.",
        b"\x80\x02J\xff\xff\xff\x7f\x8a\xff" + b"\xff" * 255 + b".",
        b"\x80\x02\x8b" + struct.pack("<i", 1 << 30) + b"1.",
        b"",
        b".",
        rng.randbytes(200),
    )
    bomb = rng.choice(bombs)
    scripted = rng.random() < 0.5
    changed = [(name, bomb if name.endswith("data.pkl") else content) for name, content in entries]
    if scripted and not any("/code/" in name for name, _ in changed):
        changed.append(("archive/code/__torch__.py", b""))
    return _zipped(changed)
