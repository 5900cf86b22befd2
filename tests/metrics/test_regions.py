import numpy as np
from hypothesis import given

from oddlens.metrics.inputs import LabelledMap
from oddlens.metrics.regions import region_pixels
from tests.metrics.metric_references import dozens, labelled_maps, regions_of


def picture(*rows):
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def sizes(mask, ignored=None):
    pixels = region_pixels(LabelledMap(mask, np.zeros(mask.shape, np.float32), ignored))
    return pixels.n_regions, pixels.region_sizes.tolist()


def test_pixels_that_touch_at_a_corner_are_one_region():
    assert sizes(picture("#..", ".#.", "..#")) == (1, [3, 3, 3])


def test_regions_are_counted_apart():
    assert sizes(picture("##.#", "...#", "#...")) == (3, [2, 2, 2, 2, 1])


def test_a_region_cut_in_two_by_ignored_pixels_stays_one_with_what_is_left():
    assert sizes(picture("#####"), ignored=picture("..#..")) == (1, [4, 4, 4, 4])


def test_a_region_wholly_ignored_does_not_count():
    assert sizes(picture("##.#"), ignored=picture("##..")) == (1, [1])


def test_an_empty_mask_has_no_region():
    assert sizes(picture("...", "...")) == (0, [])


def test_masks_need_not_be_contiguous():
    assert sizes(picture("##.", "...", "..#").T) == (2, [2, 2, 1])
    assert sizes(picture("#.#.#", "#.#.#")[:, ::2]) == (1, [6] * 6)


@dozens
@given(labelled_maps(ignoring=True, max_images=1))
def test_scores_and_sizes_are_those_of_the_kept_pixels_in_order(data):
    (mask,), (scores,), (ignored,) = data
    expected = np.zeros(mask.shape, int)
    regions = regions_of([mask], [ignored])
    for _, pixels in regions:
        expected[pixels] = pixels.sum()
    found = region_pixels(LabelledMap(mask, scores, ignored))
    assert found.n_regions == len(regions)
    assert found.scores.tolist() == scores[mask & ~ignored].tolist()
    assert found.region_sizes.tolist() == expected[mask & ~ignored].tolist()
