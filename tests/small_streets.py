"""What tests of mask decoders stand on: a frame of three plain classes, and a decoder that takes milliseconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oddlens.backbone.backbone import Backbone
from oddlens.methods.vl4ad.decoder_shape import DecoderShape
from oddlens.methods.vl4ad.vocabulary import make_vocabulary
from oddlens.methods.weights import MethodWeights, read_weights
from oddlens.training.vl4ad import DecoderRun, DecoderTraining
from oddlens.training.vl4ad_scenes import GivenScenes

Pixels = NDArray[np.uint8]

WORDS = {"road": ["road", "street"], "sky": ["sky"], "car": ["car", "van"]}
SHAPE = DecoderShape(queries=6, layers=2, width=32, heads=2, feedforward=32, pixel_layers=1, pixel_feedforward=32)
LINEAR = replace(SHAPE, head="linear")
QUICK = DecoderTraining(
    iterations=3, batch=2, crop=(32, 64), short_side=32, least=1, most=1.5, learning_rate=1e-3, clip=1, points=64, colour=False
)  # fmt: skip


def frame(seed: int = 0, height: int = 64, width: int = 96) -> tuple[Pixels, Pixels]:
    """Sky over road, a car on it, and a corner that does not count; numbers in the order sky, road, car."""
    rng = np.random.default_rng(seed)
    classes = np.zeros((height, width), np.uint8)
    classes[height // 2 :] = 1
    left = int(rng.integers(0, width // 2))
    classes[height // 2 + 4 : height - 8, left : left + width // 3] = 2
    colours = np.array([[120, 180, 250], [90, 90, 90], [220, 40, 30]])
    pixels = np.clip(colours[classes] + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)
    classes[:8, :8] = 255
    return pixels, classes


def scenes(count: int = 2) -> GivenScenes:
    return GivenScenes("small", ("sky", "road", "car"), [frame(seed) for seed in range(count)])


def schedule(
    backbone: Backbone, out: Path, shape: DecoderShape = SHAPE, settings: DecoderTraining = QUICK, count: int = 2,
    start: MethodWeights | None = None, overwrite: bool = False,
) -> DecoderRun:  # fmt: skip
    words = make_vocabulary(WORDS)
    return DecoderRun(backbone, scenes(count), words, shape, settings, out, start=start, overwrite=overwrite)


def trained(
    backbone: Backbone, out: Path, shape: DecoderShape = SHAPE, settings: DecoderTraining = QUICK
) -> MethodWeights:
    schedule(backbone, out, shape, settings).run()
    return read_weights(out)
