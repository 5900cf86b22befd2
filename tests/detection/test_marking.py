"""Which regions are large enough."""

import json
from collections.abc import Callable

import pytest

from oddlens.detection import Marking
from oddlens.errors import UsageError


def test_by_default_every_region_is_large_enough() -> None:
    assert Marking().keeps(1)
    assert Marking().mm2(1) is None


def test_one_of_exactly_the_smallest_area_is_kept() -> None:
    assert [Marking(min_area=20).keeps(area) for area in (19, 20, 21)] == [False, True, True]
    tenth = Marking(min_area=0.12, unit="mm2", mm_per_pixel=0.1)  # 0.1 * 0.1 is no exact number
    assert [tenth.keeps(area) for area in (11, 12, 13)] == [False, True, True]


def test_pixels_in_square_millimetres() -> None:
    assert Marking(mm_per_pixel=0.5).mm2(12) == 3
    assert Marking(min_area=20, mm_per_pixel=0.5).keeps(20)  # the area is in pixels all the same


@pytest.mark.parametrize(
    ("text", "area", "unit"),
    [
        ("20", 20, "px"),
        ("20px", 20, "px"),
        (" 1.5 mm2 ", 1.5, "mm2"),
        ("1.5MM²", 1.5, "mm2"),
        ("1e-3mm2", 0.001, "mm2"),
    ],
)
def test_the_command_line_says_pixels_or_square_millimetres(text: str, area: float, unit: str) -> None:
    assert Marking.parse(text, 0.1) == Marking(min_area=area, unit=unit, mm_per_pixel=0.1)  # type: ignore[arg-type]


def test_the_size_of_a_pixel_alone_is_fine() -> None:
    assert Marking.parse(None, 0.1) == Marking(mm_per_pixel=0.1)


@pytest.mark.parametrize(
    "marking", [Marking(), Marking(min_area=3), Marking(min_area=0.5, unit="mm2", mm_per_pixel=0.02)]
)
def test_it_comes_back_from_json(marking: Marking) -> None:
    assert Marking.from_dict(json.loads(json.dumps(marking.to_dict()))) == marking


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Marking(min_area=-1), "the smallest area of a region cannot be -1"),
        (lambda: Marking(min_area=float("nan")), "cannot be nan"),
        (lambda: Marking(min_area=1, unit="mm2"), "an area in mm2 needs the size of a pixel"),
        (lambda: Marking(mm_per_pixel=0), "a pixel cannot be 0 mm wide"),
        (lambda: Marking(mm_per_pixel=1e300), r"a pixel cannot be 1e\+300 mm wide"),
        (lambda: Marking.parse("large"), "'large' is no area: give pixels, as 20, or square millimetres, as 1.5mm2"),
        (lambda: Marking.parse("1.2.3"), "is no area"),
        (lambda: Marking.parse("5cm2"), "is no area"),
        (lambda: Marking.from_dict({"min_area": 1}), "it lacks mm_per_pixel, unit"),
        (lambda: Marking.from_dict({"min_area": 1, "unit": "inch", "mm_per_pixel": None}), "give 'px' or 'mm2'"),
    ],
)
def test_what_cannot_be_used_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make()
