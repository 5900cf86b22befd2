"""Keeps inspections in child processes that are killed, and says of each what was promised: number, key, and digests of its files.

    python -m tests.history.adding

Reads tasks from stdin, JSON lists of history and folder of pictures; for each it starts a child, which says its process
number first. Children are forked, so that all of this is imported once.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from oddlens.history.history import History
from tests.history.given import new


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())  # whole lines, without a buffer


def add(place: str, pictures: str) -> None:
    say(os.getpid())
    history = History.open(place, Path(pictures))

    def keep(number: int) -> None:
        rng = np.random.default_rng(number)
        digest = history.pictures.put(b"\x89PNG\r\n\x1a\n" + rng.bytes(50_000))
        map_digest = history.pictures.put_map(rng.random((50, 50), np.float32))
        added = history.add(new(number, digest=digest, map_digest=map_digest, key=str(number)))
        say(added.id, number, digest, map_digest)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(keep, range(100_000)))


if __name__ == "__main__":
    for task in sys.stdin:
        if (child := os.fork()) == 0:
            add(*json.loads(task))
        os.waitpid(child, 0)
        say("ended")
