"""Plans on small road sets, all methods on the tiny CLIP."""

from pathlib import Path
from typing import Any

import oddlens
from oddlens.detector import Detector
from oddlens.evaluation import Plan, RulePicks, open_sources, variants
from tests.data.small_roads import SMALL_ROADS

CLASSES = {"sky": ["sky"], "road": ["road", "street"]}
"""The known classes of the small CamVid."""


def write_roads(root: Path) -> list[Path]:
    """Every layout, each in a folder of its name."""
    for layout, write in SMALL_ROADS.items():
        (root / layout).mkdir()
        write(root / layout)
    return [root / layout for layout in SMALL_ROADS]


def street(model: Path, **recipe: Any) -> Detector:
    return oddlens.load("vl4ad", model, **{"classes": CLASSES, "ood": ["person"]} | recipe)


def plan_of(roads: list[Path], *detectors: Detector, shots: tuple[int, ...] = (0,), **changes: Any) -> Plan:
    return Plan(open_sources(roads), detectors, variants(shots, [0, 1]), RulePicks(), **changes)
