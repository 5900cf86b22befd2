"""What a method saw of its test images before it was measured on them."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from oddlens.evaluation import open_sources
from oddlens.evaluation.plan import Job
from oddlens.evaluation.protocol import choose_protocol
from oddlens.evaluation.seen_before import remarks_on_examples, remarks_on_weights, seen_before
from tests.evaluation.tiny_set import write_set


@dataclass
class Measured:
    """Of a detector, all that counts here."""

    name: str = "april-gan"


def job(root: Path) -> Job:
    (source,) = open_sources([root])
    detector: Any = Measured()
    protocol = choose_protocol(source, "bolt", None, None)
    return Job(source, "bolt", detector, "bolt", source.tests("bolt"), {}, protocol)


def test_a_test_image_that_is_one_of_the_good_examples_is_named(tmp_path: Path) -> None:
    root = write_set(tmp_path / "parts", ["bolt"])
    shutil.copy(root / "bolt/train/good/001.png", root / "bolt/test/good/007.png")
    measured = job(root)
    examples = measured.source.dataset.select("bolt", "train").records
    assert list(seen_before(measured, examples)) == [
        "the test image bolt/test/good/007.png is the good example bolt/train/good/001.png: keep only one of them"
    ]
    assert list(seen_before(measured, examples[:1])) == []
    assert list(seen_before(measured, ())) == []


def test_of_a_category_it_is_one_sentence(tmp_path: Path) -> None:
    root = write_set(tmp_path / "parts", ["bolt"])
    source, category = job(root).source, "bolt"
    examples = source.dataset.select(category, "train").records
    assert list(remarks_on_examples(source, category, examples)) == []
    shutil.copy(root / "bolt/train/good/001.png", root / "bolt/test/good/007.png")
    source = job(root).source
    assert list(remarks_on_examples(source, category, examples)) == [
        "bolt of parts: 1 test image is a good example (bolt/test/good/007.png is bolt/train/good/001.png): leave it out with "
        "--leave-out-copies"
    ]
    shutil.copy(root / "bolt/train/good/002.png", root / "bolt/test/good/000.png")
    (several,) = remarks_on_examples(job(root).source, category, examples)
    assert "2 test images are good examples (bolt/test/good/000.png is bolt/train/good/002.png, and 1 more)" in several


def test_images_that_are_left_out_are_said(tmp_path: Path) -> None:
    root = write_set(tmp_path / "parts", ["bolt"])
    shutil.copy(root / "bolt/train/good/001.png", root / "bolt/test/good/007.png")
    measured = job(root)
    measured = replace(measured, source=measured.source.without_copies(), records=())
    note = "the test image bolt/test/good/007.png is left out: it is a copy of a normal training image"
    assert list(seen_before(measured, ())) == [note]
    assert list(remarks_on_examples(measured.source, "bolt", measured.source.dataset.select("bolt", "train"))) == [
        "bolt of parts: 1 test image is left out, a copy of normal training images (bolt/test/good/007.png)"
    ]


def test_test_images_that_the_weights_were_trained_on_are_counted_in_the_same_words(tmp_path: Path) -> None:
    measured = replace(job(write_set(tmp_path / "parts", ["bolt"])), trained_on=("bolt/test/good/002.png",))
    said = (
        "the weights of april-gan were trained on 1 of 6 test images (bolt/test/good/002.png): "
        "measure them on another data set"
    )
    assert list(seen_before(measured, ())) == [said]
    assert list(remarks_on_weights(measured.source, "april-gan", measured.trained_on, 6)) == [f"parts: {said}"]
    assert list(remarks_on_weights(measured.source, "april-gan", (), 6)) == []
    several = replace(measured, trained_on=("bolt/test/good/000.png", "bolt/test/good/002.png"))
    assert "2 of 6 test images (bolt/test/good/000.png, and 1 more)" in "".join(seen_before(several, ()))
