"""The overlay shows anomaly maps by a fixed range, leaves good parts as they are, and covers nothing with text."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from oddlens.errors import UsageError
from oddlens.visualization.overlay import draw_overlay_pixels, paint
from oddlens.visualization.strips import Verdict

FIXED = (0.0, 1.0)
PANEL = (22, 24, 29)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def flat_map(height: int, width: int, value: float = 0.0) -> np.ndarray:
    return np.full((height, width), value, dtype=np.float32)


def draw(pixels: np.ndarray, anomaly_map: np.ndarray | None = None, **changes: object) -> Image.Image:
    settings = {
        "value_range": FIXED,
        "outlines": [],
        "title": "part.png",
        "range_label": "fixed range 0..1",
        "verdict": None,
    }
    anomaly_map = flat_map(*pixels.shape[:2]) if anomaly_map is None else anomaly_map
    return Image.fromarray(draw_overlay_pixels(pixels, anomaly_map, **settings | changes))


def shown_picture(sheet: Image.Image, size: tuple[int, int], header: int) -> np.ndarray:
    left = (sheet.width - size[0]) // 2
    return np.asarray(sheet.crop((left, header, left + size[0], header + size[1])))


def header_height(sheet: Image.Image, height: int) -> int:
    strips = sheet.height - height
    assert strips % 2 == 0, "header and footer are of one height"
    return strips // 2


class TestSheet:
    @given(st.integers(1, 700), st.integers(1, 700))
    @settings(max_examples=30, deadline=None)
    def test_the_picture_keeps_its_size_and_nothing_covers_it(self, height: int, width: int) -> None:
        sheet = draw(noise(height, width), verdict="ng")
        assert sheet.mode == "RGB"
        assert sheet.width == max(width, 320)
        header = header_height(sheet, height)
        assert np.array_equal(shown_picture(sheet, (width, height), header), noise(height, width))

    @pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3), (3000, 4000)])
    def test_extreme_sizes_are_drawn_with_text_in_proportion(self, size: tuple[int, int]) -> None:
        sheet = draw(np.zeros((*size, 3), np.uint8))
        strip = header_height(sheet, size[0])
        assert 25 <= strip <= 250
        assert strip <= sheet.width / 8

    def test_what_was_given_stays_as_it_was(self) -> None:
        pixels, anomaly_map = noise(20, 30), flat_map(20, 30, 0.9)
        draw(pixels, anomaly_map, outlines=[np.array([[2, 2], [20, 2], [20, 15]])])
        assert np.array_equal(pixels, noise(20, 30))
        assert np.array_equal(anomaly_map, flat_map(20, 30, 0.9))

    def test_read_only_pixels_are_fine(self) -> None:
        pixels = noise(20, 30)
        pixels.flags.writeable = False
        draw(pixels, outlines=[np.array([[2, 2], [20, 2], [20, 15]])])

    def test_outlines_are_closed_and_light_on_dark_and_dark_on_light(self) -> None:
        square = np.array([[50, 50], [150, 50], [150, 150], [50, 150]])
        for ground in (0, 255):
            sheet = draw(np.full((200, 400, 3), ground, np.uint8), outlines=[square])
            picture = shown_picture(sheet, (400, 200), header_height(sheet, 200))
            for x, y in [(100, 50), (150, 100), (100, 150), (50, 100)]:
                assert picture[y, x].min() > 200, "the line"
                assert picture[y - 3 : y + 4, x - 3 : x + 4].min() < 60, "its edge, or the dark ground"
            assert (picture[90:110, 90:110] == ground).all(), "the inside is left alone"

    def test_without_the_strips_it_is_the_same_picture(self) -> None:
        pixels, anomaly_map, outlines = noise(50, 400), flat_map(50, 400, 0.8), [np.array([[2, 2], [40, 2], [40, 30]])]
        anomaly_map[:, 200:] = 0.1
        sheet = draw(pixels, anomaly_map, outlines=outlines, threshold=0.5)
        painted = paint(pixels, anomaly_map, FIXED, outlines, 0.5)
        assert painted.shape == pixels.shape
        assert np.array_equal(painted, shown_picture(sheet, (400, 50), header_height(sheet, 50)))

    def test_a_region_of_one_point_gets_a_box_around_it(self) -> None:
        sheet = draw(np.zeros((20, 30, 3), np.uint8), outlines=[np.array([[10, 8]])])
        picture = shown_picture(sheet, (30, 20), header_height(sheet, 20))
        assert picture[8, 10].max() == 0
        for x, y in [(7, 8), (13, 8), (10, 5), (10, 11)]:
            assert picture[y, x].min() > 200

    def test_a_region_of_two_points_is_marked_by_a_line(self) -> None:
        sheet = draw(np.zeros((20, 30, 3), np.uint8), outlines=[np.array([[5, 5], [9, 5]])])
        assert shown_picture(sheet, (30, 20), header_height(sheet, 20))[5, 7].min() > 200

    @pytest.mark.parametrize(
        ("verdict", "colour"), [("ng", (214, 48, 49)), ("review", (176, 108, 0)), ("ok", (25, 127, 88))]
    )
    def test_the_verdict_is_a_badge_above_the_picture(self, verdict: Verdict, colour: tuple[int, int, int]) -> None:
        def badge_pixels(sheet: Image.Image) -> int:
            strip = np.asarray(sheet.crop((0, 0, sheet.width, header_height(sheet, 100))))
            return int((strip == colour).all(axis=2).sum())

        assert badge_pixels(draw(noise(100, 600), verdict=verdict)) > 500
        assert badge_pixels(draw(noise(100, 600), verdict=None)) == 0

    def test_the_truth_is_outlined_over_the_highest_values(self) -> None:
        pixels = np.full((60, 80, 3), 120, dtype=np.uint8)
        truth = np.zeros((60, 80), dtype=bool)
        truth[20:40, 30:50] = True
        sheet, plain = (draw(pixels, flat_map(60, 80, 1.0), truth=each) for each in (truth, None))
        shown, without = (shown_picture(each, (80, 60), header_height(each, 60)) for each in (sheet, plain))
        assert (np.abs(shown[20, 32:48].astype(int) - (0, 229, 255)) < 12).all()
        assert np.array_equal(shown[25:35, 35:45], without[25:35, 35:45])
        assert (pixels == 120).all()

    def test_title_and_range_label_are_drawn_in_their_own_strips(self) -> None:
        plain = np.asarray(draw(noise(100, 600)))
        titled = np.asarray(draw(noise(100, 600), title="other.png"))
        labelled = np.asarray(draw(noise(100, 600), range_label="calibrated on 4 references"))
        header = header_height(draw(noise(100, 600)), 100)
        assert not np.array_equal(plain[:header], titled[:header])
        assert np.array_equal(plain[header:], titled[header:])
        assert not np.array_equal(plain[header + 100 :], labelled[header + 100 :])
        assert np.array_equal(plain[: header + 100], labelled[: header + 100])

    def test_a_second_line_makes_the_upper_strip_higher_and_the_image_stays(self) -> None:
        plain, detailed = draw(noise(100, 600)), draw(noise(100, 600), detail="score 0.931   NG above 0.5")
        header = header_height(plain, 100)
        more = detailed.height - plain.height
        assert 10 <= more <= header
        assert np.array_equal(shown_picture(detailed, (600, 100), header + more), noise(100, 600))
        assert np.array_equal(np.asarray(plain)[header:], np.asarray(detailed)[header + more :])

    def test_a_threshold_is_a_tick_on_the_colour_bar(self) -> None:
        def white(sheet: Image.Image) -> list[int]:
            """Columns of the lower strip that are white from the bar's upper edge to its lower one."""
            strip = np.asarray(sheet)[header_height(sheet, 100) + 100 :].min(axis=2) > 250
            return np.flatnonzero(strip.sum(axis=0) >= 9).tolist()

        places = [white(draw(noise(100, 600), threshold=value)) for value in (0.25, 0.5, 0.75)]
        assert all(places)
        assert max(places[0]) < min(places[1]) < max(places[1]) < min(places[2])
        assert not white(draw(noise(100, 600)))

    def test_the_ends_of_the_range_are_written_beside_the_colour_bar(self) -> None:
        one, other = draw(noise(100, 600)), draw(noise(100, 600), value_range=(0.0, 0.37))
        header = header_height(one, 100)
        assert not np.array_equal(np.asarray(one)[header + 100 :], np.asarray(other)[header + 100 :])

    @pytest.mark.parametrize("verdict", ["ng", None])
    def test_a_long_title_is_cut_in_its_middle_and_stays_within_the_strip(self, verdict: Verdict | None) -> None:
        for letter in "Wi":
            sheet = draw(noise(100, 400), title=letter * 500 + " score 0.931", verdict=verdict)
            strip = np.asarray(sheet.crop((0, 0, sheet.width, header_height(sheet, 100))))
            assert (strip[:, :5] == PANEL).all()
            assert (strip[:, -5:] == PANEL).all()

    @pytest.mark.parametrize("title", ["", "two\nlines", "Prüfung – µ", "部品🔩", "\udcff.png", "\0"])
    def test_any_title_can_be_drawn(self, title: str) -> None:
        assert draw(noise(20, 30), title=title).size == draw(noise(20, 30)).size

    def test_letters_without_accents_stand_for_those_with_them(self) -> None:
        assert draw(noise(20, 30), title="Größe é").tobytes() == draw(noise(20, 30), title="Grosse e").tobytes()

    def test_the_sheet_can_be_saved(self) -> None:
        stream = io.BytesIO()
        sheet = draw(noise(20, 30))
        sheet.save(stream, "PNG")
        assert np.array_equal(np.asarray(Image.open(stream)), np.asarray(sheet))


class TestRefusals:
    @pytest.mark.parametrize("value_range", [(1.0, 1.0), (1.0, 0.0), (0.0, np.nan), (np.nan, 1.0), (-np.inf, 1.0)])
    def test_an_empty_or_endless_range_is_one_sentence(self, value_range: tuple[float, float]) -> None:
        with pytest.raises(UsageError, match=r"cannot colour a map: its lower end must lie below its upper end"):
            draw(noise(4, 4), value_range=value_range)

    def test_a_map_of_another_size_is_a_fault_of_the_program(self) -> None:
        with pytest.raises(
            ValueError, match=r"an anomaly map of shape \(4, 5\) does not fit an image of shape \(4, 4, 3\)"
        ):
            draw(noise(4, 4), flat_map(4, 5))

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_a_map_that_is_not_finite_is_a_fault_of_the_program(self, value: float) -> None:
        with pytest.raises(ValueError, match="not finite"):
            draw(noise(4, 4), flat_map(4, 4, value))
