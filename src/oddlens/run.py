"""A run of a detector over many pictures: results as they come, what is drawn of them, and going on after a stop."""

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
from typing import Any, TypeVar

import numpy as np
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
from oddlens.label_image import draw_labels
from oddlens.results import Record, ResultsFolder
from oddlens.smoothing import Smoothing
from oddlens.video import VideoFrame
from oddlens.wording import printable

Source = TypeVar("Source", bound=Path | VideoFrame)

_LONGEST_NAME = 200
_KEPT_OF_NAME = 50


@dataclass(frozen=True)
class Task:
    """What is looked at: files and frames of videos, and the name of the object on them."""

    object_name: str
    paths: tuple[Path | VideoFrame, ...]


class DetectionRun:
    """Iterating runs it: yields one record a picture, in order; where it goes on, the earlier ones among them.

    out None: nothing is written. Pictures run in fixed groups of `BATCH_SIZE`, the same ones on a resumed run, so that a run that
    was stopped ends with the same numbers as an undisturbed one. smoothing: of the frames of videos; it goes on from the maps in
    `out`. Raises `UsageError` where `out` holds results of other settings, for a detector whose scores are those of a set, and for
    smoothing without maps to go on from.
    """

    def __init__(
        self,
        detector: Detector,
        task: Task,
        out: ResultsFolder | None = None,
        *,
        overlays: bool = True,
        maps: bool = True,
        labels: bool = True,
        smoothing: Smoothing | None = None,
    ) -> None:
        self._detector = detector
        self._task = task
        self._out = out
        self._overlays, self._maps, self._labels = overlays, maps, labels
        self._smoothing = smoothing
        self._names = unique_names(task.paths)
        if detector.scores_sets:
            raise UsageError(
                f"with this recipe {detector.name} scores a whole set of pictures at once, and a run tells of each as it comes: "
                "take the method's own recipe, or measure with 'oddlens benchmark'"
            )
        if smoothing is not None and out is not None and not maps:
            raise UsageError("smoothing goes on from the maps of a stopped run: let them be written")
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
            "labels": self._labels,
            "smoothing": self._smoothing and {"share": self._smoothing.share, "every": self._steps()},
        }
        machine = {
            "torch": torch.__version__,
            "python": platform.python_version(),
            "device": str(backbone.device),
            "weights": detector.weights,
        }
        plain: dict[str, Any] = json.loads(json.dumps({"run": run, "machine": machine}))  # as it is read back from disk
        return plain

    def _steps(self) -> list[int]:
        """How far apart the frames of videos lie."""
        return sorted({path.video.every for path in self._task.paths if isinstance(path, VideoFrame)})

    def _group(self, paths: Sequence[Path | VideoFrame]) -> Iterator[Record]:
        """The records of pictures that run together; nothing runs where all of them are done."""
        done = {} if self._out is None else self._out.done
        if all(str(path) in done for path in paths):
            self._go_on_from(paths[-1], done[str(paths[-1])])
            yield from (done[str(path)] for path in paths)
            return
        started = time.perf_counter()
        pictures = {path: _read(path, self._detector.max_megapixels) for path in paths}
        readable = {path: picture for path, picture in pictures.items() if isinstance(picture, Picture)}
        encoded = self._detector.encode_pictures(list(readable.values()))
        found = zip(readable, self._detector.ask(encoded, self._task.object_name), strict=True)
        detections = {path: self._smoothed(path, detection) for path, detection in found}
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

    def _smoothed(self, path: Path | VideoFrame, detection: Detection) -> Detection:
        if self._smoothing is None or not isinstance(path, VideoFrame):
            return detection
        return self._smoothing(path.video, detection)

    def _go_on_from(self, path: Path | VideoFrame, record: Record) -> None:
        """Tell the smoothing what an earlier run found last."""
        if self._smoothing is None or self._out is None or not isinstance(path, VideoFrame):
            return
        place = self._out.root / record["map"]
        try:
            with Image.open(place) as image:
                heat = np.asarray(image, np.float32)
        except OSError as error:
            raise UsageError(
                f"{printable(str(place))}, from which smoothing would go on, is missing or damaged: "
                "add --overwrite to begin anew, or give another --out"
            ) from error
        self._smoothing.go_on_from(path.video, heat, record["score"])

    def _record(self, path: Path | VideoFrame, picture: Picture, detection: Detection, ms: float) -> Record:
        record = detection.to_dict() | {"path": str(path), "ms": round(ms, 1)}
        if self._out is not None:
            try:
                record |= self._draw(self._out, self._names[path], picture, detection)
            except OddlensError as error:
                return {"path": str(path), "error": str(error)}
        return record

    def _draw(self, out: ResultsFolder, name: str, picture: Picture, detection: Detection) -> Record:
        """Write overlay, map and labels; their places, relative to the folder."""
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
        if self._labels and detection.labels is not None:
            path = out.labels / f"{name}.png"
            with replacing(path) as temporary:
                draw_labels(detection.labels, detection.image_size).save(temporary)
            written["labels"] = path.relative_to(out.root).as_posix()
        return written


def unique_names(paths: Sequence[Source]) -> dict[Source, str]:
    """A file name without suffix for each path: its stem; with some of the path's hash where several share the stem (in any case
    of letters), and shortened where it is too long to take a suffix.
    """
    shared = Counter(path.stem.casefold() for path in paths)

    def name(path: Source) -> str:
        stem, digest = path.stem, sha256(os.fsencode(path)).hexdigest()[:8]
        if len(os.fsencode(stem)) > _LONGEST_NAME:
            return f"{stem[:_KEPT_OF_NAME]}-{digest}"
        return stem if shared[stem.casefold()] == 1 else f"{stem}-{digest}"

    return {path: name(path) for path in paths}


def _read(path: Path | VideoFrame, max_megapixels: float | None) -> Picture | ImageError:
    try:
        return path.read() if isinstance(path, VideoFrame) else read_image(path, max_megapixels=max_megapixels)
    except ImageError as error:
        return error
