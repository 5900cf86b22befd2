"""A run of a detector over many files: results as they come, overlays and maps, and going on after a stop.

OUT/run.json        what was run: versions, method, recipe, model, object, references, thresholds, device
OUT/results.jsonl   one line a picture, in order
OUT/overlays/*.png  OUT/maps/*.tiff
"""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from oddlens import __version__
from oddlens.atomic import replacing, write_text
from oddlens.detection import Detection
from oddlens.detector import BATCH_SIZE, Detector
from oddlens.errors import ImageError, OddlensError, UsageError
from oddlens.images import Picture, read_image

Record = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """What is looked at: files, and the name of the object on them."""

    object_name: str
    paths: tuple[Path, ...]


class DetectionRun:
    """Iterating runs it: yields one record a picture, those of an earlier run first where it goes on.

    Pictures run in fixed groups of `BATCH_SIZE`, the same ones on a resumed run, so that a run that was stopped ends with the same
    numbers as an undisturbed one. out None: nothing is written.
    """

    def __init__(
        self, detector: Detector, task: Task, out: Path | None, *, overlays: bool = True, maps: bool = True
    ) -> None:
        self._detector = detector
        self._task = task
        self._out = out
        self._overlays, self._maps = overlays, maps
        self._done: dict[str, Record] = {}
        self._names = unique_names(task.paths)

    @property
    def total(self) -> int:
        """How many pictures there are."""
        return len(self._task.paths)

    def open(self, *, resume: bool = False, overwrite: bool = False) -> None:
        """Prepare OUT. `UsageError` where it holds results and it is not said what to do with them, or those of another run."""
        if self._out is None:
            return
        results, told = self._out / "results.jsonl", self._out / "run.json"
        settings = self.settings()
        if resume and told.is_file():
            earlier = _read_json(told)
            differing = [key for key, value in settings["run"].items() if earlier.get("run", {}).get(key) != value]
            if differing:
                raise UsageError(
                    f"{self._out} holds a run with other settings ({', '.join(differing)}): give the same ones, or another --out"
                )
            self._done = {record["path"]: record for record in _whole_lines(results)}
        elif results.exists() and not overwrite:
            raise UsageError(
                f"{results} exists: add --resume to go on, --overwrite to begin anew, or give another --out"
            )
        write_text(told, json.dumps(settings, indent=2) + "\n")
        write_text(results, "".join(json.dumps(record) + "\n" for record in self._done.values()))

    def __iter__(self) -> Iterator[Record]:
        """Run; see the class."""
        if self._out is None:
            yield from (record for first in range(0, self.total, BATCH_SIZE) for record in self._group(first))
            return
        with (self._out / "results.jsonl").open("a", encoding="utf-8") as file:
            for first in range(0, self.total, BATCH_SIZE):
                for record in self._group(first):
                    if record["path"] not in self._done:
                        file.write(json.dumps(record) + "\n")
                        file.flush()
                    yield record

    def settings(self) -> dict[str, Any]:
        """What the run is: under "run" what its numbers depend on, under "machine" where it ran."""
        detector, backbone = self._detector, self._detector.method.backbone
        references = detector.references
        return {
            "run": {
                "method": detector.name,
                "recipe": json.loads(json.dumps(asdict(detector.recipe))),
                "fitted": list(detector.notes),
                "model": backbone.card.name,
                "model_sha256": backbone.model_hash,
                "weights": detector.weights,
                "object": self._task.object_name,
                "references": None if references is None else list(references.sources),
                "thresholds": asdict(detector.thresholds),
                "overlays": self._overlays,
                "maps": self._maps,
            },
            "machine": {
                "oddlens": __version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
                "device": str(backbone.device),
            },
        }

    def _group(self, first: int) -> Iterator[Record]:
        """The records of one group in order; nothing runs where all of it is done."""
        paths = self._task.paths[first : first + BATCH_SIZE]
        if all(str(path) in self._done for path in paths):
            yield from (self._done[str(path)] for path in paths)
            return
        started = time.perf_counter()
        pictures: list[Picture | ImageError] = [_read(path) for path in paths]
        readable = [picture for picture in pictures if isinstance(picture, Picture)]
        detections = iter(self._detector.ask(self._detector.encode_pictures(readable), self._task.object_name))
        spent = 1000 * (time.perf_counter() - started) / max(1, len(readable))
        for path, picture in zip(paths, pictures, strict=True):
            if isinstance(picture, ImageError):
                yield self._done.get(str(path), {"path": str(path), "error": str(picture)})
            else:
                yield self._record(path, picture, next(detections), spent)

    def _record(self, path: Path, picture: Picture, detection: Detection, ms: float) -> Record:
        if str(path) in self._done:
            return self._done[str(path)]
        record = detection.to_dict() | {"path": str(path), "ms": round(ms, 1)}
        if self._out is not None:
            try:
                record |= self._write_pictures(self._out, self._names[path], picture, detection)
            except OddlensError as error:
                return {"path": str(path), "error": str(error)}
        return record

    def _write_pictures(self, out: Path, name: str, picture: Picture, detection: Detection) -> Record:
        written: Record = {}
        if self._overlays:
            written["overlay"] = f"overlays/{name}.png"
            with replacing(out / written["overlay"]) as temporary:
                detection.overlay(picture.pixels).save(temporary, compress_level=1)
        if self._maps:
            written["map"] = f"maps/{name}.tiff"
            with replacing(out / written["map"]) as temporary:
                Image.fromarray(detection.anomaly_map).save(temporary)
        return written


def unique_names(paths: Sequence[Path]) -> dict[Path, str]:
    """A file name for each path: its stem, with some of the path's hash where several share one (in any case of letters)."""
    shared = Counter(path.stem.casefold() for path in paths)
    return {
        path: path.stem
        if shared[path.stem.casefold()] == 1
        else f"{path.stem}-{sha256(str(path).encode(errors='surrogateescape')).hexdigest()[:8]}"
        for path in paths
    }


def _read(path: Path) -> Picture | ImageError:
    try:
        return read_image(path)
    except ImageError as error:
        return error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is damaged: give another --out, or --overwrite") from error
    return told if isinstance(told, dict) else {}


def _whole_lines(path: Path) -> Iterator[Record]:
    """The records of a results file; a last line that was cut off by a stop is left out."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
