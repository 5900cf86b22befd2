import numpy as np

from lab.streets import WORDS, generic


def test_a_scene_depends_on_its_number_and_seed_alone() -> None:
    np.testing.assert_array_equal(generic(4, seed=1).image, generic(4, seed=1).image)
    assert (generic(4, seed=1).image != generic(4, seed=2).image).mean() > 0.5


def test_every_pixel_has_a_word_and_all_words_come() -> None:
    seen = np.zeros(256, bool)
    for number in range(120):
        scene = generic(number, size=(48, 48))
        assert scene.words.max() < len(WORDS)
        seen[np.unique(scene.words)] = True
    assert seen[: len(WORDS)].all()


def test_a_scene_may_be_of_any_size() -> None:
    scene = generic(0, size=(64, 160))
    assert scene.image.shape == (64, 160, 3)
    assert scene.words.shape == (64, 160)
