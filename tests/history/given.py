"""Inspections for tests of the history."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from oddlens.history.records import NewInspection

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)

IDENTITY = {"oddlens": "0.1.0", "method": "patch-knn", "recipe": {"layers": [1, 2]}, "model": "mini"}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def found(score: float = 0.7, verdict: str | None = "ng", **more: object) -> dict[str, object]:
    """What `Detection.to_dict` says."""
    return {
        "path": "nut.png",
        "score": score,
        "is_anomalous": None if verdict is None else verdict == "ng",
        "verdict": verdict,
        "threshold": None if verdict is None else 0.5,
        "pixel_threshold": 0.6,
        "threshold_source": "given",
        "regions": [{"box": [1, 2, 3, 4], "area": 12, "peak": 0.9, "names": [["scratch", 0.8], ["dent", 0.2]]}],
        "image_size": [640, 480],
        "review_threshold": 0.4,
        **more,
    }


def new(minutes: float = 0, detection: dict[str, object] | None = None, **changes: Any) -> NewInspection:
    """An inspection so many minutes after noon; without a detection, where `error` is given, a failed one."""
    values: dict[str, Any] = {
        "station": "line-3",
        "station_version": 2,
        "time": NOON + timedelta(minutes=minutes),
        "source": "nut.png",
        "origin": "api",
        "digest": digest(str(minutes)),
        "detection": (detection or found()) if changes.get("error") is None else None,
        "error": None,
        "map_digest": digest("map"),
        "identity": IDENTITY,
        "ms": 12.5,
    }
    return NewInspection(**values | changes)
