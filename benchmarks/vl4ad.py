"""VL4AD by stage: seconds and peak memory of encoding a frame and of predicting, at 512x1024 and 1024x2048.

    python benchmarks/vl4ad.py [--rounds N] [--model mini ...] [--frame HEIGHTxWIDTH ...]

Models: "mini" as released, "vit-b-16" with random weights of OpenAI's measures, for timing only. Every model and frame runs
in a process of its own, so that its peak memory is its own. Stages: encode (pixels to masks), predict (the map and labels, words
known), predict with words that are new to this process and on disk, and with words that the text tower never saw. Medians over the
rounds, of processor time, all threads together, which a shared machine changes least; beside encode its wall time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oddlens.backbone.backbone import Backbone

MODELS = ("mini", "vit-b-16")
FRAMES = ("512x1024", "1024x2048")
WIDTH = 12
NEW = ("caravan", "dog", "cardboard box")


def main() -> None:
    """Run every model and frame, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--frame", nargs="+", default=list(FRAMES))
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.model[0], given.frame[0], given.rounds)))
        return
    heads = ("encode", "wall", "predict", "new words", "encode / it", "never seen", "loaded", "peak")
    print(" " * 20 + "".join(f"{head:>{WIDTH}}" for head in heads))
    for model, frame in itertools.product(given.model, given.frame):
        command = [sys.executable, __file__, "--measure", "--model", model, "--frame", frame]
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run(
                [*command, "--rounds", str(given.rounds)],
                env=os.environ | {"ODDLENS_CACHE": cache},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=True,
            )
        row = json.loads(done.stdout)
        cells = [
            f"{row['encode']:.2f}s",
            f"{row['wall']:.2f}s",
            f"{1000 * row['predict']:.0f}ms",
            f"{1000 * row['new']:.0f}ms",
            f"{row['encode'] / row['new']:.0f}x",
            f"{row['never']:.2f}s",
            f"{row['loaded']:.0f}MB",
            f"{row['peak']:.0f}MB",
        ]
        print(f"{model + ' ' + frame:20}" + "".join(f"{cell:>{WIDTH}}" for cell in cells), flush=True)


def measure(model: str, frame: str, rounds: int) -> dict[str, float]:
    """Seconds of each stage and megabytes."""
    import numpy as np
    import torch

    from oddlens.detector import Detector
    from oddlens.methods.vl4ad.method import VL4AD
    from oddlens.methods.vl4ad.recipe import VL4ADRecipe

    height, width = map(int, frame.split("x"))
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    backbone = _backbone(model)
    recipe = VL4ADRecipe(image_size=backbone.card.image_size)

    def fresh() -> Detector:
        return Detector("vl4ad", VL4AD(backbone, recipe))

    with torch.inference_mode():
        detector = fresh()
        detector.method.encode_prompts("street")  # the known classes: once and for all on disk
        loaded = _peak_mb()
        encoded = detector.encode([picture])
        started = time.perf_counter()
        encodes = [_seconds(lambda: detector.encode([picture])) for _ in range(rounds)]
        wall = (time.perf_counter() - started) / rounds
        predicts = [_seconds(lambda: detector.predict(encoded)) for _ in range(rounds + 1)][1:]
        never = _seconds(lambda: detector.predict(encoded, ood=NEW))
        news = []
        for _ in range(rounds):
            other = fresh()
            other.predict(encoded)
            news.append(_seconds(lambda: other.predict(encoded, ood=NEW)))  # noqa: B023 called at once
    return {
        "encode": statistics.median(encodes),
        "wall": wall,
        "predict": statistics.median(predicts),
        "new": statistics.median(news),
        "never": never,
        "loaded": loaded,
        "peak": _peak_mb(),
    }


def _backbone(model: str) -> Backbone:
    """The embedded model, or a random one of the measures of OpenAI's ViT-B/16."""
    import torch
    from towers import random_model

    from oddlens.backbone.backbone import Backbone
    from oddlens.backbone.cards import Card
    from oddlens.backbone.load import load_backbone
    from oddlens.backbone.model import LoadedModel
    from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
    from oddlens.backbone.text import TextConfig
    from oddlens.backbone.tokenizer import clip_tokenizer
    from oddlens.backbone.vision import VisionConfig

    if model == "mini":
        return load_backbone(None, device="cpu")
    vision = VisionConfig(224, 16, 768, 12, 12, 3072, 512, "quick_gelu")
    text = TextConfig(77, 49408, 512, 12, 8, 2048, 512, "quick_gelu")
    loaded = LoadedModel(random_model(vision, text), clip_tokenizer(), CLIP_MEAN, CLIP_STD, (Path("random"),))
    card = Card(name=model, layout="openai", image_size=224, patch_size=16, width=768, layers=12, embed_dim=512)
    return Backbone(loaded, card, "random", torch.device("cpu"))


def _seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
