"""Results that are judged: the images they are of, what is read out of a folder, and what must be the same in two."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.noise import write_picture, write_pictures


def ten_images(folder: Path) -> Path:
    """Ten images, of which one is empty."""
    write_pictures(folder, 10)
    (folder / "4.png").write_bytes(b"")
    return folder


def five_good_images(folder: Path) -> Path:
    folder.mkdir()
    for number in range(5):
        write_picture(folder / f"{number}.png", np.random.default_rng(50 + number))
    return folder


def lines_of(out: Path) -> list[dict[str, Any]]:
    """The lines without `ms`, and without the failed ones' order of keys."""
    found = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "ms"} for line in found]


def run_of(out: Path) -> Mapping[str, Any]:
    document: dict[str, Any] = json.loads((out / "run.json").read_text())
    return document


def assert_same_folders(one: Path, other: Path) -> None:
    """Lines (to the order of their keys), drawings, table and settings are the same."""
    assert [json.dumps(line) for line in lines_of(one)] == [json.dumps(line) for line in lines_of(other)]
    for kind in ("overlays", "masks", "maps", "previews"):
        ours, theirs = ({path.name: path.read_bytes() for path in (out / kind).glob("*")} for out in (one, other))
        assert ours == theirs, kind
    assert run_of(one)["run"] == run_of(other)["run"]
    assert run_of(one)["basis"] == run_of(other)["basis"]
    tables = ([row.split(",") for row in (out / "results.csv").read_text().splitlines()] for out in (one, other))
    ms = (one / "results.csv").read_text().partition("\n")[0].split(",").index("ms")
    ours, theirs = ([row[:ms] + row[ms + 1 :] for row in table] for table in tables)
    assert ours == theirs


def scores_of(out: Path) -> list[float]:
    return sorted(line["score"] for line in lines_of(out) if "score" in line)
