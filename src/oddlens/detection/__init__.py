"""What a method finds in one image: the types that Python, the command line and every sink speak. No torch."""

from oddlens.detection.detection import UNSEEN, Detection
from oddlens.detection.marking import Marking
from oddlens.detection.region_of_interest import RegionOfInterest
from oddlens.detection.regions import Region, find_regions, resize_map
from oddlens.detection.thresholds import Thresholds, ValueRange, Verdict

__all__ = [
    "UNSEEN",
    "Detection",
    "Marking",
    "Region",
    "RegionOfInterest",
    "Thresholds",
    "ValueRange",
    "Verdict",
    "find_regions",
    "resize_map",
]
