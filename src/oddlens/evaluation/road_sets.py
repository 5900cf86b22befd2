"""The road sets that have a protocol or a leaderboard of their own: how to recognise them, and how their makers evaluate.

Component sizes by data set: the commands of SegmentMeIfYouCan's toolkit, which measures Fishyscapes Lost and Found as the anomaly
track and Lost and Found as the obstacle track; RoadAnomaly, which it does not list, has what it takes by default. Image by image:
the script of StreetHazards' authors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from oddlens.data.named import NamedDataset


@dataclass(frozen=True)
class RoadSet:
    """A road set.

    Attributes:
        name: As in `published_roads`.
        layout: `Dataset.layout`.
        words: One of them is in the name of its category or folder, letters and digits only; () fits any name.
        components: One of `metrics.COMPONENT_SIZES`; None: no sizes are published.
        per_image: Its authors evaluate every image alone.
    """

    name: str
    layout: str
    words: tuple[str, ...] = ()
    components: str | None = None
    per_image: bool = False


ROAD_SETS = (
    RoadSet("RoadAnomaly21", "smiyc", ("anomalytrack", "roadanomaly21"), "anomaly-track"),
    RoadSet("RoadObstacle21", "smiyc", ("obstacletrack", "roadobstacle21"), "obstacle-track"),
    RoadSet("RoadAnomaly", "road-anomaly", ("roadanomaly",), "anomaly-track"),
    RoadSet("Lost and Found", "lost-and-found", (), "obstacle-track"),
    RoadSet("Fishyscapes Lost and Found", "fishyscapes-laf", (), "anomaly-track"),
    RoadSet("StreetHazards", "street-hazards", per_image=True),
    RoadSet("Cityscapes", "cityscapes"),
)


def find_road_set(source: NamedDataset, category: str) -> RoadSet | None:
    """Which of them a category of a data set is; None for any other."""
    names = [re.sub(r"[^a-z0-9]", "", name.casefold()) for name in (category, source.name)]
    return next(
        (
            known
            for known in ROAD_SETS
            if known.layout == source.dataset.layout
            and (not known.words or any(word in name for word in known.words for name in names))
        ),
        None,
    )
