"""Good images are vetted: what is odd among them is found and said, and most of what is good is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from oddlens.calibration.observation import Look
from oddlens.calibration.vetting import SCORE, Vetting, vet
from tests.calibration.observed import observed

EVEN = [0.21, 0.22, 0.24, 0.26, 0.23, 0.25, 0.22, 0.24, 0.23, 0.25]


def flagged(found: Vetting) -> dict[str, str]:
    """The reasons by file name."""
    return {row.name: ", ".join(row.reasons) for row in found.flagged}


@pytest.mark.parametrize("count", [5, 10])
def test_a_score_that_stands_apart_is_asked_about(count: int) -> None:
    found = vet(observed([*EVEN[: count - 1], 0.47]))
    name = f"{count - 1:03d}.png"
    assert flagged(found) == {name: "differs most (score 0.47, others 0.21 to 0.26)"}
    assert found.rows[0].name == name
    assert found.sentence == (
        f"{count - 1} of {count} good images agree; {name} differs most (score 0.47, others 0.21 to 0.26). Is it good?"
    )


@pytest.mark.parametrize("count", [4, 10])
def test_images_that_agree_are_left_alone(count: int) -> None:
    found = vet(observed(EVEN[:count]))
    assert not found.flagged
    assert found.sentence == f"{count} good images agree: none is doubtful."
    assert [row.observation.score for row in found.rows] == sorted(EVEN[:count], reverse=True)


@pytest.mark.parametrize("count", [4, 7])
def test_few_good_images_are_questioned_as_seldom_as_is_said(count: int) -> None:
    rng, asked = np.random.default_rng(0), 0
    for seed in range(400):
        found = vet(observed(rng.lognormal(sigma=0.3, size=count).tolist(), np.eye(count), seed=seed))
        asked += len(found.flagged)
    assert asked / (400 * count) == pytest.approx(SCORE.rate, abs=0.015)


def test_several_bad_ones_among_many_do_not_hide_one_another() -> None:
    found = vet(observed([*EVEN, *EVEN, 0.6, 0.7, 0.8]))
    assert {"020.png", "021.png", "022.png"} <= set(flagged(found))
    assert "022.png differs from most others (score 0.8" in found.sentence


def test_scores_that_are_not_positive_are_held_against_one_another_too() -> None:
    found = vet(observed([-0.5, -0.48, -0.52, -0.49, -0.51, -0.5, -0.47, -0.1]))
    assert list(flagged(found)) == ["007.png"]


@pytest.mark.parametrize("scores", [[0.2], [0.2, 0.9], [0.2] * 12])
def test_where_nothing_can_be_said_nothing_is(scores: list[float]) -> None:
    assert not vet(observed(scores, np.eye(len(scores)))).flagged


def test_a_p_value_is_that_among_the_others() -> None:
    found = vet(observed([0.1, 0.2, 0.3]))
    assert [row.p_value for row in found.rows] == [1 / 3, 2 / 3, 1]


def test_another_part_is_found() -> None:
    embeddings = np.random.default_rng(1).normal(size=(8, 16)) / 10 + 1
    embeddings[3] *= -1
    assert flagged(vet(observed(EVEN[:8], embeddings))) == {"003.png": "does not look like the others' part"}


@pytest.mark.parametrize("seed", range(20))
def test_another_part_lies_beyond_twice_the_largest_distance_between_the_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(6, 3)).round(1)
    embeddings[2] *= 4
    far = np.linalg.norm(embeddings[:, None] - embeddings, axis=2)
    np.fill_diagonal(far, np.inf)
    without = [np.delete(np.delete(far, number, 0), number, 1) for number in range(6)]
    strange = {
        f"{number:03d}.png" for number in range(6) if far[number].min() > 2 * without[number].min(axis=1).max() > 0
    }
    found = flagged(vet(observed(EVEN[:6], embeddings)))
    assert {name for name, reason in found.items() if "does not look like" in reason} == strange


def test_twins_are_found() -> None:
    embeddings = np.random.default_rng(1).normal(size=(6, 16))
    embeddings[4] = embeddings[1] + 0.01
    assert flagged(vet(observed(EVEN[:6], embeddings))) == {"004.png": "is nearly the same image as 001.png"}


def test_another_size_is_found_where_the_others_have_one() -> None:
    sizes = [(640, 480)] * 5 + [(320, 240)]
    assert flagged(vet(observed(EVEN[:6], sizes=sizes))) == {
        "005.png": "has 320 x 240 pixels, another size than the others (640 x 480)"
    }


def test_another_shape_is_found_where_sizes_differ() -> None:
    sizes = [(64 * n, 48 * n) for n in range(1, 7)] + [(100, 100)]
    assert flagged(vet(observed(EVEN[:7], sizes=sizes))) == {
        "006.png": "has 100 x 100 pixels, another shape than the others (1.33 to 1)"
    }


def test_sizes_that_all_differ_are_not_odd() -> None:
    sizes = [(60 + 7 * n, 90 - 5 * n) for n in range(8)]
    assert not vet(observed(EVEN[:8], sizes=sizes)).flagged


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        (Look(np.zeros((2, 2, 3), np.uint8), 100, 30), "is less sharp than the others"),
        (Look(np.zeros((2, 2, 3), np.uint8), 50, 300), "is darker than the others"),
        (Look(np.zeros((2, 2, 3), np.uint8), 180, 300), "is brighter than the others"),
    ],
)
def test_what_the_camera_did_is_found(look: Look, reason: str) -> None:
    looks = [Look(look.thumbnail, 100 + n / 3, 300 + n) for n in range(8)] + [look]
    assert flagged(vet(observed(EVEN[:9], looks=looks))) == {"008.png": reason}


def test_small_differences_of_the_camera_are_not_odd() -> None:
    looks = [Look(np.zeros((2, 2, 3), np.uint8), 100, 300)] * 8 + [Look(np.zeros((2, 2, 3), np.uint8), 110, 250)]
    assert not vet(observed(EVEN[:9], looks=looks)).flagged


def test_many_doubts_are_said_as_a_number() -> None:
    sizes = [(640, 480)] * 20 + [(320, 240)] * 4
    found = vet(observed([*EVEN, *EVEN, *EVEN[:4]], sizes=sizes))
    assert "20 of 24 good images agree" in found.sentence
    assert found.sentence.endswith("and 1 more. Are they good?")


def test_it_is_told_as_json_values() -> None:
    document = vet(observed([*EVEN[:4], 0.47])).to_dict()
    assert document["kind"] == "split"
    assert document["images"][0] == {
        "source": "good/004.png",
        "score": 0.47,
        "p_value": 0.2,
        "size": [64, 48],
        "reasons": ["differs most (score 0.47, others 0.21 to 0.26)"],
    }
