"""The history of the service: how many inspections a second it keeps, and how long the page's queries take over many rows.

    python benchmarks/history.py [--rows 100000] [--history URL --many URL] [--home FOLDER]

Two figures of keeping: `add` alone, and `put` of a picture of 200 kB, `put_map` and `add` together, in one thread and in some. Both
wait for the disk. Queries are the ones of the page; each figure is the median of 20 calls: how long they took, and how much was
processor time of this process, which is all of it with SQLite and does not grow while others are at work.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import insert

from oddlens.history.filters import Filter
from oddlens.history.history import History
from oddlens.history.records import NewInspection
from oddlens.history.rows import Prepared
from oddlens.history.tables import DETAILS, INSPECTIONS

STATION, START = "line-3", datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ("gear", "nut", "bolt", "Schraube", "washer", "plate")


def inspection(number: int, digest: str, map_digest: str | None, rng: random.Random) -> NewInspection:
    """An inspection like those of a line: one of a hundred is NG, two are review, one of a thousand fails."""
    score = rng.gauss(0.3, 0.05) if rng.random() > 0.03 else rng.uniform(0.4, 0.8)
    verdict = "ng" if score > 0.5 else "review" if score > 0.4 else "ok"
    failed = rng.random() < 0.001
    detection: dict[str, object] = {
        "path": "x.png", "score": score, "verdict": verdict, "is_anomalous": verdict == "ng", "threshold": 0.5,
        "pixel_threshold": 0.6, "threshold_source": "calibrated on 100 good images, a false-alarm rate of 1 %",
        "review_threshold": 0.4, "p_value": 0.3, "image_size": [1280, 960],
        "regions": [] if verdict == "ok" else [{"box": [1, 2, 30, 40], "area": 400, "peak": 0.8, "outline": [[1, 2]] * 40}],
    }  # fmt: skip
    return NewInspection(
        station=STATION if number % 4 else "line-4", station_version=1, time=START + timedelta(seconds=number * 3),
        source=f"{rng.choice(WORDS)}-{number:06}.png", origin="folder", digest=digest, map_digest=map_digest,
        detection=None if failed else detection, error="It is damaged." if failed else None, ms=20.0,
        identity={"method": "patch-knn"},
    )  # fmt: skip


def keeping(history: History, seconds: float, threads: int) -> None:
    """Print how many inspections a second are kept."""
    rng, shape, picture = random.Random(0), (224, 224), os.urandom(200_000)
    anomaly_map = np.random.default_rng(0).random(shape, np.float32)

    def rate(what: str, one: Callable[[int], object], threads: int) -> None:
        done, start, cpu = 0, time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(threads) as pool:
            while time.perf_counter() - start < seconds:
                done += len(list(pool.map(one, range(done, done + 64))))
        took, cpu = time.perf_counter() - start, time.process_time() - cpu
        print(
            f"{what}, {threads} threads: {done / took:.0f} a second, {1000 * cpu / done:.2f} ms of processor time each"
        )

    def all_of_it(number: int) -> None:
        digest = history.pictures.put(f"{number} {threads}".encode() + picture)
        map_digest = history.pictures.put_map(anomaly_map + np.float32(number))
        history.add(inspection(number, digest, map_digest, rng))

    for count in (1, threads):
        rate("add", lambda number: history.add(inspection(number, f"{number:064x}", None, rng)), count)
    for count in (1, threads):
        rate("put of 200 kB, put_map and add", all_of_it, count)


def fill(history: History, rows: int) -> None:
    """Add inspections in few transactions."""
    rng = random.Random(1)
    history.add(inspection(0, "0" * 64, None, rng))
    for first in range(1, rows, 5000):
        several = range(first, min(first + 5000, rows))
        some = {n + 1: Prepared.of(inspection(n, f"{rng.getrandbits(256):064x}", None, rng)) for n in several}
        with history._connection(writes=True) as connection:
            lines = [each.row | {"id": number, "identity_id": 1} for number, each in some.items()]
            connection.execute(insert(INSPECTIONS), lines)
            connection.execute(insert(DETAILS), [each.details | {"inspection_id": n} for n, each in some.items()])


def queries(history: History) -> None:
    """Print how long the page's queries take."""
    newest = history.latest(STATION, 1)[0].time
    day = newest - timedelta(days=1)
    deep = None
    for _ in range(20):
        deep = history.find(Filter(station=STATION), deep, 200).next
    asked: dict[str, Callable[[], object]] = {
        "newest": lambda: history.find(Filter(station=STATION)),
        "newest, 21st page": lambda: history.find(Filter(station=STATION), deep, 200),
        "newest of all stations": lambda: history.find(Filter()),
        "NG and review": lambda: history.find(Filter(station=STATION, verdict={"ng", "review"})),
        "failed": lambda: history.find(Filter(station=STATION, verdict={"failed"})),
        "highest score": lambda: history.find(Filter(station=STATION, sort="score")),
        "highest score of NG and review": lambda: history.find(
            Filter(station=STATION, sort="score", verdict={"ng", "review"})
        ),
        "lowest score of all stations": lambda: history.find(Filter(sort="score_up")),
        "text": lambda: history.find(Filter(station=STATION, text="SCHRAUBE-0420")),
        "text that nothing has": lambda: history.find(Filter(station=STATION, text="nowhere")),
        "said": lambda: history.find(Filter(station=STATION, said={"good", "bad"})),
        "today": lambda: history.find(Filter(station=STATION, since=day)),
        "scores between": lambda: history.find(Filter(station=STATION, min_score=0.45, max_score=0.5)),
        "count": lambda: history.count(Filter(station=STATION)),
        "count of today": lambda: history.count(Filter(station=STATION, since=day)),
        "hours": lambda: history.count_by_hour(STATION, newest - timedelta(days=7)),
        "scores": lambda: history.scores(STATION),
        "trend": lambda: history.trend(STATION, limit=2000),
        "defects": lambda: history.defects(STATION),
        "latest": lambda: history.latest(STATION),
        "known": lambda: history.known(STATION, "0" * 64, "folder"),
    }
    for name, ask in asked.items():
        times = []
        for _ in range(20):
            start = time.perf_counter(), time.process_time()
            ask()
            times.append((1000 * (time.perf_counter() - start[0]), 1000 * (time.process_time() - start[1])))
        took, cpu = (statistics.median(each[at] for each in times) for at in (0, 1))
        print(f"{name:32} {took:7.1f} ms, {cpu:6.1f} ms of processor time")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--history", help="the URL of an empty database; by default a file in --home")
    parser.add_argument("--many", help="that of another empty one, for the queries; by default likewise")
    parser.add_argument("--home", type=Path, help="a folder on the disk to measure; by default a temporary one")
    options = parser.parse_args()
    if options.home is not None:
        options.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.home) as folder:
        history = History.open(options.history or Path(folder) / "history.sqlite", Path(folder) / "pictures")
        keeping(history, options.seconds, options.threads)
        history.close()
        history = History.open(options.many or Path(folder) / "many.sqlite", Path(folder) / "pictures")
        fill(history, options.rows)
        print(f"\n{options.rows} rows")
        queries(history)
        history.close()


if __name__ == "__main__":
    main()
