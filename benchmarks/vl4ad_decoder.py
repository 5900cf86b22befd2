"""VL4AD's mask decoder by stage: seconds and peak memory of encoding a frame and of predicting, at 512x1024 and 1024x2048.

    python benchmarks/vl4ad_decoder.py [--rounds N] [--model NAME ...] [--frame HEIGHTxWIDTH ...] [--queries N] [--window N]

Random weights, for timing only: ConvNeXt CLIPs of the published measures without their text towers, and the embedded model. Every
row runs in a process of its own. Stages: tower, pixels (the pixel decoder, with the pyramid where the tower has none), queries (the
transformer decoder and the classes), encode (all of it as `encode` does it), predict (class probabilities of 66 words, the map and
the labels). Each cell: the median of wall time over the rounds / processor time, all threads together; then the largest
memory of the process up to that stage.

    python benchmarks/vl4ad_decoder.py --step [--rounds N] [--model NAME ...]

One step of training a small decoder, four crops of 128x256, likewise.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oddlens.backbone.backbone import Backbone

STAGES = {"convnext-base": (128, 256, 512, 1024), "convnext-large": (192, 384, 768, 1536)}
MODELS = ("convnext-base", "convnext-large", "mini")
FRAMES = ("512x1024", "1024x2048")
WORDS, CLASSES = 63, 19
WIDTH = 23


def main() -> None:
    """Run every model and frame, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", nargs="+", choices=MODELS, default=["convnext-base"])
    parser.add_argument("--frame", nargs="+", default=list(FRAMES))
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--window", type=int, help="the longest side that is seen at once, in pixels")
    parser.add_argument("--step", action="store_true", help="measure a step of training instead")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.model[0], given.frame[0], given.rounds, given.queries, given.window)))
        return
    if given.step:
        for model in given.model:
            wall, processor, peak = training_step(model, given.rounds)
            print(f"{model}: {wall:.2f}s / {processor:.2f}s a step, {peak:.0f}MB")
        return
    heads = ("tower", "pixels", "queries", "encode", "predict")
    print(" " * 25 + "".join(f"{head:>{WIDTH}}" for head in (*heads, "encode / predict")))
    for model, frame in itertools.product(given.model, given.frame):
        command = [sys.executable, __file__, "--measure", "--model", model, "--frame", frame]
        command += ["--rounds", str(given.rounds), "--queries", str(given.queries)]
        command += ["--window", str(given.window)] if given.window else []
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        row = json.loads(done.stdout)
        cells = [f"{row[head][0]:.2f}s/{row[head][1]:.2f}s {row[head][2]:.0f}MB" for head in heads]
        cells.append(f"{row['encode'][1] / row['predict'][1]:.0f}x")
        print(f"{model + ' ' + frame:25}" + "".join(f"{cell:>{WIDTH}}" for cell in cells), flush=True)


def measure(model: str, frame: str, rounds: int, queries: int, window: int | None) -> dict[str, list[float]]:
    """Wall seconds, processor seconds and megabytes of each stage."""
    import numpy as np
    import torch
    import torch.nn.functional as F

    from oddlens.backbone.pyramid import map_tower
    from oddlens.backbone.vision_pass import VisionPass
    from oddlens.methods.vl4ad.decoder import weights_of
    from oddlens.methods.vl4ad.decoder_network import MaskDecoder
    from oddlens.methods.vl4ad.decoder_shape import DecoderShape
    from oddlens.methods.vl4ad.method import VL4AD
    from oddlens.methods.vl4ad.recipe import VL4ADRecipe
    from oddlens.methods.weights import MethodWeights
    from oddlens.methods.weights_provenance import WeightsProvenance

    torch.manual_seed(0)
    height, width = map(int, frame.split("x"))
    backbone = _backbone(model)
    tower = map_tower(backbone.vision)
    shape = DecoderShape(queries=queries)
    network = MaskDecoder(shape, tower.strides, tower.channels, backbone.card.embed_dim).eval().requires_grad_(False)
    concepts = F.normalize(torch.randn(WORDS + 3, backbone.card.embed_dim), dim=-1)
    columns = torch.cat([torch.arange(WORDS) % CLASSES, torch.arange(CLASSES, CLASSES + 3)])
    known = {"concepts": concepts[:WORDS], "columns": columns[:WORDS]}
    provenance: WeightsProvenance = {
        "method": "vl4ad",
        "recipe": {"short_side": height, "classes": {}},
        "model": backbone.card.name,
        "model_fingerprint": backbone.fingerprint,
        "decoder": asdict(shape),
    }
    learned = MethodWeights("random weights", weights_of(network, known), provenance)
    method = VL4AD(
        backbone, VL4ADRecipe(masks="decoder", window=window, overlap=0.25, ood=("box", "dog", "tyre")), learned
    )
    text = {"concepts": concepts, "columns": columns, "member": torch.arange(CLASSES)}
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    seen_at_once = [min(side, window or side) for side in (height, width)]

    found: dict[str, list[float]] = {}
    with torch.inference_mode():
        pixels = torch.randn(1, 3, *seen_at_once)
        maps = _timed(found, "tower", rounds, tower.feature_maps, pixels).maps
        seen = _timed(found, "pixels", rounds, _pixels, network, maps)
        _timed(found, "queries", rounds, _queries, network, seen)
        del maps, seen
        features = _timed(found, "encode", rounds, method.encode, VisionPass(backbone, [picture], method.request))
        _timed(found, "predict", rounds, method.score, features, text, None)
    return found


def training_step(model: str, rounds: int) -> list[float]:
    """Wall seconds, processor seconds and megabytes of one step."""
    import tempfile

    import numpy as np
    import torch

    from oddlens.methods.vl4ad.decoder_shape import SMALL
    from oddlens.methods.vl4ad.vocabulary import make_vocabulary
    from oddlens.training.vl4ad import SMALL_TRAINING, DecoderRun
    from oddlens.training.vl4ad_scenes import GivenScenes

    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (128, 256, 3), dtype=np.uint8)
    classes = np.repeat(np.repeat(rng.integers(0, 8, (4, 8), dtype=np.uint8), 32, axis=0), 32, axis=1)
    names = [f"class {letter}" for letter in "abcdefgh"]
    scenes = GivenScenes("noise", tuple(names), [(picture, classes)])
    with tempfile.TemporaryDirectory() as folder:
        schedule = DecoderRun(
            _backbone(model), scenes, make_vocabulary({name: [name] for name in names}), SMALL, SMALL_TRAINING,
            Path(folder) / "decoder.safetensors",
        )  # fmt: skip
        optimiser = torch.optim.AdamW(schedule.network.parameters(), lr=SMALL_TRAINING.learning_rate)
        found: dict[str, list[float]] = {}
        _timed(found, "step", rounds, schedule.step, 0, optimiser)
    return found["step"]


def _pixels(network: Any, maps: Any) -> Any:
    return network.pixels(network.pyramid(maps))


def _queries(network: Any, seen: Any) -> Any:
    decoded = network.transformer(seen.multi_scale_features, seen.mask_features)
    queries, masks = decoded.intermediate_hidden_states[-1], decoded.masks_queries_logits[-1]
    return network.head(queries.transpose(0, 1), masks, seen.mask_features)


def _timed(found: dict[str, list[float]], stage: str, rounds: int, call: Callable[..., Any], *given: Any) -> Any:
    wall, processor = [], []
    for _ in range(rounds + 1):  # the first round is to warm up
        started = time.perf_counter(), time.process_time()
        result = call(*given)
        wall.append(time.perf_counter() - started[0])
        processor.append(time.process_time() - started[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found[stage] = [statistics.median(wall[1:]), statistics.median(processor[1:]), peak]
    return result


def _backbone(model: str) -> Backbone:
    """The embedded model, or a random ConvNeXt CLIP with next to no text tower."""
    import torch

    from oddlens.backbone.backbone import Backbone
    from oddlens.backbone.cards import MINI
    from oddlens.backbone.convnext import ConvNextConfig, ConvNextTower
    from oddlens.backbone.load import load_backbone
    from oddlens.backbone.model import LoadedModel, Model
    from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
    from oddlens.backbone.text import TextConfig, TextTower
    from oddlens.backbone.tokenizer import clip_tokenizer

    if model == "mini":
        return load_backbone(None, device="cpu")
    widths = STAGES[model]
    vision = ConvNextConfig(320, (3, 3, 27, 3), widths, 640)
    text = TextConfig(77, 49408, 64, 1, 1, 64, 640, "gelu")
    clip = Model(ConvNextTower(vision), TextTower(text)).requires_grad_(False)
    loaded = LoadedModel(clip, clip_tokenizer(), CLIP_MEAN, CLIP_STD, (Path("random"),))
    card = replace(MINI, name=model, image_size=320, patch_size=32, width=widths[-1], layers=36, embed_dim=640)
    return Backbone(loaded, card, "random", torch.device("cpu"))


if __name__ == "__main__":
    main()
