"""What all fuzzed inputs stand on: tiny models, learned parts and stations on disk, detectors in memory, pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.backbone.tokenizer import word_tokenizer
from oddlens.methods.recipe import make_recipe
from oddlens.methods.registry import method_card
from oddlens.methods.weights import write_weights
from tests.tiny_clip import (
    WORDS,
    Shape,
    random_weights,
    write_embedded,
    write_open_clip,
    write_openai_archive,
    write_transformers,
)
from tests.tiny_dinov2 import write_dinov2
from tests.tiny_prompts import random_prompts, write_authors, write_ours
from tests.tiny_siglip import write_siglip

if TYPE_CHECKING:
    from oddlens.backbone.backbone import Backbone
    from oddlens.detector import Detector

VOCABULARY = word_tokenizer([*WORDS, *"abcdefghijklmnopqrstuvwxyz0123456789-"], context=77)
SHAPE = Shape(width=64, layers=2, vocabulary=VOCABULARY.size)
SMALL: dict[str, dict[str, Any]] = {
    "winclip": {"window_sizes": (2,)},
    "april-gan": {"image_size": 40, "layers": (1, 2)},
    "anomalyclip": {
        "image_size": 40,
        "layers": (2,),
        "local_from": 1,
        "prompt_depth": 2,
        "context_length": 4,
        "deep_tokens": 2,
    },
    "anovl": {"views": 1, "steps": 1},
    "vl4ad": {"image_size": 40, "short_side": 40},
}
"""Recipe fields by which every method takes milliseconds on the tiny model."""


class World:
    """Built once a process, piece by piece as they are asked for; everything lies below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.environ["HF_HOME"] = str(root / "hub")
        os.environ["ODDLENS_CACHE"] = str(root / "cache")
        os.environ["HOME"] = str(root)
        torch.set_num_threads(1)
        self._detectors: dict[tuple[str, bool], Detector] = {}

    @cached_property
    def model(self) -> Path:
        """The tiny CLIP in open_clip's layout, 40 px, with the tokenizer of a few words."""
        folder = write_open_clip(self.root / "models" / "open-clip", random_weights(0, SHAPE), SHAPE)
        VOCABULARY.save(folder / "tokenizer.json")
        return folder

    @cached_property
    def models(self) -> dict[str, Path]:
        """A model in every layout, by its name."""
        root, weights = self.root / "models", random_weights(0, SHAPE)
        transformers = write_transformers(root / "transformers", weights, SHAPE)
        sharded = write_transformers(root / "sharded", weights, SHAPE, form="sharded")
        in_bin = write_transformers(root / "bin", weights, SHAPE, form="bin")
        for folder in (transformers, sharded, in_bin):
            VOCABULARY.save(folder / "tokenizer.json")
        archive = root / "archive" / "ViT.pt"
        write_openai_archive(
            archive, random_weights(0, Shape(width=64, layers=1, text_layers=1, vocabulary=49408, text_width=64))
        )
        return {
            "open_clip": self.model,
            "transformers": transformers,
            "sharded": sharded,
            "bin": in_bin,
            "embedded": write_embedded(root / "embedded"),
            "openai": archive,
            "siglip": write_siglip(root / "siglip", context=160),
            "dinov2": write_dinov2(root / "dinov2", registers=2),
        }

    @cached_property
    def backbone(self) -> Backbone:
        """The towers of `model`, kept alive so that every detector on it shares them."""
        return load_backbone(self.model, device="cpu")

    @cached_property
    def learned(self) -> dict[str, Path]:
        """Learned parts for `model`: by method, ours and (with "authors' " before it) as the authors write them."""
        root = self.root / "weights"
        root.mkdir(exist_ok=True)
        april = make_recipe(method_card("april-gan").recipe, SMALL["april-gan"])
        prompts = make_recipe(method_card("anomalyclip").recipe, SMALL["anomalyclip"])
        from oddlens.methods.april_gan.method import LinearLayers

        layers = LinearLayers(self.backbone, april.layers)
        made = {"method": "april-gan", "recipe": asdict(april), **self.backbone.identity.to_dict()}
        write_weights(root / "april-gan.safetensors", layers.state_dict(), made)
        torch.save({"trainable_linearlayer": layers.state_dict()}, root / "april-gan.pth")
        drawn = random_prompts(self.backbone, prompts)
        return {
            "april-gan": root / "april-gan.safetensors",
            "authors' april-gan": root / "april-gan.pth",
            "anomalyclip": write_ours(
                root / "anomalyclip.safetensors", dict(drawn.state_dict()), self.backbone, prompts
            ),
            "authors' anomalyclip": write_authors(root / "anomalyclip.pth", drawn, self.backbone),
        }

    def detector(self, method: str, references: bool = False) -> Detector:
        """A detector of the method on `model`, with four references where they are asked for."""
        key = method, references
        if key not in self._detectors:
            detector = oddlens.load(method, self.model, self.learned.get(method), "cpu", **SMALL[method])
            if references:
                detector.add_references(self.pictures[:4])
            self._detectors[key] = detector
        return self._detectors[key]

    def fresh(self, method: str, **recipe: Any) -> Detector:
        """A new detector of the method on `model`, which nothing else uses."""
        _ = self.backbone
        return oddlens.load(method, self.model, self.learned.get(method), "cpu", **(SMALL[method] | recipe))

    @cached_property
    def stations(self) -> dict[str, Path]:
        """Saved detectors."""
        saved = {}
        for name, method, references in (
            ("winclip", "winclip", True),
            ("winclip alone", "winclip", False),
            ("april-gan", "april-gan", True),
            ("anomalyclip", "anomalyclip", False),
            ("anovl", "anovl", False),
            ("vl4ad", "vl4ad", False),
        ):
            saved[name] = self.root / "stations" / name
            self.detector(method, references).save(saved[name])
        return saved

    @cached_property
    def answers(self) -> dict[str, list[float]]:
        """The scores that every station gives of the last two pictures."""
        return {
            name: [each.score for each in oddlens.open_station(folder, "cpu").detect(self.pictures[4:6])]
            for name, folder in self.stations.items()
        }

    @cached_property
    def cached_texts(self) -> dict[Path, tuple[str, float]]:
        """The files of the text cache that hold the words for a gear, each with the method that asks for them and its score."""
        folder = self.root / "cache" / "text"
        found: dict[Path, tuple[str, float]] = {}
        for method in ("winclip", "vl4ad"):
            before = set(folder.rglob("*"))
            score = self.fresh(method).detect(self.pictures[0], "gear")[0].score
            found |= {path: (method, score) for path in sorted(set(folder.rglob("*")) - before) if path.is_file()}
        return found

    @cached_property
    def large_file(self) -> Path:
        """A file so large that its hash is remembered; it takes no room on the disk."""
        path = self.root / "large.bin"
        with path.open("wb") as file:
            file.truncate((64 << 20) + 1)
        return path

    @cached_property
    def run_folder(self) -> Path:
        """A folder with `pictures/` and the whole results of a run over them, `out/`; a copy of it can be gone on with."""
        from tests.fuzz.program import program

        folder = self.root / "run"
        (folder / "pictures").mkdir(parents=True)
        for path, pixels in zip(self.picture_files, self.pictures, strict=True):
            Image.fromarray(pixels).save(folder / path)
        program(folder, *self.run_call)
        return folder

    picture_files = tuple(f"pictures/{number}.png" for number in range(6))

    @property
    def run_call(self) -> list[object]:
        """The call, in its folder, that made the results."""
        references = ["--reference", self.picture_files[0], "--reference", self.picture_files[1]]
        return ["detect", *self.picture_files, "--model", self.model, "--object", "nut", *references, "--out", "out"]

    @cached_property
    def cell(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """A cell of a benchmark as JSON values, and its settings."""
        from tests.evaluation.tiny_set import make_plan, run_whole, write_set

        data = write_set(self.root / "benchmark" / "parts", categories=("bolt",))
        run_whole(make_plan(data, self.model, shots=(2,), seeds=(0,)), self.root / "benchmark" / "out")
        path = next((self.root / "benchmark" / "out" / "cells").rglob("*.json"))
        told = json.loads(path.read_text())
        return told, told["settings"]

    @cached_property
    def pictures(self) -> list[NDArray[np.uint8]]:
        """Six pictures of soft noise, uint8 [40, 48, 3]."""
        rng = np.random.default_rng(5)
        coarse = rng.integers(0, 256, (6, 5, 6, 3), dtype=np.uint8)
        return [np.asarray(Image.fromarray(each).resize((48, 40), Image.Resampling.BICUBIC)) for each in coarse]

    @cached_property
    def png(self) -> bytes:
        """The first picture as a PNG file."""
        path = self.root / "picture.png"
        Image.fromarray(self.pictures[0]).save(path)
        return path.read_bytes()


@contextmanager
def inside(folder: Path) -> Iterator[Path]:
    """Work in a folder for a while."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
