"""Parity of every method that can be exported with the graphs that it becomes: features, scores, maps.

    python benchmarks/export.py [--models mini vit-b] [--methods NAME...] [--references N...] [--batches N...]
                                [--encoded N] [--runtime onnx|openvino]

"vit-b" has random weights of the size of ViT-B-16-plus-240. Learned parts (APRIL-GAN's layers, AnomalyCLIP's prompts) are random
too: differences prove the arithmetic, no accuracy. Images are generated, and of several shapes. References are encoded by each
side with its own encoder, at most N of them (50): an image takes WinCLIP on "vit-b" ten seconds. Those beyond are the same again
with a tenth of their channels negated, on both sides alike, which makes other rows of the same lengths. Each row is the largest
difference over a batch; the program ends with 1 where one is beyond 1e-4.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from towers import TEXT_B_16_PLUS, VIT_B_16_PLUS, random_model

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.cards import find_card
from oddlens.backbone.load import load_backbone
from oddlens.backbone.model import LoadedModel
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
from oddlens.backbone.tokenizer import clip_tokenizer
from oddlens.detector import Detector
from oddlens.encoding import EncodedBatch
from oddlens.export.folder import write_graphs
from oddlens.export.graphs import torch_method
from oddlens.export.parity import LIMIT
from oddlens.io.pixels import Pixels
from oddlens.methods.anomaly_clip.prompts import LearnablePrompts
from oddlens.methods.april_gan.method import LinearLayers
from oddlens.methods.base import method_class
from oddlens.methods.recipe import Depth, fit_recipe, make_recipe
from oddlens.methods.recipe_fields import Recipe
from oddlens.methods.registry import method_card
from oddlens.methods.scoring import ScoringMethod
from oddlens.methods.weights import MethodWeights
from oddlens.runtime import GraphMethod
from oddlens.runtime.engine import GRAPH_RUNTIMES
from oddlens.runtime.graph_folder import GraphFolder

METHODS = ("winclip", "patch-knn", "april-gan", "anomalyclip", "anovl")
SIZES = ((300, 200), (200, 300), (240, 240), (640, 360))


def main() -> None:
    """Export, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=("mini", "vit-b"), default=["mini", "vit-b"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--references", nargs="+", type=int, default=[0, 1, 4, 50])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 3, 8])
    parser.add_argument("--encoded", type=int, default=50)
    parser.add_argument("--runtime", choices=GRAPH_RUNTIMES, default="onnx")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'model':8}{'method':13}{'references':>10}{'images':>8}{'features':>10}{'scores':>10}{'maps':>10}")
    worst = 0.0
    for model in options.models:
        backbone = load_backbone(None, device="cpu") if model == "mini" else _random_backbone()
        for name in options.methods:
            detector = _detector(name, backbone)
            with tempfile.TemporaryDirectory() as folder:
                started = time.process_time()
                write_graphs(torch_method(detector.method), Path(folder), objects=["part"])
                print(
                    f"{model:8}{name:13}exported in {time.process_time() - started:.0f} s of processor time", flush=True
                )
                graphs = Detector(name, GraphMethod(GraphFolder.read(Path(folder)), "cpu", options.runtime))
                worst = max(
                    worst, _compare(model, detector, graphs, options.references, options.batches, options.encoded)
                )
    print(f"largest difference {worst:.1e} (limit {LIMIT:g})")
    sys.exit(worst > LIMIT)


def _compare(
    model: str, one: Detector, other: Detector, references: list[int], batches: list[int], encoded: int
) -> float:
    """The largest difference of all; a row is printed for each number of references and images."""
    needs = one.method.card.needs.references
    counts = [count for count in references if (count == 0 if needs == "no" else count > 0 or needs == "optional")]
    most = max(counts, default=0)
    good = [
        _more(each.encode_references(_images(min(most, encoded), 1)), most, each.method) if most else None
        for each in (one, other)
    ]
    worst = 0.0
    for size in batches:
        batch = [each.encode(_images(size, size + 1)) for each in (one, other)]
        mine, its = (each.to_arrays().features for each in batch)
        features = max(_largest(mine[name], its[name]) for name in its)
        for count in counts:
            for each, known in zip((one, other), good, strict=True):
                each.references = known[:count] if known is not None and count else None
            pairs = list(zip(one.predict(batch[0]), other.predict(batch[1]), strict=True))
            scores = max(abs(a.score - b.score) for a, b in pairs)
            maps = max(_largest(a.anomaly_map, b.anomaly_map) for a, b in pairs)
            print(f"{model:8}{one.name:13}{count:10}{size:8}{features:10.1e}{scores:10.1e}{maps:10.1e}", flush=True)
            worst = max(worst, features, scores, maps)
    return worst


def _more(encoded: EncodedBatch, count: int, method: ScoringMethod) -> EncodedBatch:
    """So many references: those that are encoded, and as many more as are lacking, made of them."""
    saved, rng = encoded.to_arrays(), np.random.default_rng(3)
    numbers = np.arange(count) % len(encoded)
    features = {}
    for name, value in saved.features.items():
        features[name] = value[numbers]
        if value.dtype == np.float32:
            signs = np.where(rng.random((count, value.shape[-1])) < 0.1, -1, 1).astype(np.float32)
            signs[: len(encoded)] = 1
            features[name] = features[name] * np.expand_dims(signs, tuple(range(1, value.ndim - 1)))
    return EncodedBatch.of_arrays(
        replace(
            saved,
            features=features,
            sources=tuple(str(number) for number in range(count)),
            sizes=tuple(saved.sizes[number] for number in numbers),
            notes=tuple(saved.notes[number] for number in numbers),
            digests=(),
        ),
        method,
    )


def _largest(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float(np.abs(one.astype(np.float64) - other).max())


def _images(count: int, seed: int) -> list[Pixels]:
    """Smooth colours of several shapes."""
    rng = np.random.default_rng(seed)
    coarse = [Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(count)]
    return [np.asarray(each.resize(SIZES[number % len(SIZES)])) for number, each in enumerate(coarse)]


def _random_backbone() -> Backbone:
    card = find_card("laion400m-vit-b-16-plus-240-e31")
    assert card is not None
    loaded = LoadedModel(random_model(VIT_B_16_PLUS, TEXT_B_16_PLUS), clip_tokenizer(), CLIP_MEAN, CLIP_STD, ())
    return Backbone(loaded, card, "random", torch.device("cpu"))


def _detector(name: str, backbone: Backbone) -> Detector:
    """A method under its default recipe, as far as it can be exported; what it learned is random."""
    card = method_card(name)
    given: dict[str, object] = {"adapt": False} if name == "anovl" else {}
    if name == "patch-knn" and not backbone.card.stages:
        given["aspect"] = False
    depth = Depth(backbone.vision.config.layers, backbone.text.config.layers)
    recipe, notes = fit_recipe(make_recipe(card.recipe, given), given.keys(), backbone.card.image_size, depth)
    return Detector(name, method_class(card)(backbone, recipe, _weights(name, backbone, recipe)), notes)


def _weights(name: str, backbone: Backbone, recipe: Recipe) -> MethodWeights | None:
    fields = vars(recipe)
    if name == "april-gan":
        return MethodWeights("random layers", LinearLayers(backbone, fields["layers"]).state_dict())
    if name == "anomalyclip":
        drawn = LearnablePrompts(
            backbone.text, backbone.tokenizer, fields["context_length"], fields["prompt_depth"], fields["deep_tokens"]
        )
        return MethodWeights("random prompts", drawn.state_dict())
    return None


if __name__ == "__main__":
    main()
