"""Kind "listings": manifests, meta.json, legends, tables and folders of data sets, edited, damaged or misplaced."""

from __future__ import annotations

import csv
import json
import os
import random
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from oddlens.data import check_dataset, open_dataset, read_classes, read_mask, write_manifest
from oddlens.data.manifest import manifest_hash
from oddlens.errors import OddlensError
from tests.data.small_sets import SMALL_SETS, mvtec
from tests.fuzz.case import Case, Wrong, check_json
from tests.fuzz.hostile import hostile_text, hostile_value
from tests.fuzz.mutate import json_bytes, mutate_bytes, mutate_json, table_bytes
from tests.fuzz.world import World

_ROW = {
    "image": "bottle/test/crack/000.png",
    "mask": "bottle/ground_truth/crack/000_mask.png",
    "label": 1,
    "category": "bottle",
    "defect": "crack",
    "split": "test",
}
_GOOD = {"image": "bottle/train/good/000.png", "label": 0, "category": "bottle", "split": "train"}
_LEGEND = {"classes": ["sky", "road", "person", "void"], "ood": [2], "ignore": 3}
_META = {
    "train": {
        "bottle": [
            {
                "img_path": "bottle/train/good/000.png",
                "mask_path": "",
                "cls_name": "bottle",
                "specie_name": "good",
                "anomaly": 0,
            }
        ]
    },
    "test": {
        "bottle": [
            {
                "img_path": "bottle/test/crack/000.png",
                "mask_path": "bottle/ground_truth/crack/000_mask.png",
                "cls_name": "bottle",
                "specie_name": "crack",
                "anomaly": 1,
            },
            {
                "img_path": "bottle/test/good/000.png",
                "mask_path": "",
                "cls_name": "bottle",
                "specie_name": "good",
                "anomaly": 0,
            },
        ]
    },
}


def make(rng: random.Random, world: World, scratch: Path) -> Case:
    """A listing beside a small data set, or one of the small data sets with something in it changed; opened and checked."""
    root = scratch / "set"
    root.mkdir()
    what, path = rng.choice((_jsonl, _jsonl, _csv, _csv, _meta, _meta, _legend, _set, _set, _set))(rng, root)
    layout = "auto" if rng.random() < 0.9 else rng.choice((*SMALL_SETS, hostile_text(rng)))

    def run() -> None:
        dataset = open_dataset(path, layout)
        report = check_dataset(dataset)
        check_json(report.to_dict())
        for problem in report.problems:
            if not problem.sentence.isprintable():
                raise Wrong(f"the sentence is not one line: {problem.sentence!r:.400}")
        for record in dataset:
            with suppress(OddlensError):
                read_mask(record)
            if record.classes is not None:
                with suppress(OddlensError):
                    read_classes(record)
        manifest_hash(dataset)
        write_manifest(dataset, scratch / "written.jsonl")

    return Case(f"{what}, layout {layout!r}", run)


def _jsonl(rng: random.Random, root: Path) -> tuple[str, Path]:
    mvtec(root)
    (root / "classes.json").write_text(json.dumps(_LEGEND))
    row = dict(_ROW)
    if rng.random() < 0.3:
        row |= {
            "classes": "bottle/ground_truth/crack/000_mask.png",
            "legend": rng.choice(("cityscapes", "classes.json")),
            "ignore": _ROW["mask"],
        }
    lines = [
        json_bytes(rng, mutate_json(rng, each)) if rng.random() < 0.7 else json.dumps(each).encode()
        for each in (row, _GOOD, row)
    ]
    data = rng.choice((b"\n", b"\n", b"\r\n", b"\r", b"\n\n", b"")).join(lines)
    if rng.random() < 0.2:
        data = mutate_bytes(rng, data)
    if rng.random() < 0.1:
        data = b"\xef\xbb\xbf" + data
    path = root / "manifest.jsonl"
    path.write_bytes(data)
    return f"a manifest {data[:120]!r}", path


def _csv(rng: random.Random, root: Path) -> tuple[str, Path]:
    mvtec(root)
    rows = [list(_ROW), [str(each) for each in _ROW.values()], [str(_GOOD.get(key, "")) for key in _ROW]]
    data = table_bytes(rng, rows)
    path = root / "manifest.csv"
    path.write_bytes(data)
    return f"a manifest {data[:120]!r}", path


def _meta(rng: random.Random, root: Path) -> tuple[str, Path]:
    mvtec(root)
    data = json_bytes(rng, mutate_json(rng, _META))
    (root / "meta.json").write_bytes(data)
    return f"meta.json {data[:120]!r}", rng.choice((root, root / "meta.json"))


def _legend(rng: random.Random, root: Path) -> tuple[str, Path]:
    mvtec(root)
    data = json_bytes(rng, mutate_json(rng, _LEGEND))
    (root / "classes.json").write_bytes(data)
    row = _ROW | {"classes": _ROW["mask"], "ignore": _ROW["mask"], "legend": "classes.json"}
    path = root / "manifest.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in (row, _GOOD)))
    return f"a legend {data[:120]!r}", path


def _set(rng: random.Random, root: Path) -> tuple[str, Path]:
    """A small set of some layout, with one to three of its files or folders changed."""
    name = rng.choice(list(SMALL_SETS))
    _copy_set(name, root)
    done = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        entries = sorted(path for path in root.rglob("*") if not path.is_symlink())
        if not entries:
            break
        path = rng.choice(entries)
        change = rng.choice(_CHANGES)
        done.append(f"{change.__name__.strip('_')} {path.relative_to(root)}")
        with suppress(OSError, ValueError, RecursionError):  # it cannot be changed so, or was changed already
            change(rng, path)
    return f"the set {name}, {', '.join(done)}", root


@cache
def _files_of(name: str) -> list[tuple[str, bytes]]:
    """A small set's files, written once."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = SMALL_SETS[name](Path(folder))
        return [
            (path.relative_to(root).as_posix(), path.read_bytes()) for path in sorted(root.rglob("*")) if path.is_file()
        ]


def _copy_set(name: str, root: Path) -> None:
    for relative, data in _files_of(name):
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _damage(rng: random.Random, path: Path) -> None:
    if path.is_file():
        path.write_bytes(_edited(rng, path))


def _edited(rng: random.Random, path: Path) -> bytes:
    """Other contents: edited by its form where that is known."""
    data = path.read_bytes()
    if path.suffix == ".json" and rng.random() < 0.8:
        return json_bytes(rng, mutate_json(rng, json.loads(data)))
    if path.suffix == ".csv" and rng.random() < 0.8:
        return table_bytes(rng, list(csv.reader(data.decode().splitlines())))
    return mutate_bytes(rng, data)


def _rename(rng: random.Random, path: Path) -> None:
    path.rename(
        path.with_name(
            (
                hostile_text(rng)
                .replace("/", "_")
                .encode("utf-8", "surrogateescape")
                .replace(b"\0", b"")[:250]
                .decode("utf-8", "surrogateescape")
                or "x"
            )
            + path.suffix
        )
    )


def _folder_instead(rng: random.Random, path: Path) -> None:
    if path.is_file():
        path.unlink()
        path.mkdir()


def _file_instead(rng: random.Random, path: Path) -> None:
    if path.is_dir():
        moved = path.with_name("moved")
        path.rename(moved)
        path.write_bytes(rng.choice((b"", b"x", b"{}", b"a,b\n")))


def _link(rng: random.Random, path: Path) -> None:
    """A link that leads nowhere, to itself, to its own folder, to a device or out of the set."""
    target = rng.choice(("nowhere", path.name, ".", "..", "/dev/zero", "/dev/null", "/", str(path.parent)))
    if path.is_file():
        path.unlink()
        path.symlink_to(target)
    else:
        (path / "link").symlink_to(target)


def _pipe(rng: random.Random, path: Path) -> None:
    if path.is_file():
        path.unlink()
        os.mkfifo(path)


def _close(rng: random.Random, path: Path) -> None:
    path.chmod(0)


def _remove(rng: random.Random, path: Path) -> None:
    if path.is_file():
        path.unlink()


def _double(rng: random.Random, path: Path) -> None:
    if path.is_file():
        other = path.with_name(
            rng.choice(
                (
                    path.name.upper(),
                    path.name.lower(),
                    path.stem + "_mask" + path.suffix,
                    path.stem + ".jpg",
                    "." + path.name,
                    path.stem + " copy" + path.suffix,
                )
            )
        )
        other.write_bytes(path.read_bytes())


def _add(rng: random.Random, path: Path) -> None:
    folder = path if path.is_dir() else path.parent
    name = rng.choice(
        (
            "classes.json",
            "meta.json",
            "labels.csv",
            "frame_list.json",
            "manifest.jsonl",
            "run.json",
            "Thumbs.db",
            "@eaDir",
            "_mask.png",
            "x.png",
            ".png",
        )
    )
    (folder / name).write_bytes(
        rng.choice(
            (
                b"",
                b"{}",
                b"[]",
                b"null",
                json.dumps(hostile_value(rng)).encode(errors="replace"),
                b"\xff\xfe",
                b"[" * 5000,
            )
        )
    )


_CHANGES: tuple[Callable[[random.Random, Path], Any], ...] = (
    _damage,
    _damage,
    _damage,
    _damage,
    _rename,
    _rename,
    _folder_instead,
    _file_instead,
    _link,
    _pipe,
    _close,
    _remove,
    _double,
    _add,
)
