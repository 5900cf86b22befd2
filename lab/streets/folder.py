"""Generated streets on disk, in the layout of CamVid-OOD, so that every reader and every training takes them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.streets.generic import generic
from lab.streets.scene import Scene
from lab.streets.street import FRAME, street
from lab.streets.words import CONCEPTS, FAR_OOD, NEAR_OOD, OOD, UNNAMED_OOD, WORDS
from oddlens.errors import OddlensError, UsageError
from oddlens.io.paths import exists

TEST_NUMBER = 10_000_000
"""The number of the first test frame of a seed: training frames are numbered from 0."""

LEGEND, CONCEPT_LISTS, UNLABELLED = "classes.json", "concepts.json", "unlabelled"


@dataclass(frozen=True)
class _Set:
    """A set to write: its known classes with their words, its unknown words, and its scenes as (split, kind, scene)."""

    name: str
    known: Mapping[str, Sequence[str]]
    unknown: Sequence[str]
    scenes: Iterator[tuple[str, str, Scene]]
    total: int


def write_streets(
    root: str | os.PathLike[str], train: int, test: int, seed: int = 0, generic_scenes: int = 0,
    size: tuple[int, int] = FRAME, progress: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Path]:  # fmt: skip
    """Write the set `streets` (and `generic`, if scenes of it are wanted) below `root`; the sets' folders are returned.

    `streets`: `train` frames of known things in train/good, `test` more in test/good, and `test` frames with one or two unknown
    things in test/ood. `generic`: scenes of all words in no order, one class a word, for broad pre-training; train/good only.
    Both hold the class of every pixel in labels/, their legend in classes.json (known classes first, then the unknown words) and
    the words of each known class in concepts.json. progress: called with (set, done, total). Equal arguments write equal bytes;
    a set is written whole or not at all.

    Raises:
        UsageError: a set's folder exists already.
        OddlensError: it cannot be written.
    """
    sets = [_Set("streets", CONCEPTS, OOD, _streets(train, test, seed, size), train + 2 * test)]
    if generic_scenes:
        scenes = (("train", "good", generic(number, seed, size)) for number in range(generic_scenes))
        sets.append(_Set("generic", {word: (word,) for word in WORDS}, (), scenes, generic_scenes))
    return [_write_set(Path(root), each, progress) for each in sets]


def unknown_of(number: int) -> tuple[str, ...]:
    """The unknown things of the test frame of that number: near, far and untold ones take turns, in ones and twos."""
    group = (NEAR_OOD, FAR_OOD, UNNAMED_OOD)[number % 3]
    turn = number // 3
    return tuple(group[(turn + step) % len(group)] for step in range(1 + turn % 2))


def _streets(train: int, test: int, seed: int, size: tuple[int, int]) -> Iterator[tuple[str, str, Scene]]:
    for number in range(train):
        yield "train", "good", street(number, seed, size=size)
    for number in range(test):
        yield "test", "good", street(TEST_NUMBER + number, seed, size=size)
    for number in range(test):
        yield "test", "ood", street(TEST_NUMBER + number, seed, unknown_of(number), size)


def _write_set(root: Path, wanted: _Set, progress: Callable[[str, int, int], None]) -> Path:
    folder = root / wanted.name
    if exists(folder):
        raise UsageError(f"{folder} exists already: choose an empty folder or remove it")
    temporary = root / f".oddlens-{secrets.token_hex(8)}"
    values = _values(wanted)
    try:
        _write_lists(temporary, wanted)
        for done, (split, kind, scene) in enumerate(wanted.scenes, start=1):
            _write(temporary / split / kind / f"{done:05d}.png", scene.image)
            _write(temporary / "labels" / f"{split}_{kind}" / f"{done:05d}.png", values[scene.words])
            progress(wanted.name, done, wanted.total)
        temporary.replace(folder)
    except OSError as error:
        raise OddlensError(
            f"{folder} cannot be written ({error.strerror}): check permissions and free space"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _values(wanted: _Set) -> NDArray[np.uint8]:
    """The value in label files of every word's number, uint8 [256]."""
    words = [*wanted.known.values(), *((word,) for word in wanted.unknown)]
    values = np.full(256, len(words), np.uint8)
    for value, group in enumerate(words):
        values[[WORDS.index(word) for word in group]] = value
    return values


def _write_lists(folder: Path, wanted: _Set) -> None:
    folder.mkdir(parents=True)
    names = [*wanted.known, *wanted.unknown]
    unknown = list(range(len(wanted.known), len(names)))
    legend = {"classes": [*names, UNLABELLED], "ood": unknown, "ignore": len(names)}
    for name, content in ((LEGEND, legend), (CONCEPT_LISTS, dict(wanted.known))):
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _write(file: Path, pixels: NDArray[np.uint8]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    blue_first = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    file.write_bytes(cv2.imencode(".png", np.ascontiguousarray(blue_first))[1].tobytes())
