"""Words for the unknown on generated streets: what they change, measured on models trained from scratch, over several seeds.

    python benchmarks/vl4ad_streets.py --runs runs/streets --seeds 0 1 2

For every seed a vision-language pair (generic scenes of all words), a mask decoder on it (first generic scenes, then streets of
known things only), and frames with unknown things: near (like a truck), far, and such that are never told. The test frames are the
same for all seeds. Models and figures are kept under --runs; what is there is not made again. --report prints the tables of what
is there and makes nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import oddlens
from oddlens.atomic import write_text
from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.data.streets import (
    CLASSES,
    CONCEPTS,
    FAR_OOD,
    FRAME,
    MERGED,
    NEAR_OOD,
    UNTOLD_OOD,
    WORDS,
    Scene,
    generic,
    street,
)
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.encoding import Encoded
from oddlens.methods.vl4ad.decoder_shape import SMALL
from oddlens.methods.vl4ad.vocabulary import make_vocabulary
from oddlens.metrics import SegmentationAccumulator, pixel_metrics
from oddlens.training.run import Teller
from oddlens.training.street_pair import StreetPairTraining, train
from oddlens.training.vl4ad import SMALL_TRAINING, DecoderCourse, DecoderTraining
from oddlens.training.vl4ad_scenes import GivenScenes
from oddlens.weights import read_learned

GROUPS = {"near": NEAR_OOD, "far": FAR_OOD, "untold": UNTOLD_OOD}
TOLD = (*NEAR_OOD, *FAR_OOD)
SCORES = ("vl4ad", "max_logit", "rba", "entropy", "eam")
SHORT_SIDE = 256
TEST_SEED = 1_000_000

BROAD_FRAMES, STREET_FRAMES = 800, 400
BROAD = replace(SMALL_TRAINING, iterations=400, crop=(256, 256), short_side=SHORT_SIDE, colour=False)
"""Stage A; colours are left as drawn, as words have theirs."""

STREETS = replace(BROAD, iterations=200, learning_rate=3e-4)
"""Stage B."""

Figures = dict[str, Any]


def main() -> None:
    """Train and measure what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="where models and figures are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--masks", nargs="+", choices=["untrained", "dense", "decoder"], default=["untrained", "dense", "decoder"]
    )
    parser.add_argument(
        "--frames", type=int, default=40, help="test frames of known things, and of each kind of unknown ones"
    )
    parser.add_argument("--report", action="store_true", help="only print what is there")
    arguments = parser.parse_args()
    figures: dict[str, list[Figures]] = {}
    for masks in arguments.masks:
        for seed in arguments.seeds:
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
    if masks != "decoder":
        figures["words"] = word_accuracy(detector, count)
    known = [street(number, TEST_SEED) for number in range(count)]
    figures["known"] = known_accuracy(detector, known)
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
        train(settings, pair, folder / "pair-work", _tell)
        seconds["pair"] = time.process_time() - started
    words: Mapping[str, Any] = {"classes": dict(CONCEPTS), "short_side": SHORT_SIDE}
    if masks != "decoder":
        return oddlens.load("vl4ad", pair, **words), seconds
    weights = train_decoder(load_backbone(pair), seed, folder, seconds)
    return oddlens.load("vl4ad", pair, weights, masks="decoder", classes=dict(CONCEPTS)), seconds


def train_decoder(backbone: Backbone, seed: int, folder: Path, seconds: dict[str, float]) -> Path:
    """A decoder for broad words on generic scenes, then, slower, for the known classes on streets of known things."""
    broad, final = folder / "decoder-broad.safetensors", folder / "decoder.safetensors"
    words = {word: (word,) for word in WORDS}
    stages: tuple[tuple[Path, str, Mapping[str, Sequence[str]], Callable[[int], Scene], int, DecoderTraining], ...] = (
        (broad, "generic scenes", words, lambda number: generic(number, seed, FRAME), BROAD_FRAMES, BROAD),
        (final, "streets of known things", dict(CONCEPTS), lambda number: street(number, seed), STREET_FRAMES, STREETS),
    )
    start: Path | None = None
    for out, name, concepts, draw, count, settings in stages:
        if not out.is_file():
            started = time.process_time()
            frames = [draw(number) for number in range(count)]
            seen = [(each.image, each.words if out == broad else each.labels) for each in frames]
            course = DecoderCourse(
                backbone,
                GivenScenes(f"{name}, seed {seed}", tuple(concepts), seen),
                make_vocabulary(concepts),
                SMALL,
                replace(settings, seed=seed),
                out,
                start=None if start is None else read_learned(start),
            )
            course.run(Teller(progress=_tell_losses))
            seconds[name] = time.process_time() - started
        start = out
    return final


def word_accuracy(detector: Detector, count: int) -> dict[str, float]:
    """The share of every word's pixels on unseen generic scenes that are taken for it, among all words."""
    scenes = [generic(number, TEST_SEED) for number in range(2 * count)]
    encoded = encode(detector, scenes)
    found = detector.ask(encoded, classes={word: (word,) for word in WORDS})
    accumulator = SegmentationAccumulator(len(WORDS)).update([scene.words for scene in scenes], list(labels(found)))
    right = np.diag(accumulator.confusion) / accumulator.confusion.sum(axis=1)
    return dict(zip(WORDS, right.tolist(), strict=True)) | {"all": accumulator.compute().accuracy}


def known_accuracy(detector: Detector, frames: Sequence[Scene], **asked: Any) -> Figures:
    """Pixel accuracy and mean IoU of the known classes on frames of known things."""
    found = detector.ask(encode(detector, frames), **asked)
    metrics = SegmentationAccumulator(len(CLASSES)).update([f.labels for f in frames], list(labels(found))).compute()
    return {"accuracy": metrics.accuracy, "miou": metrics.miou, "iou": dict(zip(CLASSES, metrics.iou, strict=True))}


def unknown_rows(detector: Detector, group: str, masks: str, count: int) -> Iterator[Figures]:
    """AP and FPR95 of one kind of unknown things, for every combination of words, merging, alpha and score."""
    words = GROUPS[group]
    frames = [street(number, TEST_SEED + 1, (words[number % len(words)],)) for number in range(count)]
    unknown = [frame.unknown for frame in frames]
    encoded = encode(detector, frames)
    for told in ((), TOLD):
        for merge in ("none", dict(MERGED)):
            for alpha in (0.0, 0.4) if masks == "decoder" else (0.0,):
                for score in SCORES:
                    found = detector.ask(encoded, ood=told, merge=merge, alpha=alpha, score=score)
                    metrics = pixel_metrics(unknown, [each.heatmap() for each in found])
                    yield {
                        "group": group, "share": float(np.mean(unknown)), "told": bool(told), "merged": merge != "none",
                        "alpha": alpha, "score": score, "ap": metrics.ap, "fpr95": metrics.fpr95, "auroc": metrics.auroc,
                    }  # fmt: skip


def encode(detector: Detector, frames: Sequence[Scene]) -> Encoded:
    """Frames, encoded."""
    return detector.encode([frame.image for frame in frames])


def labels(found: Sequence[Detection]) -> Iterator[NDArray[np.uint8]]:
    """The known class of every pixel at the frame's own size."""
    for each in found:
        assert each.labels is not None
        yield np.asarray(cv2.resize(each.labels, each.image_size, interpolation=cv2.INTER_NEAREST), np.uint8)


def print_tables(masks: str, figures: Sequence[Figures]) -> None:
    """Means over seeds, and the least and the most where they differ."""
    print(f"\n{masks}, {len(figures)} seeds")
    for name in ("known", "known, first words only"):
        accuracy, miou = (spread([f[name][each] for f in figures]) for each in ("accuracy", "miou"))
        print(f"  {name}: accuracy {accuracy}, mIoU {miou}")
    if "words" in figures[0]:
        print("  words: " + ", ".join(f"{w} {spread([f['words'][w] for f in figures])}" for w in ("all", *WORDS)))
    keys = ("told", "merged", "alpha", "score")
    print(
        f"  {'told':5} {'merged':6} {'alpha':5} {'score':10}"
        + "".join(f"{group + ' AP / FPR95':>40}" for group in GROUPS)
    )
    for key in dict.fromkeys(tuple(row[each] for each in keys) for row in figures[0]["unknown"]):
        cells = []
        for group in GROUPS:
            rows = [
                row
                for f in figures
                for row in f["unknown"]
                if row["group"] == group and tuple(row[each] for each in keys) == key
            ]
            cells.append(f"{spread([row['ap'] for row in rows])} / {spread([row['fpr95'] for row in rows])}")
        told, merged, alpha, score = key
        print(f"  {told!s:5} {merged!s:6} {alpha:<5} {score:10}" + "".join(f"{cell:>40}" for cell in cells))


def spread(values: Sequence[float]) -> str:
    """The mean in percent, with the least and the most."""
    low, mean, high = (100 * float(each) for each in (np.min(values), np.mean(values), np.max(values)))
    return f"{mean:.1f} ({low:.1f}-{high:.1f})"


def _tell(stage: str, done: int, total: int) -> None:
    if done == total or done % 100 == 0:
        print(f"{stage} {done}/{total}", flush=True)


def _tell_losses(stage: str, done: int, total: int, losses: str) -> None:
    if done == total or done % 50 == 0:
        print(f"{stage} {done}/{total} {losses}", flush=True)


if __name__ == "__main__":
    main()
