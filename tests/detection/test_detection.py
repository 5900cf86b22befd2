"""A detection: what it tells of an image, in numbers, as a drawing and as JSON."""

import json
from dataclasses import replace
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from oddlens.detection import UNSEEN, Detection, Marking, Region, RegionOfInterest, Thresholds, ValueRange
from oddlens.errors import ImageError, UsageError

MAP = np.zeros((8, 8), np.float32)
MAP[2:4, 4:6] = 1.0
LEFT_HALF = RegionOfInterest(include=(((0, 0), (0.5, 0), (0.5, 1), (0, 1)),))
NO_CORNER = RegionOfInterest(ignore=(((0.4, 0), (1, 0), (1, 0.7)),))
PICTURE: NDArray[np.uint8] = np.full((60, 120, 3), 128, np.uint8)


def detection(
    image: float | None = None, pixel: float | None = None, score: float = 0.6, note: str | None = None
) -> Detection:
    """Of an image of 120 x 60 pixels with one hot spot, right of the middle and above it."""
    thresholds = Thresholds(image, pixel, "given" if image is not None else None)
    return Detection(
        score, MAP, (120, 60), thresholds, ValueRange(0.0, 1.0, "fixed range 0 to 1"), "parts/nut.png", note
    )


class TestVerdict:
    def test_there_is_none_without_a_threshold(self) -> None:
        assert detection().threshold is None
        assert detection().is_anomalous is None

    @pytest.mark.parametrize(("threshold", "anomalous"), [(0.59, True), (0.6, False), (0.61, False)])
    def test_a_score_that_exceeds_the_threshold_is_anomalous(self, threshold: float, anomalous: bool) -> None:
        assert detection(image=threshold).threshold == threshold
        assert detection(image=threshold).is_anomalous is anomalous

    @pytest.mark.parametrize(
        ("score", "verdict"), [(0.3, "ok"), (0.4, "ok"), (0.41, "review"), (0.5, "review"), (0.51, "ng")]
    )
    def test_between_two_thresholds_lies_review(self, score: float, verdict: str) -> None:
        found = replace(detection(score=score), thresholds=Thresholds(0.5, review=0.4))
        assert (found.verdict, found.is_anomalous) == (verdict, verdict == "ng")


class TestHeat:
    def test_it_has_the_pictures_size_and_the_maps_values(self) -> None:
        anomaly_map = detection().heatmap()
        assert anomaly_map.shape == (60, 120)
        assert anomaly_map.dtype == np.float32
        assert anomaly_map.max() == 1
        assert anomaly_map.min() == 0
        row, column = np.unravel_index(anomaly_map.argmax(), anomaly_map.shape)
        assert (15 <= row < 30, 60 <= column < 90) == (True, True)

    def test_regions_are_in_the_pictures_own_pixels(self) -> None:
        (region,) = detection(pixel=0.5).regions
        assert (region.x, region.y) == (60, 15)
        assert (region.width, region.height) == (30, 15)
        assert region.peak == pytest.approx(1.0)

    def test_without_a_pixel_threshold_there_are_no_regions(self) -> None:
        assert detection(image=0.1).regions == ()

    def test_thresholds_change_neither_score_nor_map(self) -> None:
        assert detection(image=0.1, pixel=0.2).score == detection().score
        assert np.array_equal(detection(image=0.1, pixel=0.2).anomaly_map, MAP)


class TestOverlay:
    def test_it_is_a_drawing_no_smaller_than_the_picture(self) -> None:
        drawing = detection(image=0.5, pixel=0.5).overlay(PICTURE)
        assert isinstance(drawing, Image.Image)
        assert drawing.mode == "RGB"
        assert drawing.width >= 120
        assert drawing.height > 60

    def test_any_kind_of_picture_will_do(self, tmp_path: Path) -> None:
        path = tmp_path / "nut.png"
        Image.fromarray(PICTURE).save(path)
        kinds = (PICTURE, Image.fromarray(PICTURE), path, path.read_bytes())
        drawings = [np.asarray(detection().overlay(image)) for image in kinds]
        assert all(np.array_equal(drawing, drawings[0]) for drawing in drawings)

    def test_without_a_picture_it_is_read_again_from_where_it_came(self, tmp_path: Path) -> None:
        path = tmp_path / "nut.png"
        Image.fromarray(PICTURE).save(path)
        found = replace(detection(), source=str(path))
        assert np.array_equal(np.asarray(found.overlay()), np.asarray(found.overlay(PICTURE)))
        with pytest.raises(ImageError, match="image 3 does not exist"):
            replace(found, source="image 3").overlay()

    def test_a_frame_of_a_video_is_read_again_from_the_video(self, tmp_path: Path) -> None:
        pytest.importorskip("av", reason="PyAV, the extra 'video', is not installed")
        from oddlens.io.video import Video
        from tests.small_video import write_video

        frames = [np.full_like(PICTURE, grey) for grey in (40, 200)]
        path = write_video(tmp_path / "drive.mp4", frames)
        found = replace(detection(), source=f"{path}#000001")
        assert np.array_equal(found.painted_pixels(), found.painted_pixels(Video(path).read(1).pixels))
        assert not np.array_equal(found.painted_pixels(), found.painted_pixels(frames[0]))

    def test_map_thresholds_and_verdict_show(self) -> None:
        drawings = [
            detection().overlay(PICTURE),
            detection(pixel=0.5).overlay(PICTURE),
            detection(image=0.5).overlay(PICTURE),
            detection(image=0.7).overlay(PICTURE),
        ]
        assert len({drawing.tobytes() for drawing in drawings}) == 4


class TestMarks:
    """What is marked agrees with the verdict."""

    def test_folder_and_name_stand_above_it_and_not_the_whole_path(self) -> None:
        def strip(source: str) -> NDArray[np.uint8]:
            return np.asarray(replace(detection(), source=source).overlay(PICTURE))[:30]

        assert np.array_equal(strip("scratch/000.png"), strip("/data/line 3/scratch/000.png"))
        assert not np.array_equal(strip("scratch/000.png"), strip("bend/000.png"))
        assert not np.array_equal(strip("scratch/000.png"), strip("scratch/001.png"))

    def test_the_colours_are_anchored_at_the_pixel_threshold(self) -> None:
        plain, anchored = (np.asarray(detection(pixel=pixel).overlay(PICTURE)) for pixel in (0.999, 0.5))
        assert not np.array_equal(plain, anchored)
        assert not np.array_equal(anchored, np.asarray(detection(pixel=0.1).overlay(PICTURE)))

    def test_an_image_that_is_ok_has_none(self) -> None:
        found = detection(image=0.7, pixel=0.5)
        assert (found.verdict, found.regions) == ("ok", ())
        assert not found.mask().any()
        assert found.mask(0.5).any()  # who asks for a threshold gets it

    def test_one_that_is_not_has_its_hottest_region_at_least(self) -> None:
        usual = detection(image=0.5, pixel=0.5)
        cold = detection(image=0.5, pixel=2.0)
        assert cold.regions == usual.regions  # half way between the median 0 and the largest value 1
        assert np.array_equal(cold.mask(), usual.mask())
        assert not cold.mask(2.0).any()

    def test_of_several_as_hot_ones_one_is_marked(self) -> None:
        anomaly_map = np.array([[1, 0, 0, 0, 0.9]], np.float32)
        found = replace(detection(image=0.5, pixel=2.0), anomaly_map=anomaly_map, image_size=(5, 1))
        assert [(region.x, region.y, region.area) for region in found.regions] == [(0, 0, 1)]
        assert found.mask().tolist() == [[True, False, False, False, False]]

    def test_a_map_without_a_hottest_place_is_marked_whole(self) -> None:
        found = replace(detection(image=0.5, pixel=2.0), anomaly_map=np.ones((8, 8), np.float32))
        assert [(region.area, region.width, region.height) for region in found.regions] == [(7200, 120, 60)]
        assert found.mask().all()

    def test_without_a_verdict_the_pixel_threshold_alone_counts(self) -> None:
        assert detection(pixel=2.0).regions == ()
        assert len(detection(pixel=0.5).regions) == 1

    @settings(max_examples=150, deadline=None)
    @given(
        hnp.arrays(np.float32, (4, 5), elements=st.sampled_from((0.0, 0.25, 0.5, 1.0))), st.floats(0, 1), st.floats(0, 1),
        st.floats(0, 1), st.floats(0, 1), st.integers(0, 12), st.sampled_from((None, LEFT_HALF, NO_CORNER)),
    )  # fmt: skip
    def test_verdict_regions_and_mask_never_contradict_each_other(
        self,
        anomaly_map: NDArray[np.float32],
        score: float,
        image: float,
        review: float,
        pixel: float,
        least: int,
        roi: RegionOfInterest | None,
    ) -> None:
        thresholds = Thresholds(max(image, review), pixel, "given", min(image, review))
        inside = np.ones((4, 5), bool) if roi is None else roi.inside((5, 4))
        anomaly_map = np.where(inside, anomaly_map, 0)
        found = replace(
            detection(score=score),
            anomaly_map=anomaly_map,
            image_size=(5, 4),
            thresholds=thresholds,
            marking=Marking(min_area=least),
            roi=roi,
        )
        assert bool(found.regions) == (found.verdict != "ok") == bool(found.mask().any())
        assert sum(region.area for region in found.regions) == found.mask().sum()
        masks = list(found.region_masks())
        assert [mask.sum() for mask in masks] == [region.area for region in found.regions]
        assert np.array_equal(np.any(masks, axis=0) if masks else np.zeros_like(found.mask()), found.mask())
        assert not (found.mask() & ~inside).any()
        small = [region for region in found.regions if region.area < least]
        assert not small or len(found.regions) == 1
        if found.regions and not least:
            hottest = np.where(inside, anomaly_map, -1)
            assert found.mask()[np.unravel_index(hottest.argmax(), hottest.shape)]


class TestMinArea:
    """A small region is not marked, but for the last one of an image that is not OK."""

    FOUND = replace(
        detection(image=0.5, pixel=0.5), image_size=(8, 2),
        anomaly_map=np.array([[0, 1, 0, 0, 0.8, 0.8, 0.8, 0], [0, 0, 0, 0, 0.8, 0.8, 0, 0]], np.float32),
    )  # fmt: skip

    def test_smaller_ones_go_from_regions_and_mask(self) -> None:
        assert [region.area for region in self.FOUND.regions] == [1, 5]
        large = replace(self.FOUND, marking=Marking(min_area=5))
        assert [region.area for region in large.regions] == [5]
        assert large.mask().sum() == 5
        assert not large.mask()[0, 1]

    def test_the_hottest_stays_where_all_are_too_small(self) -> None:
        found = replace(self.FOUND, marking=Marking(min_area=6))
        assert [region.area for region in found.regions] == [1]
        assert found.mask().sum() == 1

    def test_without_a_verdict_none_has_to_stay(self) -> None:
        found = replace(self.FOUND, thresholds=Thresholds(None, 0.5), marking=Marking(min_area=6))
        assert found.regions == ()
        assert not found.mask().any()

    def test_areas_are_in_square_millimetres_where_the_size_of_a_pixel_is_known(self) -> None:
        assert {region.area_mm2 for region in self.FOUND.regions} == {None}
        found = replace(self.FOUND, marking=Marking(min_area=0.1, unit="mm2", mm_per_pixel=0.2))
        assert [(region.area, region.area_mm2) for region in found.regions] == [(5, 0.2)]
        assert found.to_dict()["regions"][0]["area_mm2"] == 0.2


class TestRegionOfInterest:
    def test_heat_outside_of_it_is_the_lowest_there_is(self) -> None:
        anomaly_map = np.array([[0, 0.6, 0.9, 0.9]], np.float32)
        found = replace(detection(image=0.5, pixel=0.5), anomaly_map=anomaly_map, image_size=(4, 1), roi=LEFT_HALF)
        assert found.heatmap().tolist() == [[0, pytest.approx(0.6), 0, 0]]
        assert [(region.x, region.area) for region in found.regions] == [(1, 1)]
        assert found.mask(0.1).tolist() == [[False, True, False, False]]

    def test_a_threshold_below_all_values_marks_nothing_outside(self) -> None:
        found = replace(detection(pixel=-1), roi=LEFT_HALF)
        assert not found.mask()[:, 60:].any()
        assert [region.width for region in found.regions] == [60]

    def test_half_way_is_between_the_values_inside(self) -> None:
        anomaly_map = np.array([[0.8, 0.8, 0.9, 1.0, 0, 0, 0, 0, 0, 0]], np.float32)
        found = replace(
            detection(image=0.5, pixel=2), anomaly_map=anomaly_map, image_size=(10, 1),
            roi=RegionOfInterest(include=(((0, 0), (0.4, 0), (0.4, 1), (0, 1)),)),
        )  # fmt: skip
        assert [(region.x, region.area) for region in found.regions] == [(3, 1)]


class TestConcern:
    """Where the score cannot be trusted a person has to look."""

    @pytest.mark.parametrize("image", [0.5, 0.7, None])
    def test_the_verdict_is_review_whatever_the_score_is(self, image: float | None) -> None:
        found = replace(detection(image=image, pixel=0.5), concern="this does not look like the part of this station")
        assert (found.verdict, found.is_anomalous) == ("review", False)
        assert len(found.regions) == 1

    def test_it_is_said_and_comes_back(self) -> None:
        found = replace(detection(image=0.5, pixel=0.5), concern="this is another part")
        unseen = replace(detection(image=0.5, pixel=0.5), concern=UNSEEN, is_unseen=True)
        assert (unseen.verdict, unseen.regions, unseen.mask().any()) == ("review", (), False)
        again = Detection.from_dict(unseen.to_dict())
        assert (again.is_unseen, again.unlike) == (True, False)
        assert "concern" not in detection().to_dict()
        assert found.to_dict()["concern"] == "this is another part"
        assert Detection.from_dict(found.to_dict()).verdict == "review"


class TestDict:
    def test_it_is_json_and_holds_everything_but_the_map(self) -> None:
        told = detection(image=0.5, pixel=0.5).to_dict()
        assert json.loads(json.dumps(told)) == told
        assert {key: value for key, value in told.items() if key != "regions"} == {
            "path": "parts/nut.png", "score": 0.6, "is_anomalous": True, "verdict": "ng", "threshold": 0.5,
            "pixel_threshold": 0.5, "threshold_source": "given", "image_size": [120, 60],
        }  # fmt: skip
        (region,) = told["regions"]
        assert region["box"] == [60, 15, 30, 15]
        assert sorted(region) == ["angle", "area", "box", "major_axis", "mean", "minor_axis", "peak"]

    def test_what_is_not_known_is_null(self) -> None:
        told = detection().to_dict()
        assert (told["is_anomalous"], told["threshold"], told["pixel_threshold"], told["regions"]) == (
            None,
            None,
            None,
            [],
        )

    def test_review_and_p_value_are_there_where_they_are_known_and_come_back(self) -> None:
        assert {"review_threshold", "p_value"}.isdisjoint(detection(image=0.5).to_dict())
        found = replace(detection(), thresholds=Thresholds(0.7, 0.5, "given", 0.5), p_value=0.125)
        told = found.to_dict()
        assert (told["verdict"], told["review_threshold"], told["p_value"]) == ("review", 0.5, 0.125)
        again = Detection.from_dict(told)
        assert (again.verdict, again.p_value, again.thresholds) == ("review", 0.125, found.thresholds)

    def test_a_note_is_reported_where_there_is_one(self) -> None:
        assert "note" not in detection().to_dict()
        assert detection(note="16-bit values reduced to their high byte").to_dict()["note"].startswith("16-bit")

    def test_the_share_of_every_class_is_reported_by_its_number_also_of_those_that_are_not_there(self) -> None:
        assert detection().class_shares() == {}
        assert "classes" not in detection().to_dict()
        labels = np.array([[0, 0, 2], [2, 2, 2]], np.uint8)
        street = replace(detection(), labels=labels, label_names=("road", "sky", "car", "bus"))
        assert street.class_shares() == {"road": 0.3333, "sky": 0.0, "car": 0.6667, "bus": 0.0}
        assert list(street.to_dict()["classes"]) == ["road", "sky", "car", "bus"]


class TestFromDict:
    """What was written is read again."""

    WHOLE = replace(
        detection(image=0.5, pixel=0.5, note="the first of several images in the file"),
        labels=np.array([[0, 1], [1, 1]], np.uint8),
        label_names=("road", "sky"),
    )

    @pytest.mark.parametrize("found", [WHOLE, detection(), detection(pixel=0.5), detection(image=0.9)])
    def test_it_says_the_same_with_its_map_and_without(self, found: Detection) -> None:
        document = json.loads(json.dumps(found.to_dict()))
        for again in (Detection.from_dict(document), Detection.from_dict(document, found.anomaly_map)):
            assert again.to_dict() == document
            assert (again.is_anomalous, again.thresholds) == (found.is_anomalous, found.thresholds)

    def test_with_its_map_it_draws(self) -> None:
        again = Detection.from_dict(self.WHOLE.to_dict(), MAP)
        assert np.array_equal(again.heatmap(), self.WHOLE.heatmap())
        assert again.regions == self.WHOLE.regions
        assert again.overlay(PICTURE).width >= 120

    def test_a_region_without_a_map_has_the_outline_of_its_box(self) -> None:
        (region,) = Detection.from_dict(detection(pixel=0.5).to_dict()).regions
        assert region.outline == ((60, 15), (89, 15), (89, 29), (60, 29))

    def test_regions_keep_their_measures_and_names(self) -> None:
        region = Region(
            1, 2, 3, 4, 5, 0.5, 0.25, (), (("scratch", 0.75), ("dent", 0.25)), 4.5, 2.5, -30.0, 0.125
        )  # fmt: skip
        document = json.loads(json.dumps(region.to_dict()))
        assert document["names"] == [["scratch", 0.75], ["dent", 0.25]]
        assert replace(Region.from_dict(document), outline=()) == region

    def test_a_region_of_an_earlier_version_has_none(self) -> None:
        region = Region.from_dict({"box": [1, 2, 3, 4], "area": 5, "peak": 0.5, "mean": 0.25})
        assert (region.major_axis, region.area_mm2, region.names) == (None, None, ())
        assert sorted(region.to_dict()) == ["area", "box", "mean", "peak"]

    def test_without_a_map_there_is_nothing_to_draw(self) -> None:
        again = Detection.from_dict(detection(pixel=0.5).to_dict())
        for draw in (again.heatmap, again.mask, lambda: again.overlay(PICTURE)):
            with pytest.raises(UsageError, match=r"the anomaly map of parts/nut\.png is not at hand"):
                draw()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"score": None}, "score is no number"),
            ({"score": float("nan")}, "score is no number"),
            ({"threshold": float("inf")}, "threshold is no number"),
            ({"image_size": [0, 5]}, "its image_size is not width, height"),
            ({"image_size": [5]}, "its image_size is not width, height"),
            ({"regions": [{}]}, "this is no region: it lacks area, box, mean, peak"),
            ({"concern": 3}, "concern is no text"),
            (
                {"regions": [{"box": [1, 2, 3, 4], "area": 1, "peak": 1, "mean": 1, "names": [["scratch"]]}]},
                "its names are not pairs of a name and a weight",
            ),
            (
                {"regions": [{"box": [1, 2, 0, 4], "area": 1, "peak": 1, "mean": 1}]},
                "its box is not x, y, width, height",
            ),
            ({"path": 3}, "path is no text"),
        ],
    )
    def test_what_is_no_detection_is_refused(self, change: dict[str, object], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            Detection.from_dict(detection(pixel=0.5).to_dict() | change)

    def test_a_map_is_finite_and_flat(self) -> None:
        for wrong in (MAP * np.nan, MAP[None]):
            with pytest.raises(UsageError, match="its map is not finite, or has not two dimensions"):
                Detection.from_dict(detection().to_dict(), wrong)


class TestMask:
    def test_it_is_where_the_map_reaches_the_threshold_at_the_images_size(self) -> None:
        found = detection(pixel=0.5)
        mask = found.mask()
        assert (mask.dtype, mask.shape) == (np.bool_, (60, 120))
        assert mask.sum() == sum(region.area for region in found.regions)
        assert found.mask(2.0).sum() == 0
        assert detection().mask(0.5).sum() == mask.sum()

    def test_without_a_threshold_there_is_none(self) -> None:
        with pytest.raises(UsageError, match="there is no pixel threshold: give one, or two good examples or more"):
            detection(image=0.5).mask()
        with pytest.raises(UsageError, match="nan is no threshold"):
            detection().mask(float("nan"))


def test_a_notebook_shows_the_overlay_and_the_text_where_there_is_no_image(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "nut.png")
    shown = replace(detection(), source=str(tmp_path / "nut.png"))._repr_html_()
    assert shown is not None
    assert shown.startswith('<img src="data:image/')
    assert detection()._repr_html_() is None
