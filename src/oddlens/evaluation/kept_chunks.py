"""What was found on chunks of images, on disk until their category is done: a stopped benchmark on workers goes on from there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from oddlens.detection import UNSEEN, Detection, Thresholds, ValueRange
from oddlens.evaluation.chunks import Chunks
from oddlens.evaluation.plan import Job
from oddlens.io.atomic import write_bytes
from oddlens.io.paths import read_bytes
from oddlens.io.strict_json import checked, parse_json

_FORMAT = 2
"""Goes up whenever a file of an earlier program would mean something else."""

_DIGEST = 64
"""Bytes at the end of a file: the SHA-256 of all before, in hexadecimal digits."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a cell has of a chunk.

    Attributes:
        detections: One an image; none where the images wait to be scored as one set.
        encoding: Seconds that the features took, with waiting for images.
        scoring: Seconds that the detections took.
    """

    detections: Sequence[Detection]
    encoding: float
    scoring: float


class _ImageDocument(TypedDict):
    score: float
    size: list[int]
    parts: dict[str, float]
    unseen: bool


class _ThresholdsFields(TypedDict):
    image: float | None
    pixel: float | None
    source: str | None
    review: float | None
    promise: str | None


class _RangeFields(TypedDict):
    low: float
    high: float
    label: str


class _Document(TypedDict):
    """Of a file, beside the arrays. thresholds, value_range, label_names: of all its images."""

    encoding: float
    scoring: float
    thresholds: _ThresholdsFields
    value_range: _RangeFields
    label_names: list[str]
    images: list[_ImageDocument]


class KeptChunks:
    """The chunks of a category in a folder, one file a chunk and cell. The folder belongs to one content: see `folder_of`.

    A file is written whole or not at all; one that is damaged counts as missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def count(self, first: int, cells: Iterable[str]) -> int:
        """The images of the chunk that begins with image `first`; 0 where a cell has none of it, or nothing that is whole.

        Each file is read here and again when its cell takes it: the maps of all cells at once would be gigabytes where many
        methods and seeds are measured, and no cell may take a chunk before the files of all are known to be whole.
        """
        try:
            return min(len(self.read(first, cell).detections) for cell in cells)
        except (OSError, ValueError):
            return 0

    def read(self, first: int, cell: str) -> Found:
        """What a cell has of the chunk that begins with image `first`. Raises `OSError` or `ValueError` where it is not whole."""
        data = read_bytes(self._path(first, cell))
        content, digest = data[:-_DIGEST], data[-_DIGEST:]
        if hashlib.sha256(content).hexdigest().encode("ascii") != digest:
            raise ValueError("its digest is of something else")
        arrays = load(content)
        return _found(checked(parse_json(arrays.pop("document").tobytes()), _Document), arrays)

    def write(self, first: int, cell: str, found: Found) -> None:
        """Keep what a cell has of the chunk that begins with image `first`, one image at least. Raises as `write_bytes`."""
        detections = found.detections
        document: _Document = {
            "encoding": found.encoding,
            "scoring": found.scoring,
            "thresholds": checked(asdict(detections[0].thresholds), _ThresholdsFields),
            "value_range": checked(asdict(detections[0].value_range), _RangeFields),
            "label_names": [*detections[0].label_names],
            "images": [
                {
                    "score": float(each.score),
                    "size": [*each.image_size],
                    "parts": dict(each.parts),
                    "unseen": each.is_unseen,
                }
                for each in detections
            ],
        }
        arrays: dict[str, NDArray[np.generic]] = {
            "document": np.frombuffer(json.dumps(document, allow_nan=False).encode("ascii"), np.uint8)
        }
        for number, each in enumerate(detections):
            arrays[f"map-{number}"] = np.ascontiguousarray(each.anomaly_map)
            if each.labels is not None:
                arrays[f"labels-{number}"] = np.ascontiguousarray(each.labels)
        content = save(arrays)
        write_bytes(self._path(first, cell), content + hashlib.sha256(content).hexdigest().encode("ascii"))

    def _path(self, first: int, cell: str) -> Path:
        return self._folder / f"{first}-{cell}.chunk"


def folder_of(out: Path, jobs: Sequence[Job], chunks: Chunks) -> Path:
    """OUT/parts/<hash>: where the chunks of a category lie, named by all that their numbers depend on.

    jobs: those that are evaluated together. chunks: which images a chunk has.
    """
    cells = [
        [job.key(variant).path(Path()).as_posix(), settings]
        for job in jobs
        for variant, (settings, _) in job.cells.items()
    ]
    content = json.dumps([_FORMAT, cells, astuple(chunks)], sort_keys=True)
    return out / "parts" / hashlib.sha256(content.encode("utf-8")).hexdigest()[:32]


def discard(folder: Path) -> None:
    """Remove the chunks of a category, and the folder around them where it is the last one."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()


def _found(document: _Document, arrays: dict[str, NDArray[np.generic]]) -> Found:
    detections = []
    thresholds = Thresholds(**document["thresholds"])
    value_range = ValueRange(**document["value_range"])
    for number, image in enumerate(document["images"]):
        width, height = image["size"]
        labels = arrays.get(f"labels-{number}")
        detections.append(
            Detection(
                image["score"],
                arrays[f"map-{number}"].astype(np.float32, copy=False),
                (width, height),
                thresholds,
                value_range,
                parts=image["parts"],
                labels=None if labels is None else labels.astype(np.uint8, copy=False),
                label_names=tuple(document["label_names"]),
                concern=UNSEEN if image["unseen"] else None,
                is_unseen=image["unseen"],
            )
        )
    return Found(detections, document["encoding"], document["scoring"])
