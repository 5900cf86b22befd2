"""Fifteen epochs over cached features against fifteen over features that are computed anew, at ViT-L/14-336 size and 518 px.

    python benchmarks/training.py [--method anomalyclip|april-gan] [--pictures N] [--epochs N]

Random weights of full size, generated images, the published settings. Both trainings run in full, from images to weights, and
must learn the same numbers. The ratio is of all that a training takes, encoding included. Aim: at least 8. Processor seconds stand
beside those of the clock, which a shared machine disturbs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from towers import random_backbone

from lab.synthetic import write_mvtec
from oddlens.backbone.backbone import Backbone
from oddlens.evaluation import open_sources
from oddlens.methods.registry import method_card
from oddlens.methods.weights import read_weights
from oddlens.training import TRAINABLE, settings_class, trainable_class
from oddlens.training.loop import Schedule
from oddlens.training.precision import Precision
from oddlens.training.run import CacheConfig, TrainingRun
from oddlens.training.samples import Sample, SampleSet, gather_samples


def main() -> None:
    """Train twice, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=TRAINABLE, default="anomalyclip")
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=15)
    given = parser.parse_args()
    backbone = random_backbone()
    print(f"threads {torch.get_num_threads()}, {given.method}, {given.pictures} images, {given.epochs} epochs")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_mvtec(work / "parts", ["ring"], seed=0, train_good=1, test_good=given.pictures // 2, test_per_defect=1)
        (samples,) = gather_samples(open_sources([work / "parts"]), "test", given.method)
        samples = replace(samples, samples=_mixed(samples, given.pictures))
        cached_s, cached = _train(
            given.method, backbone, samples, given.epochs, work / "cached.safetensors", work / "cache"
        )
        anew_s, anew = _train(given.method, backbone, samples, given.epochs, work / "anew.safetensors", None)
    worst = max(float((cached[name] - anew[name]).abs().max()) for name in anew)
    print("                         by the clock   of the processors")
    print(f"features cached          {cached_s[0]:10.1f} s {cached_s[1]:17.1f} s")
    print(f"features computed anew   {anew_s[0]:10.1f} s {anew_s[1]:17.1f} s")
    print(
        f"ratio                    {anew_s[0] / cached_s[0]:10.2f}   {anew_s[1] / cached_s[1]:17.2f}     (aim: at least 8)"
    )
    print(
        f"largest difference       {worst:8.1e}     (aim: at most 1e-6) of {sum(map(Tensor.numel, anew.values())):,} numbers"
    )


def _mixed(samples: SampleSet, count: int) -> tuple[Sample, ...]:
    """Half of them abnormal."""
    good, bad = ([each for each in samples.samples if each.record.label == label] for label in (0, 1))
    return (*good[: count // 2], *bad[: count - count // 2])


def _train(
    method: str, backbone: Backbone, samples: SampleSet, epochs: int, out: Path, cache: Path | None
) -> tuple[tuple[float, float], dict[str, Tensor]]:
    """Seconds by the clock and of the processors, and what was learned."""
    settings = replace(settings_class(method)(), epochs=epochs)
    trainable = trainable_class(method)(backbone, method_card(method).recipe(), settings)
    config = None if cache is None else CacheConfig(cache)
    run = TrainingRun(trainable, Schedule((samples,), settings), out, Precision("float32", {}), config, report=False)
    started = time.perf_counter(), time.process_time()
    run.run()
    return (time.perf_counter() - started[0], time.process_time() - started[1]), read_weights(out).tensors


if __name__ == "__main__":
    main()
