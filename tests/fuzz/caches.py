"""Kind "caches": what oddlens wrote and reads again (texts, hashes, results, cells, features, checkpoints), damaged in between."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from oddlens.errors import OddlensError
from oddlens.evaluation.cell_results import read_cell
from oddlens.io.hashes import cache_folder, cached_hash
from oddlens.training.checkpoint import Checkpoint, History
from oddlens.training.feature_cache import FeatureCache
from tests.fuzz.case import Case, Wrong, check_json
from tests.fuzz.mutate import json_bytes, mutate_bytes, mutate_json, mutate_safetensors, mutate_tensors
from tests.fuzz.program import program, records
from tests.fuzz.world import World


def make(rng: random.Random, world: World, scratch: Path) -> Case:
    """One of the caches with something changed in it, read again."""
    return rng.choice((_text, _text, _text, _text, _results, _results, _cell, _features, _checkpoint, _hash))(
        rng, world, scratch
    )


def _misplaced(rng: random.Random, path: Path) -> str:
    """Something else in the place of a file."""
    path.unlink()
    change = rng.randrange(5)
    if change == 0:
        path.mkdir()
    elif change == 1:
        path.symlink_to(rng.choice(("nowhere", path.name, ".", "/dev/null", "/dev/zero")))
    elif change == 2:
        path.touch(0)
    elif change == 3:
        os.mkfifo(path)
    return f"misplaced by {change}"


def _text(rng: random.Random, world: World, scratch: Path) -> Case:
    """An entry of the text cache: whatever is done to it, the scores are those of before, as it is made again."""
    entries = world.cached_texts
    path = rng.choice(list(entries))
    method, score = entries[path]
    data = path.read_bytes()
    change = rng.randrange(8)
    if change == 0:
        damaged = None
    elif change < 4:
        damaged = save(mutate_tensors(rng, load(data)))
    elif change < 7:
        damaged = mutate_safetensors(rng, data)
    else:
        damaged = mutate_bytes(rng, data, [other.read_bytes() for other in entries])

    def run() -> None:
        try:
            if damaged is None:
                _misplaced(rng, path)
            else:
                path.write_bytes(damaged)
            found = world.fresh(method).detect(world.pictures[0], "gear")[0].score
            if not np.isclose(found, score, rtol=1e-5, atol=1e-6):
                raise Wrong(f"a damaged cache entry is believed: {method} gives {found} instead of {score}")
        except OddlensError as error:
            raise Wrong(f"a damaged cache entry stops the run: {error}") from error
        finally:
            _put_back(path, data)

    return Case(f"text cache {path.name[:12]}, change {change}, asked by {method}", run)


def _put_back(path: Path, data: bytes) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    with suppress(FileNotFoundError):
        path.unlink()
    path.write_bytes(data)


def _hash(rng: random.Random, world: World, scratch: Path) -> Case:
    """The remembered hash of a large file, where it is seen to be none."""
    path = world.large_file
    right = cached_hash(path)
    notes = [each for each in (cache_folder() / "hashes").rglob("*") if each.is_file()]
    damaged = rng.choice(
        (
            b"",
            b"z" * 64,
            b"0" * 63,
            right.encode() + b"\n1",
            right.upper().encode()[:60],
            b"\xff" * 64,
            "é".encode() * 32,
            bytes(64),
            b"0" * 10_000,
            right[:-1].encode() + b"g",
        )
    )

    def run() -> None:
        for note in notes:
            note.write_bytes(damaged)
        try:
            found = cached_hash(path)
        finally:
            for note in notes:
                _put_back(note, right.encode())
        if found != right:
            raise Wrong(f"a damaged note is believed: {found[:80]!r}")

    return Case(f"remembered hash, {damaged[:70]!r}", run)


def _results(rng: random.Random, world: World, scratch: Path) -> Case:
    """A run that goes on in a folder whose run.json, lines or maps were changed."""
    shutil.copytree(world.run_folder, scratch / "run")
    folder = scratch / "run" / "out"
    name = rng.choice(("run.json", "results.jsonl", "results.jsonl", "results.jsonl", "a file"))
    path = (
        folder / name if name != "a file" else rng.choice(sorted(each for each in folder.rglob("*") if each.is_file()))
    )
    if rng.random() < 0.1:
        what = _misplaced(rng, path)
    elif path.suffix == ".json":
        path.write_bytes(json_bytes(rng, mutate_json(rng, json.loads(path.read_text()))))
        what = "edited"
    elif path.suffix == ".jsonl" and rng.random() < 0.7:
        lines = path.read_bytes().splitlines()
        number = rng.randrange(len(lines))
        lines[number] = json_bytes(rng, mutate_json(rng, json.loads(lines[number])))
        path.write_bytes(b"\n".join(lines) + rng.choice((b"\n", b"")))
        what = "edited"
    else:
        path.write_bytes(mutate_bytes(rng, path.read_bytes()))
        what = "damaged"

    def run() -> None:
        done = program(scratch / "run", *world.run_call, "--resume", "--json")
        if done.code == 2 or not (folder / "results.jsonl").is_file():
            raise OddlensError("the program ended with a sentence: it was judged where the program was called")
        lines = records(folder / "results.jsonl")
        keys = [line["file"]["path"] if "file" in line else line["path"] for line in lines]
        if missing := {f"../{name}" for name in world.picture_files} - set(keys):
            raise Wrong(f"{len(missing)} pictures have no line")
        if len(keys) != len(set(keys)):
            raise Wrong("a picture has two lines")

    return Case(f"results, {path.relative_to(folder)} {what}", run)


def _cell(rng: random.Random, world: World, scratch: Path) -> Case:
    """A cell of a benchmark."""
    path = scratch / "cell.json"
    told, settings = world.cell
    part = rng.choice(("whole", "whole", "scores", "curves", "figures", "thresholds", "shown", "interval"))
    changed = dict(told)
    if part == "whole":
        changed = mutate_json(rng, told)
        if isinstance(changed, dict) and rng.random() < 0.7:
            changed["settings"] = told["settings"]
    else:
        changed[part] = mutate_json(rng, [told[part]])
    path.write_bytes(json_bytes(rng, changed))
    if rng.random() < 0.05:
        _misplaced(rng, path)

    def run() -> None:
        from dataclasses import asdict

        cell = read_cell(path, settings)
        if cell is not None:
            check_json(asdict(cell))

    return Case(f"a cell, {part}", run)


def _features(rng: random.Random, world: World, scratch: Path) -> Case:
    """Kept features of a training: a shard damaged, missing or of another shape."""
    values = np.random.default_rng(0).random((10, 3), dtype=np.float32)

    def features() -> FeatureCache:
        return FeatureCache(scratch / "features", 10, {"x": ((3,), "float32")}, shard=4)

    list(features().fill(lambda rows: {"x": values[rows.start : rows.stop]}))
    path = rng.choice(sorted((scratch / "features").glob("*.npy")))
    change = rng.randrange(6)
    if change == 0:
        _misplaced(rng, path)
    elif change == 1:
        np.save(
            path,
            rng.choice(
                (
                    values[:1],
                    values[:4].astype("f8"),
                    values[:4, :2],
                    np.zeros((), "f4"),
                    np.array([None] * 4),
                    np.zeros(4, [("a", "f4")]),
                    values[:4] * np.nan,
                )
            ),
        )
    else:
        data = path.read_bytes()
        path.write_bytes(mutate_bytes(rng, data))

    def run() -> None:
        again = features()
        list(again.fill(lambda rows: {"x": values[rows.start : rows.stop]}))
        rows = again.rows(range(10))["x"]
        if rows.shape != (10, 3) or rows.dtype != np.float32:
            raise Wrong(f"the rows are {rows.dtype} {rows.shape}")
        if not np.isfinite(rows).all():
            raise Wrong("the rows are not finite")

    return Case(f"kept features, {path.name}, change {change}", run)


class _Learner:
    """The least that a checkpoint keeps."""

    def __init__(self) -> None:
        self.values = nn.Parameter(torch.ones(3))

    def tensors(self) -> dict[str, Tensor]:
        return {"values": self.values.detach()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            self.values.copy_(tensors["values"])


def _checkpoint(rng: random.Random, world: World, scratch: Path) -> Case:
    """Where a training stands."""
    path = scratch / "training.ckpt"
    facts: dict[str, Any] = {"seed": 1, "data": "x"}

    def begun() -> tuple[_Learner, torch.optim.Optimizer]:
        learner = _Learner()
        optimiser = torch.optim.AdamW([learner.values])
        learner.values.grad = torch.ones(3)
        optimiser.step()
        return learner, optimiser

    Checkpoint(path, facts).write(*begun(), History([{"loss": 1.0}], [0.1]))
    whole = path.read_bytes()
    change = rng.randrange(4)
    if change == 0:
        _misplaced(rng, path)
    elif change == 1:
        torch.save(rng.choice((None, [], {}, {"facts": facts}, {"facts": facts, "tensors": {}, "losses": 3})), path)
    else:
        path.write_bytes(mutate_bytes(rng, whole))
    is_whole = path.is_file() and path.read_bytes() == whole

    def run() -> None:
        checkpoint = Checkpoint(path, facts)
        if checkpoint.differs() != ([] if is_whole else None):
            raise Wrong(f"what differs is {checkpoint.differs()!r}")
        learner, optimiser = begun()
        if len(checkpoint.resume(learner, optimiser)) != is_whole:
            raise Wrong("a damaged checkpoint is believed")
        optimiser.step()
        if not torch.isfinite(learner.values).all():
            raise Wrong("the learned tensors are not finite")

    return Case(f"a checkpoint, change {change}", run)
