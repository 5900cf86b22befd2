"""What a station that is learning keeps of its line: a random sample of all images that it saw.

    STATION/learning/<SHA-256 of the pixels>.<what scored it>.safetensors      an image: score, embedding, a small picture

What was scored by something else stays where it is, for a version that is rolled back to, and the same image scored anew lies
beside it; of the samples only the last few are kept. Files of earlier versions of oddlens do not name what scored them: they say
it inside.

Those images are kept whose pixels have the lowest hash: so whatever comes, in whatever order, in one run or in many, also in one
that is continued, each image that was seen is as likely to be in the sample as any other.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Container, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from oddlens.calibration import Look, Observation, Observations
from oddlens.io.atomic import write_bytes
from oddlens.io.paths import is_dir, matching
from oddlens.io.strict_json import checked, parse_json
from oddlens.methods.registry import uses_object_name
from oddlens.provenance import Identity, differing

FOLDER = "learning"

ENOUGH = 60
"""Images of the line that a station is calibrated on."""

LEAST = 20
"""Fewer good ones are no sample of a line: they promise no 5 % of false alarms, and nothing tests whether they stand for it."""

LEAST_COMPARED = 20
"""Of fewer images of the line nothing is said: the tests would find great differences only."""

SAMPLES = 4
"""Samples that are kept, each scored by something else: the last ones that began or grew. One takes a few megabytes."""

_DIGITS = 64
"""Of the SHA-256 with which the name of a file begins."""

_KEY = "observation"


class _Document(TypedDict):
    """What a file says beside its arrays. size: [width, height], in pixels."""

    scored_by: str
    time: float
    source: str
    size: list[int]
    score: float
    peak: float
    usual: float
    brightness: float
    sharpness: float


def scored_by(identity: Identity, object_name: str) -> str:
    """A hash of all that scores depend on: those of other references or another recipe do not belong to the same sample."""
    return _hash(identity, object_name if uses_object_name(identity.method) else None)


def sample_scored_by(station: str | os.PathLike[str], identity: Identity, object_name: str) -> LearningSample:
    """The sample of a station's line, as far as it was scored as `identity` scores."""
    # Earlier versions of oddlens took the object's name in, whether a score depends on it or not.
    return LearningSample(station, scored_by(identity, object_name), earlier=_hash(identity, object_name))


def _hash(identity: Identity, object_name: str | None) -> str:
    document = identity.to_dict() | {"object_name": object_name}
    made_of = {name: value for name, value in document.items() if name not in _NOT_SCORES}
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def scored_otherwise(found: Mapping[str, object], wanted: Mapping[str, object]) -> list[str]:
    """In what a result was scored in another way than wanted, by what made each; [] where their scores belong together.

    "object" is the object's name, which results of earlier versions do not say: of these it is not compared, nor where no score
    depends on it.
    """
    is_compared = "object" in found and uses_object_name(str(wanted.get("method")))
    skipped = _NOT_SCORES if is_compared else (*_NOT_SCORES, "object")
    one, other = ({name: each[name] for name in each if name not in skipped} for each in (found, wanted))
    return list(dict.fromkeys(name.removesuffix("_sha256") for name in differing(one, other)))


_NOT_SCORES = ("oddlens", "thresholds", "calibration", "marking")


class LearningSample:
    """The sample of a station, on disk. What cannot be read, or was scored by something else, is no part of it, and stays.

    station: its folder. earlier: another hash that says the same.
    """

    def __init__(
        self, station: str | os.PathLike[str], scored_by: str, size: int = ENOUGH, earlier: str | None = None
    ) -> None:
        self.station = Path(station)
        self._folder = self.station / FOLDER
        self._scored_by = scored_by
        self._same = frozenset({scored_by, earlier or scored_by})
        self._size = size
        self._known: dict[str, Path] | None = None  # the digests in the sample -> their files

    def __len__(self) -> int:
        """How many images it has."""
        return len(self._files())

    def wants(self, digest: str) -> bool:
        """Whether an image would be kept now. digest: of its pixels."""
        known = self._files()
        return digest not in known and (len(known) < self._size or _rank(digest) < max(map(_rank, known)))

    def add(self, image: Observation) -> None:
        """Keep an image, in another one's place where the sample is full. Raises `OddlensError` where the disk takes no more."""
        known = self._files()
        if image.look is None or not self.wants(image.digest):
            return
        path = self._folder / f"{image.digest}.{self._scored_by[:16]}.safetensors"
        write_bytes(path, _packed(image, self._scored_by))
        if not known:
            _keep_last(self.station)
        known[image.digest] = path
        while len(known) > self._size:
            with suppress(OSError):
                known.pop(max(known, key=_rank)).unlink()

    def read(self) -> Observations:
        """The images, in the order in which they came."""
        found = [each for path in _files(self.station) if (each := _unpacked(path, self._same)) is not None]
        found.sort(key=lambda each: each[0])
        return Observations("split", tuple(image for _, image in found))

    def _files(self) -> dict[str, Path]:
        if self._known is None or (self._known and not is_dir(self._folder)):  # it was deleted: the sample begins again
            # threads may ask at once: it is whole as soon as it is there
            files = (path for path in _files(self.station) if _unpacked(path, self._same) is not None)
            self._known = {path.name[:_DIGITS]: path for path in files}
        return self._known


def kept_count(station: Path) -> int:
    """How many images are kept of a station's line, whatever scored them."""
    return len({path.name[:_DIGITS] for path in _files(station)})


def _files(station: Path) -> list[Path]:
    found = matching(station / FOLDER, "*.safetensors")
    return [path for path in found if len(path.name.partition(".")[0]) == _DIGITS]


def _keep_last(station: Path) -> None:
    """Delete the samples that are the oldest, where there are more than `SAMPLES`."""
    samples: dict[str, list[Path]] = {}
    for path in _files(station):
        samples.setdefault(path.name[_DIGITS:], []).append(path)
    with suppress(OSError):
        last = sorted(samples.values(), key=lambda files: max(path.stat().st_mtime_ns for path in files))
        for path in (path for files in last[:-SAMPLES] for path in files):
            path.unlink()


def _rank(digest: str) -> str:
    """Where an image stands in a random order; another one than that of the audit, which looks at the digest itself."""
    return hashlib.sha256(f"learning {digest}".encode()).hexdigest()


def _packed(image: Observation, scored_by: str) -> bytes:
    assert image.look is not None
    document: _Document = {
        "scored_by": scored_by,
        "time": time.time(),
        "source": image.source,
        "size": list(image.size),
        "score": image.score,
        "peak": image.peak,
        "usual": image.usual,
        "brightness": image.look.brightness,
        "sharpness": image.look.sharpness,
    }
    arrays: dict[str, NDArray[np.generic]] = {
        "embedding": np.ascontiguousarray(image.embedding, np.float32),
        "thumbnail": np.ascontiguousarray(image.look.thumbnail),
    }
    packed: bytes = save(arrays, metadata={_KEY: json.dumps(document)})
    return packed


def _unpacked(path: Path, scored_by: Container[str]) -> tuple[float, Observation] | None:
    """When an image came, and the image; None for a file that is damaged or was scored by something else."""
    try:
        with safe_open(path, framework="numpy") as file:
            document = checked(parse_json((file.metadata() or {}).get(_KEY, "")), _Document)
            embedding, thumbnail = file.get_tensor("embedding"), file.get_tensor("thumbnail")
    except (OSError, ValueError, SafetensorError):
        return None
    if document["scored_by"] not in scored_by or len(document["size"]) != 2 or min(document["size"]) < 1:
        return None
    if embedding.dtype != np.float32 or embedding.ndim != 1 or not np.isfinite(embedding).all():
        return None
    if thumbnail.dtype != np.uint8 or thumbnail.ndim != 3 or thumbnail.shape[2] != 3 or not thumbnail.size:
        return None
    return document["time"], Observation(
        source=document["source"],
        digest=path.name[:_DIGITS],
        size=(document["size"][0], document["size"][1]),
        score=float(document["score"]),
        peak=float(document["peak"]),
        usual=float(document["usual"]),
        embedding=embedding,
        look=Look(thumbnail, float(document["brightness"]), float(document["sharpness"])),
    )
