"""Where to look."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from oddlens.detection import RegionOfInterest
from oddlens.detection.region_of_interest import MaskRuns, Polygon
from oddlens.errors import ImageError, UsageError

LEFT: Polygon = ((0, 0), (0.5, 0), (0.5, 1), (0, 1))
SPOT: Polygon = ((0.25, 0.25), (0.5, 0.25), (0.5, 0.5), (0.25, 0.5))


def rows(region: RegionOfInterest, size: tuple[int, int]) -> list[str]:
    """What lies inside as #."""
    return ["".join(".#"[value] for value in row) for row in region.inside(size).astype(int)]


class TestInside:
    def test_a_pixel_is_inside_if_its_centre_is(self) -> None:
        assert rows(RegionOfInterest(include=(LEFT,)), (4, 2)) == ["##..", "##.."]
        assert rows(RegionOfInterest(include=(LEFT,)), (3, 1)) == ["#.."]  # the centre of the second lies on the border

    def test_several_polygons_add_up_and_ignored_ones_are_taken_out(self) -> None:
        right: Polygon = ((0.75, 0), (1, 0), (1, 1), (0.75, 1))
        assert rows(RegionOfInterest(include=(LEFT, right)), (4, 1)) == ["##.#"]
        assert rows(RegionOfInterest(include=(LEFT,), ignore=(SPOT,)), (4, 4)) == ["##..", "#...", "##..", "##.."]
        assert rows(RegionOfInterest(ignore=(SPOT,)), (4, 4)) == ["####", "#.##", "####", "####"]

    def test_where_a_polygon_crosses_itself_it_is_inside_out(self) -> None:
        twice: Polygon = (*LEFT[::-1], *((0, 0), (1, 0), (1, 1), (0, 1)))
        assert rows(RegionOfInterest(include=(twice,)), (4, 2)) == ["..##", "..##"]

    def test_a_mask_holds_for_images_of_any_size(self) -> None:
        region = RegionOfInterest(mask=MaskRuns.of(np.array([[1, 0], [0, 1]], bool)))
        assert rows(region, (4, 2)) == ["##..", "..##"]
        assert rows(region, (2, 2)) == ["#.", ".#"]

    def test_what_is_smaller_than_a_pixel_is_the_pixel_that_holds_it(self) -> None:
        tiny: Polygon = ((0.52, 0.02), (0.58, 0.02), (0.58, 0.2), (0.52, 0.2))
        assert rows(RegionOfInterest(include=(tiny,)), (4, 2)) == ["..#.", "...."]

    def test_it_cannot_be_changed_by_accident(self) -> None:
        with pytest.raises(ValueError, match="read-only"):
            RegionOfInterest(include=(LEFT,)).inside((4, 2))[0, 0] = False

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=6),
        st.integers(1, 9), st.integers(1, 9),
    )  # fmt: skip
    def test_it_is_the_even_odd_rule(self, corners: list[tuple[float, float]], width: int, height: int) -> None:
        expected = [
            is_inside(corners, (x + 0.5) / width, (y + 0.5) / height) for y in range(height) for x in range(width)
        ]
        try:
            found = RegionOfInterest(include=(tuple(corners),)).inside((width, height)).ravel()
        except UsageError:  # a line, or nearly so
            assert True not in expected
            return
        if True in expected:  # else it is smaller than a pixel
            pairs = zip(found.tolist(), expected, strict=True)
            assert all(one == other for one, other in pairs if other is not None)


def is_inside(corners: list[tuple[float, float]], x: float, y: float) -> bool | None:
    """By a ray to the left, edge by edge; None on the border."""
    inside = False
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if (y0 <= y) != (y1 <= y):
            across = x0 + (y - y0) * ((x1 - x0) / (y1 - y0))
            if abs(across - x) < 1e-9:
                return None
            inside ^= across < x
    return inside


class TestOutlines:
    def test_they_run_along_what_is_inside(self) -> None:
        (outline,) = RegionOfInterest(include=(LEFT,)).outlines((8, 4))
        assert {tuple(corner) for corner in outline.tolist()} == {(0, 0), (3, 0), (3, 3), (0, 3)}

    def test_a_hole_has_one_too(self) -> None:
        assert len(RegionOfInterest(ignore=(SPOT,)).outlines((40, 40))) == 2


class TestJson:
    @pytest.mark.parametrize(
        "region",
        [
            RegionOfInterest(include=(LEFT,)),
            RegionOfInterest(include=(LEFT, SPOT), ignore=(SPOT[:3],)),
            RegionOfInterest(mask=MaskRuns.of(np.eye(5, dtype=bool))),
            RegionOfInterest(include=(LEFT,), mask=MaskRuns.of(np.ones((3, 2), bool))),
        ],
    )
    def test_it_comes_back(self, region: RegionOfInterest) -> None:
        again = RegionOfInterest.from_dict(json.loads(json.dumps(region.to_dict())))
        assert again == region
        assert np.array_equal(again.inside((11, 7)), region.inside((11, 7)))

    def test_a_person_may_give_pixels_of_an_image(self, tmp_path: Path) -> None:
        document = {"image_size": [800, 600], "include": [[[0, 0], [400, 0], [400, 600], [0, 600]]]}
        (tmp_path / "roi.json").write_text(json.dumps(document))
        assert RegionOfInterest.read(tmp_path / "roi.json") == RegionOfInterest(include=(LEFT,))

    def test_a_picture_is_white_where_to_look(self, tmp_path: Path) -> None:
        grey = np.array([[255, 255, 0], [200, 20, 0]], np.uint8)
        Image.fromarray(grey).save(tmp_path / "roi.png")
        assert rows(RegionOfInterest.read(tmp_path / "roi.png"), (3, 2)) == ["##.", "#.."]
        Image.fromarray(np.stack([grey] * 3, 2)).save(tmp_path / "roi.bmp")
        assert RegionOfInterest.read(tmp_path / "roi.bmp") == RegionOfInterest.read(tmp_path / "roi.png")

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**12 - 1))
    def test_any_mask_comes_back(self, bits: int) -> None:
        white = np.array([bits >> place & 1 for place in range(12)], bool).reshape(3, 4)
        assert np.array_equal(MaskRuns.of(white).picture(), white)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (RegionOfInterest, "names no part of the image"),
        (lambda: RegionOfInterest(include=(LEFT[:2],)), "has 2 corners: give three or more"),
        (
            lambda: RegionOfInterest(include=(((0, 0), (120, 0), (120, 90)),)),
            "the corner 120, 0 .* lies outside of the image",
        ),
        (lambda: RegionOfInterest(ignore=(((0, 0), (1, 0), (1, 1), (0, 1)),)), "leaves nothing to look at"),
        (lambda: RegionOfInterest(include=(((0, 0), (0.5, 0.5), (1, 1)),)), "leaves nothing to look at"),
        (lambda: RegionOfInterest.from_dict([]), "this is no region of interest"),
        (lambda: RegionOfInterest.from_dict({"includes": []}), "'includes' is unknown"),
        (lambda: RegionOfInterest.from_dict({"include": [LEFT]}), "is no list"),
        (lambda: RegionOfInterest.from_dict({"include": [[[0, 0, 0]] * 3]}), r"a corner is not \[x, y\]"),
        (lambda: RegionOfInterest.from_dict({"image_size": [0, 4]}), "its image_size is not width, height"),
        (
            lambda: RegionOfInterest.from_dict({"mask": {"size": [2, 2], "runs": "1 2"}}),
            "its runs do not fill its size",
        ),
        (lambda: RegionOfInterest.from_dict({"mask": {"size": [2, 2], "runs": "-1 5"}}), "it needs a size"),
        (lambda: MaskRuns((2, 2), "4" * 5000), "it needs a size"),
        (lambda: MaskRuns((10**11, 10**11), "9"), "more than 200,000,000 pixels"),
        (lambda: RegionOfInterest.from_dict({"image_size": [10**400, 100]}), "its image_size is not width, height"),
        (lambda: MaskRuns.of(np.random.default_rng(0).random((900, 900)) > 0.5), "too many small spots for a mask"),
    ],
)
def test_what_cannot_be_used_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make()


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "black.png")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"black\.png: is black everywhere"):
        RegionOfInterest.read(tmp_path / "black.png")
    with pytest.raises(UsageError, match=r"broken\.json: this is no JSON"):
        RegionOfInterest.read(tmp_path / "broken.json")
    with pytest.raises(ImageError, match=r"other\.png"):
        RegionOfInterest.read(tmp_path / "other.png")
    with pytest.raises(UsageError, match=r"absent\.json"):
        RegionOfInterest.read(tmp_path / "absent.json")
