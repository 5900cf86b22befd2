"""Names of defects for 'oddlens detect': the runtime that they take, and what gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.cli.options import say
from oddlens.errors import UsageError, needs_torch

if TYPE_CHECKING:
    from oddlens.detector import Detector
    from oddlens.inference.sinks import Sink


def runtime_of_names(runtime: str, words: Sequence[str]) -> str:
    """What `--runtime` means where these names are asked for: names take torch."""
    return "torch" if words and runtime == "auto" else runtime


def open_to_name(station: str | Path, device: str, runtime: str, words: Sequence[str]) -> Detector:
    """A station, on torch where it gives names and the runtime is "auto" and torch is installed."""
    import oddlens

    detector = oddlens.open_station(station, device, runtime=runtime_of_names(runtime, words))
    if runtime == "auto" and detector.runtime != "torch" and _knows_names(detector) and _has_torch():
        return oddlens.open_station(station, device, runtime="torch")
    return detector


def names_sink(detector: Detector, words: Sequence[str], object_name: str) -> Sink | None:
    """What gives each marked region the names that fit; None where there are none to give, or only torch could.

    words: that are asked for; () takes those of the station.

    Raises `UsageError` where words are asked for and the model cannot name.
    """
    if not words and not _knows_names(detector):
        return None
    if not words and detector.runtime != "torch":
        say("oddlens: the station knows names of defects, which need PyTorch: regions get none")
        return None
    from oddlens.inference.region_names import RegionNamesSink

    with needs_torch("naming defects"):
        from oddlens.teaching.namer import Namer

    known = detector.defects
    chosen, regions = (words, None) if known is None else (words or known.words, known.regions)
    return RegionNamesSink(Namer(detector.backbone, chosen, object_name, regions))


def _knows_names(detector: Detector) -> bool:
    known = detector.defects
    return known is not None and bool(known.words or known.regions.names)


def _has_torch() -> bool:
    try:
        with needs_torch("naming defects"):
            import torch  # noqa: F401
    except UsageError:
        return False
    return True
