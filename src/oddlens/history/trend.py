"""A station's scores over time, as a chart shows them."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from oddlens.history.comparable import Comparable
from oddlens.history.history import History, control_limits
from oddlens.io.strict_json import said_time


def trend_document(history: History, station: str, since: datetime | None = None) -> dict[str, object]:
    """The newest 10,000 as JSON values, the oldest first, column by column.

    limits: the thresholds of the newest, and `control_limits` of those that are not NG and that were scored as the newest was;
    note: which were not, in a sentence.
    """
    found = history.trend(station, since)
    latest = next((each for each in history.latest(station, 20) if each.detection is not None), None)
    thresholds = {} if latest is None else cast("dict[str, object]", latest.to_dict()["thresholds"])
    same = Comparable.of(history, (each[-1] for each in found), None if latest is None else latest.identity)
    limits = control_limits([score for _, score, verdict, by in found if verdict != "ng" and by in same.by])
    others = same.left_out(sum(by not in same.by for *_, by in found))
    return {
        "time": [said_time(time) for time, *_ in found],
        "score": [score for _, score, *_ in found],
        "verdict": [verdict for _, _, verdict, _ in found],
        "limits": {name: thresholds.get(name) for name in ("image", "review")} | limits,
        "note": others and f"The lines say nothing of {others}.",
    }
