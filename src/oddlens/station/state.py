"""What a station says, as plain values and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oddlens.calibration import Calibration, Rates
from oddlens.detection import Thresholds
from oddlens.provenance import Identity


@dataclass(frozen=True, eq=False, kw_only=True)
class SavedReferences:
    """Good examples after the towers.

    Attributes:
        features: By name; the first dimension is the image.
        sources: What the images are called.
        sizes: (width, height) of the images, in pixels.
        notes: What was noted when they were read, or None.
        digests: Of their pixels; () where they are not known.
    """

    features: Mapping[str, NDArray[np.generic]]
    sources: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    notes: tuple[str | None, ...]
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class StationState:
    """All that a station says.

    Attributes:
        identity: What made it; of a station of formats 1 and 2, "" and None stand for what it does not say.
        model: The model's folder or file, as `oddlens.load` takes it; None: the packaged one.
        model_files: The files of that model, which a station takes along.
        weights: The file of the learned part; None without one.
        thresholds: Those given by hand.
        references: None without good examples.
        calibration: A split calibration, or the rates of leave-one-out ones; None: those of the rule.
        is_sealed: Whether checksums vouch for the references: those of format 1 have none, and must be judged otherwise.
    """

    identity: Identity
    model: Path | None = None
    model_files: tuple[Path, ...] = ()
    weights: Path | None = None
    thresholds: Thresholds
    references: SavedReferences | None = None
    calibration: Calibration | Rates | None = None
    is_sealed: bool = True
