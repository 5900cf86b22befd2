"""What the embedded model can do: image and pixel AUROC, zero-shot and with four references, with untrained controls beside.

    python benchmarks/mini.py --data ../shared/data/mvtec_mini ../shared/data/magnetic_tile ../shared/data/bsdata \
        --model mini --model runs/seed1 --model runs/control0

References are the first four images of train/good by name. Masks are brought to the map's size by the authors' rule.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import oddlens
from oddlens.data import Record, open_dataset, read_mask, resize_mask
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.methods.registry import method_card
from oddlens.metrics import image_metrics, pixel_metrics

REFERENCES = 4


def main() -> None:
    """Print one table a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--model", action="append", help="a card's name or a model folder; may be repeated")
    parser.add_argument("--method", default="winclip")
    parser.add_argument("--limit", type=int, help="at most so many images a defect (a quick run; not for reporting)")
    arguments = parser.parse_args()
    if method_card(arguments.method).needs.references == "required":
        parser.error(f"{arguments.method} needs good examples, and the table begins without any: give another --method")
    for model in arguments.model or ["mini"]:
        print(f"\n{arguments.method} on {model}: image AUROC / pixel AUROC")
        print(f"{'category':28}{'pictures':>9}   zero-shot      {REFERENCES} references")
        rows = []
        started, seen = time.perf_counter(), 0
        for root in arguments.data:
            dataset = open_dataset(root)
            for category in dataset.categories:
                test = _limited(list(dataset.select(category=category, split="test")), arguments.limit)
                good = sorted(record.image for record in dataset.select(category=category, split="train", label=0))
                detector = oddlens.load(arguments.method, model)
                encoded = detector.encode([record.image for record in test])
                name = category.replace("_", " ")
                zero = _aurocs(test, detector.predict(encoded, name), detector)
                few = _aurocs(test, detector.add_references(good[:REFERENCES]).predict(encoded, name), detector)
                seen += len(test)
                rows.append([*zero, *few])
                print(
                    f"{category:28}{len(test):9}   {zero[0]:.3f} / {zero[1]:.3f}  {few[0]:.3f} / {few[1]:.3f}",
                    flush=True,
                )
        mean = np.mean(rows, axis=0)
        print(f"{'mean':28}{seen:9}   {mean[0]:.3f} / {mean[1]:.3f}  {mean[2]:.3f} / {mean[3]:.3f}")
        print(f"{(time.perf_counter() - started) / seen * 1000:.0f} ms an image, decoding and metrics included")


def _aurocs(records: list[Record], detections: list[Detection], detector: Detector) -> tuple[float, float]:
    maps = [detection.anomaly_map for detection in detections]
    masks = [
        resize_mask(read_mask(record), detector.method.request.image_size) if record.mask else np.zeros(m.shape, bool)
        for record, m in zip(records, maps, strict=True)
    ]
    labels = [record.label or 0 for record in records]
    return (
        image_metrics(labels, [detection.score for detection in detections]).auroc,
        pixel_metrics(masks, maps).auroc,
    )


def _limited(records: list[Record], most: int | None) -> list[Record]:
    seen: dict[str, int] = {}
    chosen = []
    for record in records:
        seen[record.defect] = seen.get(record.defect, 0) + 1
        if most is None or seen[record.defect] <= most:
            chosen.append(record)
    return chosen


if __name__ == "__main__":
    main()
