"""Kind "recipes": fields of recipes, thresholds and questions with values of every type and size."""

from __future__ import annotations

import json
import random
from dataclasses import fields
from pathlib import Path
from typing import Any

from oddlens.cli.settings import recipe_overrides
from oddlens.methods.registry import method_card
from tests.fuzz.case import Case, check_detections, check_json
from tests.fuzz.hostile import HOSTILE_FLOATS, HOSTILE_NUMBERS, HOSTILE_TEXTS, hostile_text, hostile_value
from tests.fuzz.mutate import json_bytes, mutate_json
from tests.fuzz.world import SMALL, World

_WORDS = {
    "classes": {"road": ["road", "street"], "sky": ["sky"], "car": ["car", "van"]},
    "merge": {"flat": ["road", "sky"]},
    "ood": ["caravan", ["dog", "cat"]],
}


def make(rng: random.Random, world: World, scratch: Path) -> Case:
    """A method loaded with one to three odd values, or asked with them, and run."""
    method = rng.choice(("winclip", "winclip", "april-gan", "anomalyclip", "anovl", "anovl", "vl4ad", "vl4ad"))
    names = [each.name for each in fields(method_card(method).recipe)]
    overrides: dict[str, Any] = {}
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        name = rng.choice(names) if rng.random() < 0.95 else hostile_text(rng)
        overrides[name] = _value(rng, name, scratch)
    way = rng.choice(("load", "load", "load", "ask", "command line", "thresholds"))
    references = method in ("winclip", "april-gan") and rng.random() < 0.5
    thresholds = [rng.choice((*HOSTILE_FLOATS, *HOSTILE_NUMBERS, None, 0.1)) for _ in range(2)]
    texts = [_setting(rng, name, value) for name, value in overrides.items()]

    def run() -> None:
        if way == "thresholds":
            detector = world.fresh(method)
            detector.set_thresholds(*thresholds)
        elif way == "ask":
            detector = world.detector(method, references)
            encoded = detector.encode(world.pictures[:2])
            check_detections(detector.predict(encoded, "nut", **overrides), 2)
            return
        else:
            given = overrides if way == "load" else recipe_overrides(texts)
            detector = world.fresh(method, **given)
        if references:
            detector.add_references(world.pictures[2:5])
        detections = detector.detect(world.pictures[:2], "nut")
        check_detections(detections, 2)
        for each in detections:
            check_json([region.to_dict() for region in each.regions])

    told = f"thresholds {thresholds}" if way == "thresholds" else texts if way == "command line" else overrides
    return Case(f"{method}, {way}, {told!r:.200}", run)


def _value(rng: random.Random, name: str, scratch: Path) -> Any:
    """A value for a field: of its own sort half of the time."""
    sort = rng.randrange(10)
    if sort < 3:
        return rng.choice((*HOSTILE_NUMBERS, *HOSTILE_FLOATS))
    if sort == 3:
        return [rng.choice((1, 2, 3, -1, 0, 10**9, 0.5, "x", None, True)) for _ in range(rng.choice((0, 1, 2, 5)))]
    if sort == 4:
        return rng.choice(HOSTILE_TEXTS)
    if sort == 5:
        return rng.choice((1e-30, 1e-12, 1e-6, 0.01, 0.999, 1, 1.5, 3, 8, 16, 40, 64, 100, 1e6, 1e12, 1e30))
    if sort < 8 and name in _WORDS:
        return _words(rng, name, scratch)
    if sort == 8:
        return rng.choice(
            (
                True, False, None, "auto", "none", "default", "gelu", "quick_gelu", "bilinear", "float16",
                "references", "transductive", "linear", "sum", "mean", "harmonic",
            )
        )  # fmt: skip
    if name in SMALL["winclip"] or name in ("layers", "reference_taps"):
        return rng.choice(
            ([1], [2], [1, 2], [2, 1], [1, 1], [3], [0], [5], [40], ["x"], [1, "x"], list(range(1, 200)), (1,))
        )
    return hostile_value(rng)


def _words(rng: random.Random, name: str, scratch: Path) -> Any:
    """Classes, merges or words for the unknown: changed, in a file or not."""
    words = mutate_json(rng, [_WORDS[name], 0])
    words = words[0] if isinstance(words, list) and words else words
    if rng.random() < 0.5:
        return words
    path = scratch / f"words{rng.choice(('.json', '.toml', '.JSON'))}"
    path.write_bytes(
        json_bytes(rng, rng.choice((words, {name: words}))) if path.suffix != ".toml" else _toml(rng, name, words)
    )
    return rng.choice((str(path), path))


def _toml(rng: random.Random, name: str, words: Any) -> bytes:
    if isinstance(words, dict):
        lines = [f"{json.dumps(str(key))} = {json.dumps(value)}" for key, value in words.items()]
        text = f"[{name}]\n" + "\n".join(lines)
    else:
        text = f"{name} = {json.dumps(words)}"
    if rng.random() < 0.2:
        text = rng.choice(("[" * 5000, "a = " + "[" * 5000, text + "\n" + text, "a.b.c = 1\na.b = 2"))
    return text.encode("utf-8", "replace")


def _setting(rng: random.Random, name: str, value: Any) -> str:
    """A field as one writes it after --set."""
    try:
        text = json.dumps(value)
    except TypeError:
        text = str(value)
    text = rng.choice((text, text, text, str(value), "[" * rng.choice((1, 3000, 100_000)), text + "}"))
    return rng.choice((f"{name}={text}", f"{name} = {text}", f"{name}={text}", name, f"={text}"))
