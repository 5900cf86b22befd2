"""The anomaly maps that a run kept, read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oddlens.inference.records import Record
from oddlens.io.decoding import decode_stored
from oddlens.io.paths import open_file
from oddlens.io.pixels import UnreadableError

_MOST_MEGAPIXELS = 1000.0
"""A map of more is damaged."""


def kept_map(root: Path, record: Record) -> NDArray[np.float32] | None:
    """The anomaly map of a line of results.jsonl, float32 [height, width]; None where there is none, or it is damaged.

    root: the folder of the run.
    """
    if "map" not in record:
        return None
    try:
        with open_file(root / record["map"]) as stream:
            image = decode_stored(stream, _MOST_MEGAPIXELS)[0]
    except (OSError, ValueError, UnreadableError):
        return None
    values = np.asarray(image, np.float32)
    return values if image.mode == "F" and np.isfinite(values).all() else None
