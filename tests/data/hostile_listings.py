"""Damaged listings, legends and annotation files: what of them is no clean data set must be one sentence."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oddlens.data import check_dataset, open_dataset, write_manifest
from oddlens.errors import OddlensError
from tests.data.small_sets import SMALL_SETS, labelme_file, mask, picture
from tests.mutations import mutate_bytes, mutate_json, mutate_text


@dataclass(frozen=True)
class Kind:
    """A kind of listing: writes a sound set, and which file of it is damaged."""

    write: Callable[[Path], Path]
    file: str


def _table(root: Path) -> Path:
    SMALL_SETS["manifest"](root)
    rows = [json.loads(line) for line in (root / "manifest.jsonl").read_text().splitlines()]
    (root / "manifest.jsonl").unlink()
    keys = list(dict.fromkeys(key for row in rows for key in row))
    lines = [",".join(str(row.get(key, "")) for key in keys) for row in rows]
    (root / "manifest.csv").write_text("\n".join([",".join(keys), *lines]))
    return root


def _drawn(root: Path) -> Path:
    picture(root / "1.png")
    square = [[1, 1], [8, 1], [8, 8]]
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mP4DwABAQEAG7buVgAAAABJRU5ErkJggg=="
    shapes: list[dict[str, Any]] = [
        {"label": "dent", "shape_type": "polygon", "points": square},
        {"label": "dent", "shape_type": "circle", "points": square[:2]},
        {"label": "crack", "shape_type": "rectangle", "points": square[:2]},
        {"label": "crack", "shape_type": "mask", "points": square[:2], "mask": png},
    ]
    labelme_file(root / "1.json", shapes)
    return root


def _legend(root: Path) -> Path:
    for name, value in (("1", 0), ("2", 1)):
        picture(root / f"{name}.png")
        mask(root / "labels" / f"{name}.png", value=value)
    (root / "classes.json").write_text('{"classes": ["road", "dog", "void"], "ood": [1], "ignore": 2}')
    rows = [
        {"image": "1.png", "label": 0, "ignore": "labels/1.png", "classes": "labels/1.png", "legend": "classes.json"},
        {"image": "2.png", "label": 1, "mask": "labels/2.png", "legend": "classes.json"},
    ]
    (root / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root


KINDS = {
    "manifest": Kind(SMALL_SETS["manifest"], "manifest.jsonl"),
    "table": Kind(_table, "manifest.csv"),
    "meta-json": Kind(SMALL_SETS["meta-json"], "meta.json"),
    "legend": Kind(_legend, "classes.json"),
    "legend-rows": Kind(_legend, "manifest.jsonl"),
    "camvid-ood": Kind(SMALL_SETS["camvid-ood"], "camvid/classes.json"),
    "labelme": Kind(_drawn, "1.json"),
    "coco": Kind(SMALL_SETS["coco"], "train/_annotations.coco.json"),
    "real-iad": Kind(SMALL_SETS["real-iad"], "realiad_jsons/audiojack.json"),
    "visa": Kind(SMALL_SETS["visa"], "split_csv/1cls.csv"),
    "head-ct": Kind(SMALL_SETS["head-ct"], "labels.csv"),
    "road-anomaly": Kind(SMALL_SETS["road-anomaly"], "frame_list.json"),
}


def damage(kind: Kind, root: Path, sound: bytes, rng: random.Random) -> None:
    """Write a damaged copy of the kind's file."""
    text = sound.decode()
    suffix = Path(kind.file).suffix
    if suffix == ".csv" or rng.random() < 0.15:
        text = mutate_text(text, rng)
    elif suffix == ".jsonl":
        rows = [mutate_json(json.loads(line), rng) if rng.random() < 0.7 else line for line in text.splitlines()]
        text = "\n".join(rows)
    else:
        text = mutate_json(json.loads(text), rng)
    (root / kind.file).write_bytes(mutate_bytes(text, rng))


def judge(root: Path) -> str:
    """What becomes of a data set: "clean", "told" (problems) or "refused"; whatever else happens is raised."""
    try:
        dataset = open_dataset(root)
        report = check_dataset(dataset)
        write_manifest(dataset, root / "again" / "m.jsonl")
    except OddlensError as error:
        sentences = [str(error)]
        outcome = "refused"
    else:
        sentences = [problem.sentence for problem in report.problems]
        outcome = "told" if sentences else "clean"
    for sentence in sentences:
        assert sentence.strip(), "an empty sentence"
        assert len(sentence) < 3000, sentence
    return outcome
