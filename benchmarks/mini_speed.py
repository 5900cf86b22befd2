"""How long the embedded model takes: an image warm in batches of eight, by stage, and one image cold from the shell.

    python benchmarks/mini_speed.py [--rounds N]

Images are those of the demo. Medians over rounds. Aims on 2 cores: 60 ms an image warm, 5 s cold.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

import torch

import oddlens
from oddlens.data import open_dataset
from oddlens.inference.demo import FOLDER
from oddlens.io.images import read_image
from oddlens.io.loader import BATCH_SIZE


def main() -> None:
    """Time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    dataset = open_dataset(FOLDER)
    paths = [record.image for record in dataset.select(split="test")][:BATCH_SIZE]
    good = [record.image for record in dataset.select(split="train")][:4]
    detector = oddlens.load("winclip", runtime="torch").add_references(good)
    detector.detect(paths)
    stages: dict[str, list[float]] = {"read": [], "encode": [], "ask": [], "all": []}
    for _ in range(rounds):
        times = [time.perf_counter()]
        pictures = [read_image(path) for path in paths]
        times.append(time.perf_counter())
        encoded = detector.encode_pictures(pictures)
        times.append(time.perf_counter())
        detector.predict(encoded)
        times.append(time.perf_counter())
        for name, (first, last) in zip(stages, ((0, 1), (1, 2), (2, 3), (0, 3)), strict=True):
            stages[name].append(1000 * (times[last] - times[first]) / len(paths))
    print(f"threads {torch.get_num_threads()}, batch {len(paths)}, 4 references, rounds {rounds}; ms an image")
    for name, values in stages.items():
        print(f"{name:8} median {statistics.median(values):7.1f}   least {min(values):7.1f}")
    cold = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "oddlens", "detect", str(paths[0])], check=True, capture_output=True)
        cold.append(time.perf_counter() - started)
    print(f"cold from the shell, one image: median {statistics.median(cold):.2f} s, least {min(cold):.2f} s")


if __name__ == "__main__":
    main()
