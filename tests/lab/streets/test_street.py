import numpy as np
import pytest

from lab.streets import CLASSES, OOD, WORDS, street, unknown_of


@pytest.fixture(scope="module")
def frames():
    return [street(number) for number in range(12)]


def test_a_frame_depends_on_its_number_and_seed_alone() -> None:
    first, again, other = street(3, seed=1), street(3, seed=1), street(3, seed=2)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.words, again.words)
    assert (first.image != other.image).mean() > 0.5


def test_every_pixel_of_a_frame_without_unknown_things_has_a_known_class(frames) -> None:
    for frame in frames:
        assert frame.image.shape == (128, 256, 3)
        assert frame.labels.shape == (128, 256)
        assert frame.labels.max() < len(CLASSES)
        assert not frame.unknown.any()


def test_two_to_five_known_things_stand_on_a_street(frames) -> None:
    counts = {len(frame.things) for frame in frames}
    assert min(counts) >= 2
    assert max(counts) <= 5


def test_all_classes_occur(frames) -> None:
    seen = np.unique(np.concatenate([np.unique(frame.labels) for frame in frames]))
    np.testing.assert_array_equal(seen, np.arange(len(CLASSES)))


def test_road_is_below_and_sky_above(frames) -> None:
    road, sky = CLASSES.index("road"), CLASSES.index("sky")
    for frame in frames:
        rows = np.arange(128)[:, None]
        middle = {
            label: (rows * (frame.labels == label)).sum() / (frame.labels == label).sum() for label in (road, sky)
        }
        assert middle[sky] < 45
        assert middle[road] > 75


@pytest.mark.parametrize("word", OOD)
def test_an_unknown_thing_can_be_seen_has_no_class_and_is_as_large_as_it_should_be(word: str) -> None:
    for number in range(4):
        frame = street(number, seed=5, unknown=[word])
        shown = frame.words == WORDS.index(word)
        np.testing.assert_array_equal(frame.unknown, shown)
        np.testing.assert_array_equal(frame.labels == 255, shown)
        assert shown.sum() > 60
        assert shown.any(axis=1).sum() <= 50


def test_a_larger_frame_shows_the_same_street() -> None:
    small, large = street(7), street(7, size=(256, 512))
    assert large.image.shape == (256, 512, 3)
    assert (large.words[::2, ::2] == small.words).mean() > 0.95


def test_test_frames_take_turns_with_what_is_unknown() -> None:
    told = [word for number in range(90) for word in unknown_of(number)]
    assert set(told) == set(OOD)
    assert {len(unknown_of(number)) for number in range(90)} == {1, 2}
