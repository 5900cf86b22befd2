"""Which region of an image of a defective part has the name that a person gave."""

from __future__ import annotations

from oddlens.data.shapes import mask_of
from oddlens.detection import Detection, Region
from oddlens.detection.regions import mark_hottest, mark_where
from oddlens.station.feedback import Mark


def named_region(mark: Mark, found: Detection) -> Region:
    """The largest region that the person drew; where none was drawn, the hottest of the detection, also of one that is OK."""
    size = list(found.image_size[::-1])
    if mark.mask is not None and mark.mask["size"] == size and (drawn := mask_of(mark.mask)).any():
        return max(mark_where(found.heatmap(), drawn, found.marking).regions, key=lambda region: region.area)
    if found.regions:
        return found.regions[0]
    inside = None if found.roi is None else found.roi.inside(found.image_size)
    return mark_hottest(found.heatmap(), inside, found.marking).regions[0]
