"""Kind "stations": saved detectors with edited, damaged, missing or exchanged files."""

from __future__ import annotations

import json
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save

import oddlens
from tests.fuzz.case import Case, Wrong, check_detections
from tests.fuzz.hostile import hostile_text, hostile_value
from tests.fuzz.mutate import json_bytes, mutate_bytes, mutate_json, mutate_safetensors, mutate_tensors
from tests.fuzz.world import World


def make(rng: random.Random, world: World, scratch: Path) -> Case:
    """A station with something changed in it, opened and asked."""
    name = rng.choice(
        ("winclip", "winclip", "winclip", "winclip alone", "april-gan", "april-gan", "anomalyclip", "anovl", "vl4ad")
    )
    change = rng.choice(
        (
            _edit,
            _edit,
            _edit,
            _reference_tensors,
            _reference_tensors,
            _reference_bytes,
            _weights,
            _model,
            _place,
            _thresholds,
        )
    )
    if change is _model:
        name = rng.choice(
            ("winclip", "anomalyclip", "vl4ad")
        )  # another model knows no words yet, and these have few to learn
    folder = scratch / "station"
    shutil.copytree(world.stations[name], folder)
    expected = world.answers[name] if change is _reference_bytes and _references(folder) is not None else None
    what = change(rng, folder)
    _ = world.backbone

    def run() -> None:
        detector = oddlens.open_station(folder, "cpu")
        detections = detector.detect(world.pictures[4:6])
        check_detections(detections, 2)
        for each in detections:
            each.to_dict()
        if expected is not None and not all(
            np.isclose(one.score, other, rtol=1e-4, atol=1e-5) for one, other in zip(detections, expected, strict=True)
        ):
            raise Wrong(
                f"damaged references are believed: scores {[each.score for each in detections]} instead of {expected}"
            )

    return Case(f"station {name}, {what}", run)


def _references(folder: Path) -> Path | None:
    """The features of the references."""
    told = json.loads((folder / "station.json").read_text())["references"]
    return None if told is None else folder / "files" / f"{told['file_sha256']}.safetensors"


def _edit(rng: random.Random, folder: Path) -> str:
    """station.json with other values."""
    path = folder / "station.json"
    data = json_bytes(rng, mutate_json(rng, json.loads(path.read_text())))
    path.write_bytes(data)
    return f"edited: {data[-400:]!r}"


def _thresholds(rng: random.Random, folder: Path) -> str:
    """Thresholds and the facts of references with values of any type."""
    path = folder / "station.json"
    told: dict[str, Any] = json.loads(path.read_text())
    part = rng.choice(("thresholds", "references", "recipe", "model"))
    if isinstance(told.get(part), dict) and told[part]:
        key = rng.choice(sorted(told[part]))
        told[part][key] = hostile_value(rng)
    else:
        told[part] = hostile_value(rng)
    path.write_text(json.dumps(told))
    return f"{part}: {told[part]!r:.200}"


def _reference_tensors(rng: random.Random, folder: Path) -> str:
    """References of other shapes, types and values, written as they should be."""
    path = _references(folder)
    if path is None:
        return _edit(rng, folder)
    path.write_bytes(save(mutate_tensors(rng, load_file(path))))
    return "references of other tensors"


def _reference_bytes(rng: random.Random, folder: Path) -> str:
    """Bits of the references flipped, as a bad disk does, or their header."""
    path = _references(folder)
    if path is None:
        return _thresholds(rng, folder)
    path.write_bytes(mutate_safetensors(rng, path.read_bytes()))
    return "references with damaged bytes"


def _weights(rng: random.Random, folder: Path) -> str:
    """The learned part damaged."""
    place = json.loads((folder / "station.json").read_text())["files"]["weights"]
    if place is None:
        return _edit(rng, folder)
    (folder / place).write_bytes(mutate_safetensors(rng, (folder / place).read_bytes()))
    return "damaged weights"


def _model(rng: random.Random, folder: Path) -> str:
    """The model damaged."""
    path = rng.choice(sorted(folder.glob("files/*/model/*")))
    data = path.read_bytes()
    if path.suffix == ".json" and rng.random() < 0.7:
        path.write_bytes(json_bytes(rng, mutate_json(rng, json.loads(data))))
    elif path.suffix == ".safetensors":
        path.write_bytes(mutate_safetensors(rng, data))
    else:
        path.write_bytes(mutate_bytes(rng, data))
    return f"damaged {path.name}"


def _place(rng: random.Random, folder: Path) -> str:
    """A file missing, doubled, a folder or a link instead of it."""
    path = rng.choice(sorted(folder.rglob("*")))
    change = rng.randrange(6)
    with suppress(OSError, ValueError):
        if change == 0:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif change == 1 and path.is_file():
            path.unlink()
            path.mkdir()
        elif change == 2 and path.is_file():
            path.unlink()
            path.symlink_to(rng.choice(("nowhere", path.name, ".", "/dev/zero", "/dev/null")))
        elif change == 3:
            path.rename(path.with_name(hostile_text(rng).replace("/", "_")))
        elif change == 4:
            path.chmod(0)
        elif path.is_file():
            other = rng.choice([each for each in folder.rglob("*") if each.is_file()])
            data = other.read_bytes()
            path.unlink()
            path.write_bytes(data)
    return f"{path.relative_to(folder)} changed by {change}"
