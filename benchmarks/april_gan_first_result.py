"""From a new object name to the first map of APRIL-GAN: ours against the plain way, at ViT-L/14-336 size and 518 px.

    python benchmarks/april_gan_first_result.py [--rounds N] [--shots K]

Random weights of full size. K good examples are encoded beforehand; then a new name and a new image come. The plain
way is the authors' program's: 420 sentences of 77 tokens, the image encoded once for the words and once for the good examples,
nothing cached. It runs on our tower, so that only the way differs. Ours is the public API, with the text cache cold and then warm;
it includes what the authors do not do, holding the good examples against each other for thresholds and the score. All three run in
turn, so that a shared machine slows them alike; prints medians, ratios round by round, and how far the maps are apart. The
processor's seconds, of all threads, stand beside: other programs do not change them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from towers import TEXT_L_14, VIT_L_14_336, random_model

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.cards import find_card
from oddlens.backbone.model import LoadedModel
from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD
from oddlens.backbone.tokenizer import clip_tokenizer
from oddlens.detector import Detector
from oddlens.encoding import EncodedBatch
from oddlens.methods.april_gan.method import AprilGAN
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.methods.base import tensors_of
from oddlens.methods.common.maps import upsample
from oddlens.methods.common.templates import load_states, load_templates, sentences
from oddlens.methods.weights import MethodWeights

Way = Callable[[Detector, NDArray[np.uint8], str], NDArray[np.float32]]
_BATCH = 64


def main() -> None:
    """Time, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shots", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ODDLENS_CACHE"] = cache
        _compare(arguments.rounds, arguments.shots)


def _compare(rounds: int, shots: int) -> None:
    backbone = _backbone()
    generator = np.random.default_rng(0)
    query, *good = (generator.integers(0, 256, (700, 700, 3), dtype=np.uint8) for _ in range(1 + shots))
    references = _detector(backbone).encode(good)
    rows, gap = [], 0.0
    for number in range(rounds):
        name = f"gadget {number}"
        timed = [_timed(way, _detector(backbone, references), query, name) for way in (_plain, _ours, _ours)]
        gap = max(gap, *(float(np.abs(found - timed[0][2]).max()) for *_, found in timed))
        rows.append([each[:2] for each in timed])
    print(f"threads {torch.get_num_threads()}, rounds {rounds}, good examples {shots}")
    ways = ("the plain way", "ours, text cache cold", "ours, text cache warm")
    for column, way in enumerate(ways):
        wall, processor = (statistics.median(row[column][kind] for row in rows) for kind in (0, 1))
        faster = [statistics.median(row[0][kind] / row[column][kind] for row in rows) for kind in (0, 1)]
        print(
            f"{way:24}{wall:8.2f} s  ({processor:7.2f} s of the processor)   {faster[0]:5.1f} ({faster[1]:.1f}) times as fast"
        )
    print(f"largest difference of the maps {gap:.1e}")


def _ours(detector: Detector, query: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
    """What everybody calls."""
    return detector.detect(query, name)[0].anomaly_map


@torch.inference_mode()
def _plain(detector: Detector, query: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
    """The steps of the authors' program."""
    method, references = detector.method, detector.references
    assert isinstance(method, AprilGAN)
    assert references is not None
    text = {"prototypes": torch.stack([_prototype(method.backbone, name, state) for state in ("normal", "abnormal")])}
    (total,) = method.score(tensors_of(detector.encode(query).features), text, None).maps
    features, memory = tensors_of(detector.encode(query).features), method.fit(tensors_of(references.features))
    for layer in method.recipe.layers:
        distance = memory.distance(f"tokens:{layer}", features[f"tokens:{layer}"])
        side = round(distance.shape[1] ** 0.5)
        size = (method.recipe.image_size, method.recipe.image_size)
        total = total + upsample(distance.view(1, side, side), size, align_corners=True)[0]
    found: NDArray[np.float32] = total.numpy()
    return found


def _prototype(backbone: Backbone, name: str, state: str) -> Tensor:
    """The sentences of a state at full length, normalised, their mean normalised."""
    tokens = backbone.tokenizer(sentences(name, getattr(load_states("april_gan"), state), load_templates("april_gan")))
    ids = F.pad(tokens.ids, (0, backbone.text.config.context - tokens.ids.shape[1]))
    parts = zip(torch.split(ids, _BATCH), torch.split(tokens.ends, _BATCH), strict=True)
    features = torch.cat([backbone.text(part, ends) for part, ends in parts])
    return F.normalize(F.normalize(features, dim=-1).mean(dim=0), dim=0)


def _backbone() -> Backbone:
    card = find_card("openai-vit-l-14-336")
    assert card is not None
    model = random_model(VIT_L_14_336, TEXT_L_14)
    for block in (*model.vision.blocks, *model.text.blocks):
        block.activation = "gelu"  # the recipe's
    loaded = LoadedModel(model, clip_tokenizer(), CLIP_MEAN, CLIP_STD, ())
    return Backbone(loaded, card, "random", torch.device("cpu"))


def _detector(backbone: Backbone, references: EncodedBatch | None = None) -> Detector:
    """A new one without cached texts, with good examples that are encoded already."""
    generator = torch.Generator().manual_seed(0)
    shape = backbone.vision.config
    layers = {}
    for number in range(4):
        layers[f"fc.{number}.weight"] = 0.02 * torch.randn(shape.embed_dim, shape.width, generator=generator)
        layers[f"fc.{number}.bias"] = torch.zeros(shape.embed_dim)
    detector = Detector("april-gan", AprilGAN(backbone, AprilGANRecipe(), MethodWeights("random layers", layers)))
    detector.references = references
    return detector


def _timed(
    way: Way, detector: Detector, query: NDArray[np.uint8], name: str
) -> tuple[float, float, NDArray[np.float32]]:
    """Seconds, the processor's seconds, and the map."""
    started, busy = time.perf_counter(), time.process_time()
    found = way(detector, query, name)
    return time.perf_counter() - started, time.process_time() - busy, found


if __name__ == "__main__":
    main()
