"""Which regions are large enough to be marked, and how large a pixel is."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from oddlens.errors import UsageError, shortened
from oddlens.io.strict_json import require_form

Unit = Literal["px", "mm2"]
_UNITS: tuple[Unit, ...] = get_args(Unit)

_WIDEST_PIXEL = 1e6
"""In millimetres. What is wider is a slip, and areas would not be finite."""


class MarkingDocument(TypedDict):
    """What `Marking.to_dict` writes. unit: one of `Unit`."""

    min_area: float
    unit: str
    mm_per_pixel: float | None


@dataclass(frozen=True, kw_only=True)
class Marking:
    """How regions are marked. No score and no verdict depends on it.

    Attributes:
        min_area: A smaller region is not marked, unless it would be the last one of an image that is not OK; in `unit`.
        unit: "px", pixels of the image, or "mm2", square millimetres.
        mm_per_pixel: How wide a pixel of the image is on the object; None where it is not known.

    Raises:
        UsageError: A number cannot be used, or square millimetres are asked for and nobody says how large a pixel is.

    Examples:
        >>> Marking(min_area=2.5, unit="mm2", mm_per_pixel=0.5).keeps(10), Marking(min_area=11).keeps(10)
        (True, False)
    """

    min_area: float = 0
    unit: Unit = "px"
    mm_per_pixel: float | None = None

    def __post_init__(self) -> None:
        if not (_is_number(self.min_area) and self.min_area >= 0):
            raise UsageError(
                f"the smallest area of a region cannot be {shortened(self.min_area)}: give a number from 0"
            )
        _unit(self.unit)
        if self.mm_per_pixel is not None and not (
            _is_number(self.mm_per_pixel) and 0 < self.mm_per_pixel <= _WIDEST_PIXEL
        ):
            raise UsageError(
                f"a pixel cannot be {shortened(self.mm_per_pixel)} mm wide: give a number above 0, at most a million"
            )
        if self.unit == "mm2" and self.mm_per_pixel is None:
            raise UsageError(
                "an area in mm2 needs the size of a pixel: say how many millimetres wide one is (--mm-per-pixel)"
            )

    def keeps(self, area: int) -> bool:
        """Whether a region of so many pixels is large enough. One of exactly `min_area` is."""
        size = area if self.unit == "px" else self.mm2(area)
        assert size is not None
        return size >= self.min_area * (1 - 1e-9)  # 0.1 mm times 0.1 mm is a bit more than 0.01 mm2

    def in_words(self) -> str:
        """Which regions are marked."""
        scale = "" if self.mm_per_pixel is None else f", a pixel is {self.mm_per_pixel:g} mm wide"
        return f"regions from {self.min_area:g} {self.unit} on are marked{scale}"

    def mm2(self, area: int) -> float | None:
        """So many pixels in square millimetres; None where nobody said how large one is."""
        return None if self.mm_per_pixel is None else area * self.mm_per_pixel**2

    def to_dict(self) -> MarkingDocument:
        """As JSON values, which `from_dict` takes."""
        return {"min_area": self.min_area, "unit": self.unit, "mm_per_pixel": self.mm_per_pixel}

    @classmethod
    def from_dict(cls, document: object) -> Marking:
        """The marking that `to_dict` described. Raises `UsageError` for anything else."""
        found = require_form(document, MarkingDocument, "this does not say how regions are marked")
        return cls(min_area=found["min_area"], unit=_unit(found["unit"]), mm_per_pixel=found["mm_per_pixel"])

    @classmethod
    def parse(cls, min_area: str | None = None, mm_per_pixel: float | None = None) -> Marking:
        """Of what the command line says: an area as "20" or "20px", in pixels, or as "1.5mm2".

        Raises `UsageError` as the class does, and for a text that is no area.
        """
        if min_area is None:
            return cls(mm_per_pixel=mm_per_pixel)
        found = re.fullmatch(r"([\d.]+(?:e-?\d+)?)\s*(px|mm2|mm²|)", min_area.strip().casefold())
        try:
            area = float(found[1]) if found else math.nan
        except ValueError:
            area = math.nan
        if found is None or not math.isfinite(area):
            raise UsageError(f"{min_area!r} is no area: give pixels, as 20, or square millimetres, as 1.5mm2")
        return cls(min_area=area, unit="mm2" if found[2].startswith("mm") else "px", mm_per_pixel=mm_per_pixel)


def _unit(name: str) -> Unit:
    if name not in _UNITS:
        raise UsageError(f"the unit of an area cannot be {shortened(name)}: give 'px' or 'mm2'")
    return name


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
