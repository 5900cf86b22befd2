"""How long the program takes to say its first word: imports and help, each in a process of its own.

    python benchmarks/startup.py [--rounds N]

Prints the median and the least wall time and the median processor time (user and system), beside a bare `python -c pass`.
All commands of one round run in turn, so that a shared machine slows them alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import oddlens": ["-c", "import oddlens"],
    "import typer": ["-c", "import typer"],
    "oddlens --help": ["-m", "oddlens", "--help"],
    "oddlens detect --help": ["-m", "oddlens", "detect", "--help"],
    "oddlens --version": ["-m", "oddlens", "--version"],
    "import torch": ["-c", "import torch"],
}


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    for command in COMMANDS.values():
        _run(command)  # so that every file is in the disk's cache, and compiled
    taken = [{name: _run(command) for name, command in COMMANDS.items()} for _ in range(rounds)]
    print(f"{'seconds':24}{'median':>8}{'least':>8}{'processor':>11}")
    for name in COMMANDS:
        wall, processor = zip(*(each[name] for each in taken), strict=True)
        print(f"{name:24}{statistics.median(wall):8.3f}{min(wall):8.3f}{statistics.median(processor):11.3f}")


def _run(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of one process."""
    before, started = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, os.times()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main()
