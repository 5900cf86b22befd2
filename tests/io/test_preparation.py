"""How images are cut and fitted: tiles cover an image, and their maps become its map without a seam."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.io.preparation import FITS, Axis, Fit, Layout, Preparation


def noise(width: int, height: int) -> Pixels:
    return np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)


def joined(maps: list[NDArray[np.float64]], layout: Layout) -> NDArray[np.float64]:
    """The map of an image from those of its tiles, tile by tile."""
    height, width = maps[0].shape
    down, across = layout.y.weights(height), layout.x.weights(width)
    whole = np.zeros((len(down), len(across)))
    for number, each in enumerate(maps):
        row, column = divmod(number, layout.x.count)
        whole += down[:, row * height : (row + 1) * height] @ each @ across[:, column * width : (column + 1) * width].T
    return whole


def seen(layout: Layout, side: int, of: str) -> list[NDArray[np.float64]]:
    """What maps of `side` values would hold if each held a smooth function of the place in the image."""
    places = []
    for axis in (layout.y, layout.x):
        inner = ((np.arange(side) + 0.5) / side * axis.side - axis.before) / axis.content
        places.append([start + inner * axis.tile for start in axis.starts])
    return [smooth(y[:, None], x[None], of) for y in places[0] for x in places[1]]


def smooth(y: NDArray[np.float64], x: NDArray[np.float64], of: str) -> NDArray[np.float64]:
    return {"plane": 0.002 * y - 0.001 * x, "waves": np.sin(y / 40) * np.cos(x / 55)}[of]


class TestOf:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ((None, None, None), Preparation()),
            (("2x3", None, None), Preparation((2, 3))),
            ((" 4 X 1 ", 0.5, "pad"), Preparation((4, 1), 0.5, "pad")),
            (((3, 2), "0.1", None), Preparation((3, 2), 0.1)),
            (("auto", None, "crop"), Preparation("auto", 0.2, "crop")),
            (("1x1", None, "squash"), Preparation()),
        ],
    )
    def test_what_users_write(self, given: tuple[object, object, object], expected: Preparation) -> None:
        assert Preparation.of(*given) == expected

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            (("two", None, None), "tiles cannot be 'two': give columns x rows, for instance 2x2, or auto"),
            (("0x2", None, None), "tiles cannot be '0x2': give columns x rows, for instance 2x2, or auto"),
            ((2, None, None), "tiles cannot be 2: give columns x rows, for instance 2x2, or auto"),
            (((2, True), None, None), r"tiles cannot be \(2, True\): give columns"),
            (((2, 2, 2), None, None), r"tiles cannot be \(2, 2, 2\): give columns"),
            (("9x9", None, None), "tiles 9x9 are 81: 64 are the most"),
            ((None, 0.2, None), "overlap is what neighbouring tiles have in common: give tiles too, for instance 2x2"),
            (
                ("2x2", 0.9, None),
                "overlap cannot be 0.9: give the share of a tile that its neighbour shows too, 0.05 to 0.5",
            ),
            (("2x2", 0, None), "overlap cannot be 0: give the share"),
            (("2x2", "much", None), "overlap cannot be 'much': give the share"),
            (("2x2", float("nan"), None), "overlap cannot be nan: give the share"),
            ((None, None, "padd"), "fit cannot be 'padd', did you mean 'pad'\\? Choose one of squash, pad, crop"),
            ((None, None, 3), "fit cannot be 3: choose one of squash, pad, crop"),
        ],
    )
    def test_what_is_none(self, given: tuple[object, object, object], sentence: str) -> None:
        with pytest.raises(UsageError, match=f"^{sentence}"):
            Preparation.of(*given)

    @pytest.mark.parametrize(
        "preparation", [Preparation(), Preparation((3, 2), 0.1), Preparation("auto"), Preparation(fit="pad")]
    )
    def test_it_is_json(self, preparation: Preparation) -> None:
        document = json.loads(json.dumps(preparation.to_dict()))
        assert Preparation.from_dict(document) == preparation
        assert (document == {}) == preparation.is_default

    @pytest.mark.parametrize(
        "document", [None, {"tiles": 2}, {"tiles": "2x2", "overlap": 7, "fit": "pad"}, {"tiles": "2x2", "overlap": 0.2}]
    )
    def test_another_document_is_refused(self, document: object) -> None:
        with pytest.raises(UsageError):
            Preparation.from_dict(document)


class TestCutting:
    @pytest.mark.parametrize(
        ("size", "tiles"),
        [
            ((448, 448), (1, 1)),
            ((449, 300), (2, 1)),
            ((900, 700), (3, 2)),
            ((4000, 3000), (4, 4)),
            ((3000, 200), (4, 1)),
        ],
    )
    def test_auto_keeps_tiles_within_twice_the_towers_size(self, size: tuple[int, int], tiles: tuple[int, int]) -> None:
        layout = Preparation("auto").layout(size, 224)
        assert (layout.x.count, layout.y.count) == tiles

    def test_tiles_are_parts_of_the_image_in_rows(self) -> None:
        image = noise(180, 90)
        left, right = Preparation((2, 1), 0.2).layout((180, 90), 100).views(image, "bicubic")
        assert np.array_equal(left, image[:, :100])
        assert np.array_equal(right, image[:, 80:])
        upper, lower = Preparation((1, 2), 0.2).layout((180, 90), 100).views(image, "bicubic")
        assert np.array_equal(upper, image[:50])
        assert np.array_equal(lower, image[40:])

    def test_neighbours_have_the_share_in_common_that_was_asked_for(self) -> None:
        for overlap in (0.05, 0.2, 0.5):
            axis = Preparation((3, 1), overlap).layout((1000, 10), 100).x
            shared = [first + axis.tile - second for first, second in zip(axis.starts, axis.starts[1:], strict=False)]
            assert all(abs(each - overlap * axis.tile) < 2 for each in shared)

    def test_padding_keeps_the_aspect_and_mirrors_the_border(self) -> None:
        image = noise(100, 40)
        (view,) = Preparation(fit="pad").layout((100, 40), 100).views(image, "bicubic")
        assert np.array_equal(view[30:70], image)
        assert np.array_equal(view[:30], image[29::-1])
        assert np.array_equal(view[70:], image[:9:-1])

    def test_a_line_is_padded_too(self) -> None:
        (view,) = Preparation(fit="pad").layout((100, 1), 50).views(noise(100, 1), "bicubic")
        assert view.shape == (50, 50, 3)
        assert (view == view[:1]).all()

    def test_cropping_takes_the_centre_and_says_so(self) -> None:
        image = noise(100, 60)
        layout = Preparation(fit="crop").layout((100, 60), 60)
        assert np.array_equal(layout.views(image, "bicubic")[0], image[:, 20:80])
        assert layout.note == "only its centre of 60 x 60 pixels was looked at (fit crop)"
        assert Preparation(fit="crop").layout((60, 60), 60).note is None

    @settings(max_examples=200, deadline=None)
    @given(
        width=st.integers(1, 3000), height=st.integers(1, 3000), side=st.integers(1, 300), columns=st.integers(1, 8),
        rows=st.integers(1, 8), overlap=st.floats(0.05, 0.5), fit=st.sampled_from(FITS),
    )  # fmt: skip
    def test_every_pixel_that_is_looked_at_lies_in_a_tile(
        self, width: int, height: int, side: int, columns: int, rows: int, overlap: float, fit: Fit
    ) -> None:
        layout = Preparation((columns, rows), overlap, fit).layout((width, height), side)
        assert len(layout) == columns * rows
        for axis in (layout.x, layout.y):
            seen = np.zeros(axis.length, bool)
            for start in axis.starts:
                assert 0 <= start <= axis.length - axis.tile
                seen[start : start + axis.tile] = True
            assert seen.nonzero()[0].tolist() == list(range(axis.start, axis.start + axis.extent))
            assert axis.extent == axis.length or fit == "crop"
            assert 1 <= axis.content <= axis.side == side


class TestJoining:
    @settings(max_examples=100, deadline=None)
    @given(
        length=st.integers(1, 1500), count=st.integers(1, 8), side=st.integers(2, 60), overlap=st.floats(0.05, 0.5),
        other=st.integers(1, 1500), fit=st.sampled_from(FITS),
    )  # fmt: skip
    def test_every_value_is_a_mean_of_what_tiles_say(
        self, length: int, count: int, side: int, overlap: float, other: int, fit: Fit
    ) -> None:
        """So that nothing leaves the range of a method's maps."""
        axis = Preparation((count, 1), overlap, fit).layout((length, other), 64).x
        weights = axis.weights(side)
        assert weights.shape == (axis.map_length(side), count * side)
        assert (weights >= 0).all()
        assert np.allclose(weights.sum(axis=1), axis.inside(axis.map_length(side)))
        assert axis.inside(axis.map_length(side)).all() or fit == "crop"

    def test_one_square_keeps_its_map(self) -> None:
        assert np.allclose(Preparation().layout((100, 70), 50).x.weights(25), np.eye(25), atol=1e-12)

    @pytest.mark.parametrize("fit", FITS)
    @pytest.mark.parametrize("tiles", [(1, 1), (2, 2), (3, 2), (4, 1)])
    @pytest.mark.parametrize("of", ["plane", "waves"])
    def test_maps_of_a_smooth_function_join_to_that_function(self, tiles: tuple[int, int], fit: Fit, of: str) -> None:
        """No step where a tile ends, and everything at its place: also where tiles were padded or the image was cropped."""
        layout = Preparation(tiles, 0.2, fit).layout((640, 400), 224)
        whole = joined(seen(layout, 56, of), layout)
        rows, columns = whole.shape
        y, x = ((np.arange(n) + 0.5) * length / n for n, length in ((rows, 400), (columns, 640)))
        expected = smooth(y[:, None], x[None], of)
        inside = np.ix_(layout.y.inside(rows), layout.x.inside(columns))
        away = np.abs(whole - expected)[inside][3:-3, 3:-3]  # at the border a map ends half a value early
        assert away.size > 1000
        assert away.max() < 0.02

    def test_tiles_that_disagree_pass_into_one_another(self) -> None:
        """One is brighter by 1: across what they share it fades, in equal steps."""
        layout = Preparation((2, 1), 0.25).layout((700, 400), 224)
        whole = joined([np.zeros((56, 56)), np.ones((56, 56))], layout)
        steps = np.diff(whole[0])
        assert steps.min() >= 0
        assert whole[0, 0] == 0
        assert whole[0, -1] == 1
        shared = 0.25 * 56
        assert steps.max() < 1.1 / shared

    def test_the_map_is_as_fine_as_that_of_a_tile_but_no_finer_than_the_image(self) -> None:
        large = Preparation((2, 2), 0.5).layout((1200, 900), 224)
        assert (large.x.map_length(100), large.y.map_length(100)) == (150, 150)
        small = Preparation((4, 4), 0.2).layout((60, 50), 224)
        assert (small.x.map_length(40), small.y.map_length(40)) == (60, 50)

    def test_a_padded_map_has_the_images_aspect(self) -> None:
        layout = Preparation(fit="pad").layout((800, 400), 224)
        assert (layout.x.map_length(240), layout.y.map_length(240)) == (240, 120)

    def test_a_cropped_map_has_the_whole_image(self) -> None:
        layout = Preparation(fit="crop").layout((800, 400), 224)
        assert (layout.x.map_length(240), layout.y.map_length(240)) == (480, 240)
        assert layout.x.inside(480).nonzero()[0].tolist() == list(range(120, 360))
        assert not layout.x.weights(240)[:120].any()


def test_axes_are_values() -> None:
    assert Preparation((2, 2)).layout((90, 80), 40).x == Axis(90, 0, 90, 2, 50, 40, 40)
