"""What a learning station keeps of its line: a random sample, whatever the order, that survives damage and knows what it is of."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oddlens.calibration import Look, Observation
from oddlens.provenance import Identity, ModelIdentity
from oddlens.station.learning import (
    FOLDER,
    SAMPLES,
    LearningSample,
    kept_count,
    sample_scored_by,
    scored_by,
    scored_otherwise,
)


def image(number: int) -> Observation:
    """An image of the line."""
    return Observation(
        source=f"line/{number}.png",
        digest=hashlib.sha256(str(number).encode()).hexdigest(),
        size=(64, 48),
        score=number / 7,
        peak=number / 3,
        usual=0.1,
        embedding=np.full(4, number, np.float32),
        look=Look(np.full((3, 4, 3), number % 256, np.uint8), 100.5, 30.25),
    )


def kept(folder: Path, numbers: Iterable[int], size: int = 5) -> set[str]:
    sample = LearningSample(folder, "made by me", size)
    for number in numbers:
        sample.add(image(number))
    return {each.source for each in sample.read()}


def test_what_is_kept_does_not_depend_on_the_order_or_on_how_often_it_comes(tmp_path: Path) -> None:
    numbers = [*range(40), *range(20)]
    first = kept(tmp_path / "a", numbers)
    random.Random(1).shuffle(numbers)
    assert kept(tmp_path / "b", numbers) == first
    kept(tmp_path / "c", numbers[:30])
    assert kept(tmp_path / "c", numbers[30:]) == first  # in two runs
    assert len(first) == 5


def test_each_image_is_as_likely_to_be_kept_as_any_other(tmp_path: Path) -> None:
    """Over many lines: no place in the stream is favoured."""
    sample = LearningSample(tmp_path, "", 10)
    assert all(sample.wants(image(number).digest) for number in range(50))
    counts = np.zeros(20)
    for line in range(300):
        ranks = [
            hashlib.sha256(f"learning {image(line * 20 + place).digest}".encode()).hexdigest() for place in range(20)
        ]
        counts[np.argsort(ranks)[:5]] += 1
    assert abs(counts - 75).max() < 4 * (300 * 0.25 * 0.75) ** 0.5


def test_an_image_comes_back_as_it_was(tmp_path: Path) -> None:
    LearningSample(tmp_path, "me").add(image(3))
    (found,) = LearningSample(tmp_path, "me").read()
    assert replace(found, embedding=image(3).embedding, look=None) != image(3)  # arrays have no equality
    np.testing.assert_array_equal(found.embedding, image(3).embedding)
    assert found.look is not None
    np.testing.assert_array_equal(found.look.thumbnail, np.full((3, 4, 3), 3, np.uint8))
    assert (found.look.brightness, found.look.sharpness) == (100.5, 30.25)
    for name in ("source", "digest", "size", "score", "peak", "usual"):
        assert getattr(found, name) == getattr(image(3), name)


def test_what_was_scored_by_something_else_is_no_part_of_it(tmp_path: Path) -> None:
    kept(tmp_path, range(3))
    other = LearningSample(tmp_path, "another recipe")
    assert (len(other), len(other.read())) == (0, 0)
    other.add(image(7))
    assert [each.source for each in other.read()] == ["line/7.png"]
    assert kept(tmp_path, []) == {
        "line/0.png",
        "line/1.png",
        "line/2.png",
    }  # a station that is rolled back has its sample again


def test_an_image_scored_anew_lies_beside_what_was_scored_before(tmp_path: Path) -> None:
    kept(tmp_path, range(3))
    other = LearningSample(tmp_path, "another recipe", 5)
    for number in range(3):
        other.add(replace(image(number), score=9.0))
    assert [each.score for each in LearningSample(tmp_path, "another recipe").read()] == [9.0] * 3
    assert {each.score for each in LearningSample(tmp_path, "made by me").read()} == {n / 7 for n in range(3)}
    assert kept_count(tmp_path) == 3


def test_only_the_last_samples_are_kept(tmp_path: Path) -> None:
    for number in range(SAMPLES + 2):
        LearningSample(tmp_path, f"recipe {number:09}").add(image(0))
    assert [len(LearningSample(tmp_path, f"recipe {number:09}")) for number in range(SAMPLES + 2)] == [
        0, 0, *[1] * SAMPLES
    ]  # fmt: skip


def test_files_of_earlier_versions_are_part_of_it(tmp_path: Path) -> None:
    kept(tmp_path, range(3))
    for path in (tmp_path / FOLDER).iterdir():
        path.rename(path.with_name(f"{path.name[:64]}.safetensors"))
    assert len(kept(tmp_path, [*range(3), *range(10, 40)])) == 5
    assert len(list((tmp_path / FOLDER).iterdir())) == 5


@pytest.mark.parametrize("damage", [b"", b"torn", b"\x00" * 200])
def test_a_damaged_file_is_no_part_of_it(tmp_path: Path, damage: bytes) -> None:
    kept(tmp_path, range(3))
    path = next((tmp_path / FOLDER).iterdir())
    path.write_bytes(damage)
    assert len(LearningSample(tmp_path, "made by me").read()) == 2
    assert kept(tmp_path, range(3)) == {"line/0.png", "line/1.png", "line/2.png"}


@pytest.mark.parametrize(
    "wrong", [{"size": (0, 4)}, {"look": Look(np.zeros((3, 4, 1), np.uint8), 1, 1)}, {"embedding": np.full(4, np.nan)}]
)
def test_an_image_that_cannot_be_is_no_part_of_it(tmp_path: Path, wrong: dict[str, object]) -> None:
    LearningSample(tmp_path, "me").add(replace(image(3), **wrong))
    assert LearningSample(tmp_path, "me").read().images == ()


def test_scores_depend_on_recipe_references_and_object_and_on_no_threshold() -> None:
    made = Identity(method="winclip", recipe={"a": 1}, model=ModelIdentity(name="m", sha256="0", fingerprint="1"))
    first = scored_by(made, "nut")
    assert scored_by(replace(made, thresholds={"image": 0.3}, calibration={"kind": "split"}), "nut") == first
    for other in (
        scored_by(made, "bolt"),
        scored_by(replace(made, recipe={"a": 2}), "nut"),
        scored_by(replace(made, references_sha256="x"), "nut"),
        scored_by(replace(made, roi={"include": []}), "nut"),
    ):
        assert other != first


@pytest.mark.parametrize(("method", "is_same"), [("patch-knn", True), ("vl4ad", True), ("winclip", False)])
def test_the_name_of_the_object_counts_where_a_score_depends_on_it(method: str, is_same: bool, tmp_path: Path) -> None:
    model = ModelIdentity(name="mini", sha256="a", fingerprint="b")
    identity = Identity(method=method, recipe={}, model=model)
    sample_scored_by(tmp_path, identity, "nut").add(image(1))
    assert len(sample_scored_by(tmp_path, identity, "bolt")) == is_same
    before, after = ({**identity.to_dict(), "object": name} for name in ("nut", "bolt"))
    assert (scored_otherwise(before, after) == []) == is_same


def test_a_sample_of_an_earlier_version_which_took_the_name_in_goes_on(tmp_path: Path) -> None:
    model = ModelIdentity(name="mini", sha256="a", fingerprint="b")
    identity = Identity(method="patch-knn", recipe={}, model=model)
    named = {name: value for name, value in identity.to_dict().items() if name not in ("oddlens", "thresholds")}
    earlier = hashlib.sha256(json.dumps(named | {"object_name": "nut"}, sort_keys=True).encode()).hexdigest()
    LearningSample(tmp_path, earlier).add(image(1))
    sample = sample_scored_by(tmp_path, identity, "nut")
    sample.add(image(2))
    assert [each.source for each in sample.read()] == ["line/1.png", "line/2.png"]
