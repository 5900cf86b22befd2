"""A run of a detector over many files: results as they come, overlays and maps, and going on after a stop."""

from __future__ import annotations

import json
import os
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
from oddlens.atomic import replacing
from oddlens.backbone.files import file_hash
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.encoding import BATCH_SIZE
from oddlens.errors import ImageError, OddlensError, UsageError
from oddlens.images import Picture, read_image
from oddlens.results import Record, ResultsFolder

_LONGEST_NAME = 200
_KEPT_OF_NAME = 50


@dataclass(frozen=True)
class Task:
    """What is looked at: files, and the name of the object on them."""

    object_name: str
    paths: tuple[Path, ...]


class DetectionRun:
    """Iterating runs it: yields one record a picture, in order; where it goes on, the earlier ones among them.

    out None: nothing is written. Pictures run in fixed groups of `BATCH_SIZE`, the same ones on a resumed run, so that a run that
    was stopped ends with the same numbers as an undisturbed one. Raises `UsageError` where `out` holds results of other settings,
    and for a detector whose scores are those of a set.
    """

    def __init__(
        self,
        detector: Detector,
        task: Task,
        out: ResultsFolder | None = None,
        *,
        overlays: bool = True,
        maps: bool = True,
    ) -> None:
        self._detector = detector
        self._task = task
        self._out = out
        self._overlays, self._maps = overlays, maps
        self._names = unique_names(task.paths)
        if detector.scores_sets:
            raise UsageError(
                f"with this recipe {detector.name} scores a whole set of pictures at once, and a run tells of each as it comes: "
                "take the method's own recipe, or measure with 'oddlens benchmark'"
            )
        if out is not None:
            out.check(self.settings())

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self._task.paths)

    def __iter__(self) -> Iterator[Record]:
        """Run; see the class."""
        for first in range(0, len(self), BATCH_SIZE):
            yield from self._group(self._task.paths[first : first + BATCH_SIZE])
        if self._out is not None:
            self._out.finish([str(path) for path in self._task.paths])

    def settings(self) -> dict[str, Any]:
        """What the run is: under "run" what its numbers depend on, under "machine" where it ran."""
        detector, backbone = self._detector, self._detector.method.backbone
        references = detector.references
        run = {
            "oddlens": __version__,
            "method": detector.name,
            "recipe": asdict(detector.recipe),
            "fitted": detector.notes,
            "model": backbone.card.name,
            "model_sha256": backbone.model_hash,
            "weights_sha256": None if detector.weights is None else file_hash(Path(detector.weights)),
            "object": self._task.object_name,
            "references": None if references is None else references.sources,
            "thresholds": asdict(detector.thresholds),
            "overlays": self._overlays,
            "maps": self._maps,
        }
        machine = {
            "torch": torch.__version__,
            "python": platform.python_version(),
            "device": str(backbone.device),
            "weights": detector.weights,
        }
        plain: dict[str, Any] = json.loads(json.dumps({"run": run, "machine": machine}))  # as it is read back from disk
        return plain

    def _group(self, paths: Sequence[Path]) -> Iterator[Record]:
        """The records of pictures that run together; nothing runs where all of them are done."""
        done = {} if self._out is None else self._out.done
        if all(str(path) in done for path in paths):
            yield from (done[str(path)] for path in paths)
            return
        started = time.perf_counter()
        pictures = {path: _read(path) for path in paths}
        readable = {path: picture for path, picture in pictures.items() if isinstance(picture, Picture)}
        encoded = self._detector.encode_pictures(list(readable.values()))
        detections = dict(zip(readable, self._detector.ask(encoded, self._task.object_name), strict=True))
        ms = 1000 * (time.perf_counter() - started) / max(1, len(readable))
        if self._out is not None:  # only now: a run that cannot even start leaves the earlier one as it is
            self._out.begin(self.settings())
        for path, picture in pictures.items():
            record = done.get(str(path))
            if record is None:
                if isinstance(picture, ImageError):
                    record = {"path": str(path), "error": str(picture)}
                else:
                    record = self._record(path, picture, detections[path], ms)
                if self._out is not None:
                    self._out.append(record)
            yield record

    def _record(self, path: Path, picture: Picture, detection: Detection, ms: float) -> Record:
        record = detection.to_dict() | {"path": str(path), "ms": round(ms, 1)}
        if self._out is not None:
            try:
                record |= self._draw(self._out, self._names[path], picture, detection)
            except OddlensError as error:
                return {"path": str(path), "error": str(error)}
        return record

    def _draw(self, out: ResultsFolder, name: str, picture: Picture, detection: Detection) -> Record:
        """Write overlay and map; their places, relative to the folder."""
        written: Record = {}
        if self._overlays:
            path = out.overlays / f"{name}.png"
            with replacing(path) as temporary:
                detection.overlay(picture.pixels).save(temporary, compress_level=1)
            written["overlay"] = path.relative_to(out.root).as_posix()
        if self._maps:
            path = out.maps / f"{name}.tiff"
            with replacing(path) as temporary:
                Image.fromarray(detection.anomaly_map).save(temporary)
            written["map"] = path.relative_to(out.root).as_posix()
        return written


def unique_names(paths: Sequence[Path]) -> dict[Path, str]:
    """A file name without suffix for each path: its stem; with some of the path's hash where several share the stem (in any case
    of letters), and shortened where it is too long to take a suffix.
    """
    shared = Counter(path.stem.casefold() for path in paths)

    def name(path: Path) -> str:
        stem, digest = path.stem, sha256(os.fsencode(path)).hexdigest()[:8]
        if len(os.fsencode(stem)) > _LONGEST_NAME:
            return f"{stem[:_KEPT_OF_NAME]}-{digest}"
        return stem if shared[stem.casefold()] == 1 else f"{stem}-{digest}"

    return {path: name(path) for path in paths}


def _read(path: Path) -> Picture | ImageError:
    try:
        return read_image(path)
    except ImageError as error:
        return error
