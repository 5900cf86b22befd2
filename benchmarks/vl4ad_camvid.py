"""VL4AD on real frames without any download: trained on CamVid's known classes, with words for its pedestrians and bicyclists.

    python benchmarks/vl4ad_streets.py --runs runs/streets --masks decoder
    python benchmarks/vl4ad_camvid.py --data camvid --streets runs/streets --runs runs/camvid

No CLIP is here, so two stand-ins are evaluated. The street pair of each seed knows words from generated images alone: as it is
("dense"), with the decoder that learned generic scenes ("generic"), and with that decoder trained on CamVid's frames ("words").
The embedded model has features of real images but does not know the words: a decoder with a linear classifier ("linear").
Models and figures lie under --runs; what is there is not made again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from vl4ad_streets import SCORES, spread, tell

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.data.open import open_dataset
from oddlens.data.record import Record
from oddlens.detector import Detector
from oddlens.evaluation.truth import Truth, read_truth
from oddlens.io.atomic import write_text
from oddlens.io.images import read_image
from oddlens.io.pixels import Pixels
from oddlens.methods.vl4ad.decoder_shape import SMALL
from oddlens.methods.vl4ad.vocabulary import make_vocabulary
from oddlens.methods.weights import read_weights
from oddlens.metrics import SegmentationAccumulator, pixel_metrics
from oddlens.training.reporting import Reporter
from oddlens.training.vl4ad import SMALL_TRAINING, DecoderRun
from oddlens.training.vl4ad_scenes import RecordScenes

KNOWN = "camvid-ood"
TOLD = ("person", "bicycle")
SHORT_SIDE = 256
TRAINING = replace(SMALL_TRAINING, iterations=1000, crop=(256, 256), short_side=SHORT_SIDE)
WAYS = ("dense", "generic", "words", "linear")

Figures = dict[str, Any]


@dataclass(frozen=True)
class Frames:
    """The test frames and what is true of them."""

    pixels: list[Pixels]
    truths: list[Truth]
    classes: tuple[str, ...]


def main() -> None:
    """Train and measure what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of CamVid-OOD")
    parser.add_argument("--streets", type=Path, required=True, help="the folder of vl4ad_streets.py")
    parser.add_argument("--runs", type=Path, required=True, help="the folder of models and figures")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    arguments = parser.parse_args()
    frames: Frames | None = None
    for way in arguments.ways:
        figures = []
        for seed in arguments.seeds:
            file = arguments.runs / f"{way}-{seed}.json"
            if not file.is_file():
                frames = frames or read_frames(arguments.data)
                detector = make_detector(way, seed, arguments.streets / f"seed-{seed}", arguments.data, arguments.runs)
                write_text(file, json.dumps(measure(detector, frames, way), indent=1) + "\n")
            figures.append(json.loads(file.read_text()))
        print_table(way, figures)


def read_frames(data: Path) -> Frames:
    """All test frames, with and without the unknown."""
    dataset = open_dataset(data)
    records: list[Record] = [each for each in dataset if each.split == "test"]
    pixels = [read_image(each.image).pixels for each in records]
    truths = [read_truth(each, shown.shape[:2]) for each, shown in zip(records, pixels, strict=True)]
    return Frames(pixels, truths, dataset.classes)


def make_detector(way: str, seed: int, streets: Path, data: Path, runs: Path) -> Detector:
    """The detector of a way and a seed; decoders that are not there are trained."""
    pair = streets / "pair"
    generic = streets / "decoder-generic.safetensors"
    if way == "dense":
        return oddlens.load("vl4ad", pair, classes=KNOWN, short_side=SHORT_SIDE)
    if way == "generic":
        return oddlens.load("vl4ad", pair, generic, masks="decoder", classes=KNOWN, short_side=SHORT_SIDE)
    linear = way == "linear"
    model: str | Path = "mini" if linear else pair
    out = runs / f"{way}-{seed}.safetensors"
    if not out.is_file():
        started = time.process_time()
        DecoderRun(
            load_backbone(model),
            RecordScenes(open_dataset(data)),
            make_vocabulary(KNOWN),
            replace(SMALL, head="linear") if linear else SMALL,
            replace(TRAINING, seed=seed, learning_rate=1e-3 if linear else 5e-4),
            out,
            start=None if linear else read_weights(generic),
        ).run(Reporter(progress=tell))
        print(f"{out.name}: {time.process_time() - started:.0f} CPU seconds", flush=True)
    changes: dict[str, Any] = {} if linear else {"classes": KNOWN}
    return oddlens.load("vl4ad", model, out, masks="decoder", **changes)


def measure(detector: Detector, frames: Frames, way: str) -> Figures:
    """How well the known classes are recognised, and the unknown by every score, with words for it and without."""
    encoded = detector.encode(frames.pixels)
    known = SegmentationAccumulator(len(frames.classes))
    for found, truth in zip(detector.predict(encoded), frames.truths, strict=True):
        assert found.label_names == frames.classes
        assert found.labels is not None
        assert truth.classes is not None
        shown = cv2.resize(found.labels, found.image_size, interpolation=cv2.INTER_NEAREST_EXACT)
        known.update([truth.classes], [np.asarray(shown, np.uint8)])
    metrics = known.compute()
    return {
        "accuracy": metrics.accuracy,
        "miou": metrics.miou,
        "iou": dict(zip(frames.classes, metrics.iou, strict=True)),
        "unknown": list(unknown_rows(detector, encoded, frames, words=way != "linear")),
    }


def unknown_rows(detector: Detector, encoded: Any, frames: Frames, *, words: bool) -> Iterator[Figures]:
    """AP, FPR95 and AUROC over the pixels of all test frames, for every combination of words, merging and score."""
    masks = [_known(truth.mask) for truth in frames.truths]
    ignored = [
        np.zeros_like(mask) if each.ignore is None else each.ignore
        for mask, each in zip(masks, frames.truths, strict=True)
    ]
    for told in ((), TOLD) if words else ((),):
        for merge in ("none", "camvid6"):
            for score in SCORES:
                found = detector.predict(encoded, ood=told, merge=merge, score=score)
                metrics = pixel_metrics(masks, [each.heatmap() for each in found], ignore=ignored)
                share = metrics.n_positive / (metrics.n_positive + metrics.n_negative)
                yield {
                    "told": bool(told), "merged": merge != "none", "score": score, "share": share,
                    "ap": metrics.ap, "fpr95": metrics.fpr95, "auroc": metrics.auroc,
                }  # fmt: skip


def _known(mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    assert mask is not None
    return mask


def print_table(way: str, figures: Sequence[Figures]) -> None:
    """Means over seeds in percent, with the least and the most, as Markdown."""
    print(f"\n## {way}, {len(figures)} seeds\n")
    accuracy, miou = (spread([each[what] for each in figures]) for what in ("accuracy", "miou"))
    print(
        f"known: accuracy {accuracy}, mIoU {miou}; unknown: {100 * figures[0]['unknown'][0]['share']:.1f} % of the pixels\n"
    )
    print("| told | merged | score | AP | FPR95 | AUROC |\n|---|---|---|---|---|---|")
    for rows in zip(*(each["unknown"] for each in figures), strict=True):
        told, merged, score = (rows[0][name] for name in ("told", "merged", "score"))
        cells = [spread([row[what] for row in rows]) for what in ("ap", "fpr95", "auroc")]
        print("| " + " | ".join(("yes" if told else "-", "yes" if merged else "-", score, *cells)) + " |")


if __name__ == "__main__":
    main()
