"""Generated images a second, for every class and over all, on one thread.

    python benchmarks/synthetic.py [--pictures 20] [--size 224]

Seconds of processor time, normal and defective images in the share that the generator draws. Other work on the machine
slows them all the same: it shares the caches.
"""

import argparse
import time

import cv2

from lab.synthetic import CLASSES, generate


def seconds(name: str, pictures: int, size: int) -> float:
    """Time the first `pictures` images of a class, after one that fills the caches."""
    generate(name, 0, size=size)
    start = time.process_time()
    for seed in range(pictures):
        generate(name, seed, size=size)
    return time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20, help="pictures of each class")
    parser.add_argument("--size", type=int, default=224, help="pixels a side")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    total = 0.0
    for name in CLASSES:
        took = seconds(name, arguments.pictures, arguments.size)
        total += took
        print(f"{name:24s} {arguments.pictures / took:6.0f} pictures/s")
    print(f"{'all classes':24s} {arguments.pictures * len(CLASSES) / total:6.0f} pictures/s")


if __name__ == "__main__":
    main()
