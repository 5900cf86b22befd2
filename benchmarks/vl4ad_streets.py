"""Words for the unknown on generated streets: what they change, measured on models trained from scratch, over several seeds.

    python benchmarks/vl4ad_streets.py --runs runs/streets --seeds 0 1 2

For every seed a vision-language pair, trained on generic scenes of all words, and masks on it: every patch one ("dense";
"untrained" is the control), or a decoder's, which learns on generic scenes with all words and then on streets of known things
("decoder"), on such streets only ("streets-only"), or there without words ("linear"). Frames show unknown things that are near
(like a truck), far, or never named; the test frames are the same for all seeds. Models and figures lie under --runs; what is
there is not made again. --report prints the tables of what is there and makes nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import oddlens
from lab.street_pair.training import StreetPairTraining, train
from lab.streets import (
    CLASSES,
    CONCEPTS,
    FAR_OOD,
    FRAME,
    MERGED,
    NEAR_OOD,
    UNNAMED_OOD,
    WORDS,
    Scene,
    generic,
    street,
)
from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.encoding import EncodedBatch
from oddlens.io.atomic import write_text
from oddlens.io.pixels import Pixels
from oddlens.methods.vl4ad.decoder_shape import SMALL, DecoderShape
from oddlens.methods.vl4ad.vocabulary import make_vocabulary
from oddlens.methods.weights import read_weights
from oddlens.metrics import SegmentationAccumulator, pixel_metrics
from oddlens.training.reporting import Reporter
from oddlens.training.vl4ad import SMALL_TRAINING, DecoderRun, DecoderTraining
from oddlens.training.vl4ad_scenes import GivenScenes

GROUPS = {"near": NEAR_OOD, "far": FAR_OOD, "untold": UNNAMED_OOD}
TOLD = (*NEAR_OOD, *FAR_OOD)
SCORES = ("vl4ad", "rba", "entropy", "eam")
"""`max_logit` is `vl4ad` by another name."""
ALPHAS = (0.0, 0.4, 1.0)
SHORT_SIDE = 256
TEST_SEED = 1_000_000

TRAINING = replace(SMALL_TRAINING, iterations=1200, crop=(256, 256), short_side=SHORT_SIDE, colour=False)
"""Colours are left as drawn, as words have theirs."""


@dataclass(frozen=True)
class Stage:
    """One training of a decoder, on frames that are drawn for it."""

    name: str
    classes: Mapping[str, tuple[str, ...]]
    draw: Callable[[int, int], tuple[Pixels, Pixels]]
    frames: int
    settings: DecoderTraining


def draw_generic(number: int, seed: int) -> tuple[Pixels, Pixels]:
    """A generic scene and the word of every pixel."""
    scene = generic(number, seed, FRAME)
    return scene.image, scene.words


def draw_street(number: int, seed: int) -> tuple[Pixels, Pixels]:
    """A street of known things and the class of every pixel."""
    scene = street(number, seed)
    return scene.image, scene.labels


GENERIC = Stage("generic", {word: (word,) for word in WORDS}, draw_generic, 800, TRAINING)
STREETS = Stage("streets", CONCEPTS, draw_street, 400, replace(TRAINING, iterations=900, learning_rate=5e-4))
STREETS_ONLY = replace(STREETS, settings=replace(TRAINING, iterations=1200))

DECODERS: dict[str, tuple[DecoderShape, tuple[Stage, ...]]] = {
    "decoder": (SMALL, (GENERIC, STREETS)),
    "streets-only": (SMALL, (STREETS_ONLY,)),
    "linear": (replace(SMALL, head="linear"), (STREETS_ONLY,)),
}
"""The full training; the same without broad words; and without any words, the vision-only baseline."""

WAYS = ("untrained", "dense", *DECODERS)

Figures = dict[str, Any]


def main() -> None:
    """Train and measure what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="the folder of models and figures")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--masks", nargs="+", choices=WAYS, default=["untrained", "dense", "decoder"])
    parser.add_argument(
        "--frames", type=int, default=40, help="test frames of known things, and of each kind of unknown ones"
    )
    parser.add_argument("--report", action="store_true", help="only print what is there")
    arguments = parser.parse_args()
    figures: dict[str, list[Figures]] = {}
    for seed in arguments.seeds:
        for masks in arguments.masks:
            file = arguments.runs / f"seed-{seed}" / f"{masks}-{arguments.frames}.json"
            if not file.is_file() and not arguments.report:
                write_text(file, json.dumps(measure(masks, seed, arguments.runs, arguments.frames), indent=1) + "\n")
            if file.is_file():
                figures.setdefault(masks, []).append(json.loads(file.read_text()))
    for masks, found in figures.items():
        print_tables(masks, found)


def measure(masks: str, seed: int, runs: Path, count: int) -> Figures:
    """All figures of one way to masks and one seed."""
    detector, seconds = make_detector(masks, seed, runs / f"seed-{seed}")
    started = time.process_time()
    figures: Figures = {"seed": seed, "seconds": seconds}
    if masks not in DECODERS:
        figures["words"] = word_accuracy(detector, count)
    known = [street(number, TEST_SEED) for number in range(count)]
    figures["known"] = known_accuracy(detector, known)
    if masks != "linear":
        first_only = {name: (words[0],) for name, words in CONCEPTS.items()}
        figures["known, first words only"] = known_accuracy(detector, known, classes=first_only)
    figures["unknown"] = [row for group in GROUPS for row in unknown_rows(detector, group, masks, count)]
    figures["seconds"]["measuring"] = time.process_time() - started
    return figures


def make_detector(masks: str, seed: int, folder: Path) -> tuple[Detector, dict[str, float]]:
    """The detector of a seed, made or loaded, and what making it took, in CPU seconds by stage (of this run)."""
    seconds: dict[str, float] = {}
    pair = folder / ("untrained-pair" if masks == "untrained" else "pair")
    if not pair.is_dir():
        settings = StreetPairTraining(seed=seed, **({"scenes": 16, "steps": 0} if masks == "untrained" else {}))
        started = time.process_time()
        train(settings, pair, folder / "pair-work", tell)
        seconds["pair"] = time.process_time() - started
    if masks not in DECODERS:
        return oddlens.load("vl4ad", pair, classes=CONCEPTS, short_side=SHORT_SIDE), seconds
    weights = train_decoder(masks, load_backbone(pair), seed, folder, seconds)
    words: dict[str, Any] = {} if masks == "linear" else {"classes": CONCEPTS}
    return oddlens.load("vl4ad", pair, weights, masks="decoder", **words), seconds


def train_decoder(masks: str, backbone: Backbone, seed: int, folder: Path, seconds: dict[str, float]) -> Path:
    """The weights of a decoder, trained stage by stage, each beginning where the last one ended."""
    shape, stages = DECODERS[masks]
    start: Path | None = None
    for stage in stages:
        out = folder / f"{masks}-{stage.name}.safetensors"
        if not out.is_file():
            started = time.process_time()
            frames = [stage.draw(number, seed) for number in range(stage.frames)]
            schedule = DecoderRun(
                backbone,
                GivenScenes(f"generated {stage.name}, seed {seed}", tuple(stage.classes), frames),
                make_vocabulary(stage.classes),
                shape,
                replace(stage.settings, seed=seed),
                out,
                start=None if start is None else read_weights(start),
            )
            schedule.run(Reporter(progress=tell))
            seconds[stage.name] = time.process_time() - started
        start = out
    assert start is not None
    return start


def word_accuracy(detector: Detector, count: int) -> dict[str, float]:
    """The share of every word's pixels on unseen generic scenes that are taken for it, among all words."""
    scenes = [generic(number, TEST_SEED) for number in range(2 * count)]
    encoded = encode(detector, scenes)
    found = detector.predict(encoded, classes={word: (word,) for word in WORDS})
    accumulator = SegmentationAccumulator(len(WORDS)).update([scene.words for scene in scenes], list(labels(found)))
    right = np.diag(accumulator.confusion) / accumulator.confusion.sum(axis=1)
    return dict(zip(WORDS, right.tolist(), strict=True)) | {"all": accumulator.compute().accuracy}


def known_accuracy(detector: Detector, frames: Sequence[Scene], **asked: Any) -> Figures:
    """Pixel accuracy and mean IoU of the known classes on frames of known things."""
    found = detector.predict(encode(detector, frames), **asked)
    metrics = SegmentationAccumulator(len(CLASSES)).update([f.labels for f in frames], list(labels(found))).compute()
    return {"accuracy": metrics.accuracy, "miou": metrics.miou, "iou": dict(zip(CLASSES, metrics.iou, strict=True))}


def unknown_rows(detector: Detector, group: str, masks: str, count: int) -> Iterator[Figures]:
    """AP and FPR95 of one kind of unknown things, for every combination of words, merging, alpha and score."""
    words = GROUPS[group]
    frames = [street(number, TEST_SEED + 1, (words[number % len(words)],)) for number in range(count)]
    unknown = [frame.unknown for frame in frames]
    encoded = encode(detector, frames)
    for told in ((), TOLD) if masks != "linear" else ((),):
        for merge in ("none", dict(MERGED)):
            for alpha in ALPHAS if masks in DECODERS and masks != "linear" else (0.0,):
                for score in SCORES:
                    found = detector.predict(encoded, ood=told, merge=merge, alpha=alpha, score=score)
                    metrics = pixel_metrics(unknown, [each.heatmap() for each in found])
                    yield {
                        "group": group, "share": float(np.mean(unknown)), "told": bool(told), "merged": merge != "none",
                        "alpha": alpha, "score": score, "ap": metrics.ap, "fpr95": metrics.fpr95, "auroc": metrics.auroc,
                    }  # fmt: skip


def encode(detector: Detector, frames: Sequence[Scene]) -> EncodedBatch:
    """Frames, encoded."""
    return detector.encode([frame.image for frame in frames])


def labels(found: Sequence[Detection]) -> Iterator[NDArray[np.uint8]]:
    """The known class of every pixel at the frame's own size."""
    for each in found:
        assert each.labels is not None
        yield np.asarray(cv2.resize(each.labels, each.image_size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def print_tables(masks: str, figures: Sequence[Figures]) -> None:
    """Means over seeds in percent, with the least and the most, as Markdown."""
    print(f"\n## {masks}, seeds {', '.join(str(each['seed']) for each in figures)}\n")
    for name in ("known", "known, first words only"):
        if name in figures[0]:
            accuracy, miou = (spread([each[name][what] for each in figures]) for what in ("accuracy", "miou"))
            print(f"{name}: accuracy {accuracy}, mIoU {miou}")
    if "words" in figures[0]:
        print(
            "words: "
            + ", ".join(f"{word} {spread([each['words'][word] for each in figures])}" for word in ("all", *WORDS))
        )
    keys = ("told", "merged", "alpha", "score")
    heads = [
        f"{group} ({spread([_share(each, group) for each in figures[:1]])} %) {what}"
        for group in GROUPS
        for what in ("AP", "FPR95")
    ]
    print("\n| " + " | ".join((*keys, *heads)) + " |\n" + "|---" * (len(keys) + len(heads)) + "|")
    for key in dict.fromkeys(tuple(row[each] for each in keys) for row in figures[0]["unknown"]):
        rows = [row for each in figures for row in each["unknown"] if tuple(row[name] for name in keys) == key]
        cells = [
            spread([row[what] for row in rows if row["group"] == group]) for group in GROUPS for what in ("ap", "fpr95")
        ]
        told, merged, alpha, score = key
        print("| " + " | ".join(("yes" if told else "-", "yes" if merged else "-", f"{alpha:g}", score, *cells)) + " |")


def _share(figures: Figures, group: str) -> float:
    """The share of the pixels of a group's frames that are unknown."""
    return next(float(row["share"]) for row in figures["unknown"] if row["group"] == group)


def spread(values: Sequence[float]) -> str:
    """The mean in percent, with the least and the most where there are several."""
    low, mean, high = (100 * float(each) for each in (np.min(values), np.mean(values), np.max(values)))
    return f"{mean:.1f} ({low:.1f} to {high:.1f})" if len(values) > 1 else f"{mean:.1f}"


def tell(stage: str, done: int, total: int, losses: str = "") -> None:
    if done == total or done % 50 == 0:
        print(f"{stage} {done}/{total} {losses}", flush=True)


if __name__ == "__main__":
    main()
