"""WinCLIP's image side at ViT-B-16-plus-240 size against the plain forward of the same tower and the machine's GEMM peak.

    python benchmarks/winclip.py [--rounds N]

Random weights of full size; all figures of one round are taken in turn, so that a shared machine slows them alike.
Prints medians, and ratios round by round. WinCLIP's windows have 12.8 times the plain forward's tokens.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode
from towers import TEXT_B_16_PLUS, VIT_B_16_PLUS, gemm_peak, random_model


def main() -> None:
    """Time, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    vision = random_model(VIT_B_16_PLUS, TEXT_B_16_PLUS).vision
    pixels = torch.randn(1, 3, 240, 240)

    def plain() -> None:
        embedded = vision.embed(pixels)
        vision.project(vision.run_blocks(embedded, taps=(12,)).image)

    def winclip() -> None:
        embedded = vision.embed(pixels)
        vision.project(vision.run_blocks(embedded, taps=(12,)).image)
        for size in (2, 3):
            vision.windows(embedded, size)

    with torch.inference_mode():
        work = {name: _flops(call) for name, call in (("plain", plain), ("winclip", winclip))}
        plain()
        before = _peak_mb()
        winclip()
        rows = [(gemm_peak(), _seconds(plain), _seconds(winclip)) for _ in range(rounds)]
    peak, plain_s, winclip_s = (statistics.median(column) for column in zip(*rows, strict=True))
    ratio = statistics.median(w / p for _, p, w in rows)
    share = statistics.median(work["winclip"] / w / 1e9 / g for g, _, w in rows)
    print(f"threads {torch.get_num_threads()}, rounds {rounds}")
    print(f"GEMM peak (2048 cubed)    {peak:8.1f} GFLOP/s")
    print(f"plain forward             {plain_s:8.3f} s   {work['plain'] / 1e9:7.1f} GFLOP")
    print(f"WinCLIP's image side      {winclip_s:8.3f} s   {work['winclip'] / 1e9:7.1f} GFLOP")
    print(
        f"ratio of seconds          {ratio:8.2f}     (aim: at most 9.5)   of work {work['winclip'] / work['plain']:.2f}"
    )
    print(f"share of the GEMM peak    {100 * share:8.0f} %   (aim: at least 80)")
    print(f"peak memory               {_peak_mb():8.0f} MB  ({before:.0f} MB before the windows)")


def _seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _flops(call: Callable[[], None]) -> int:
    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
