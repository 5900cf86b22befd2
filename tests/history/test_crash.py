"""A service that is killed loses nothing that it answered, keeps nothing twice, and no row names half a file."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oddlens.history.filters import Filter
from oddlens.history.history import History
from oddlens.io.atomic import LEFT_OVER
from tests.history.given import new

KILLS = 5


@pytest.fixture(scope="module")
def adding() -> Iterator[subprocess.Popen[str]]:
    """See `tests.history.adding`."""
    command = [sys.executable, "-m", "tests.history.adding"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_killed_at_random_moments(adding: subprocess.Popen[str], place: str, tmp_path: Path) -> None:
    said = [line for _ in range(KILLS) for line in until_killed(adding, place, tmp_path / "pictures")]
    assert len(said) >= KILLS
    check(place, tmp_path / "pictures", said)


def until_killed(adding: subprocess.Popen[str], place: str, pictures: Path) -> list[list[str]]:
    """Keep inspections, the same ones each time, in a process that is killed at a random moment; returns what it said of them."""
    assert adding.stdin is not None
    assert adding.stdout is not None
    adding.stdin.write(json.dumps([place, str(pictures)]) + "\n")
    adding.stdin.flush()
    child = int(adding.stdout.readline())
    said = [adding.stdout.readline().split()]
    time.sleep(random.uniform(0, 0.1))
    os.kill(child, signal.SIGKILL)
    while (line := adding.stdout.readline()) != "ended\n":
        assert line, "the process ended by itself"
        said.append(line.split())
    return said


def check(place: str, pictures: Path, said: list[list[str]]) -> None:
    """What was said is kept, once, with its files."""
    history = History.open(place, pictures)
    kept = {each.id: each for each in history.each(Filter())}
    assert len({each.key for each in kept.values()}) == len(kept)
    for number, key, digest, map_digest in said:
        found = kept[int(number)]
        assert (found.key, found.digest, found.map_digest) == (key, digest, map_digest)
    for each in kept.values():
        for path, wanted in (
            (history.pictures.path(each.digest), each.digest),
            (history.pictures.map_path(each.map_digest or ""), each.map_digest),
        ):
            assert path is not None
            assert hashlib.sha256(path.read_bytes()).hexdigest() == wanted
    last = kept[max(kept)]
    assert history.add(new(0, digest=last.digest, key=last.key)).id == last.id  # a client that asks again
    assert history.add(new(0, key="after")).id > last.id
    history.close()
    left = [path for path in pictures.rglob("*") if path.name.startswith(LEFT_OVER)]
    assert len(left) <= 4 * KILLS, "only what was in hand is left over"
