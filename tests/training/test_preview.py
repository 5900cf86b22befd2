"""Early views of a training: which images, and what is drawn of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from oddlens.backbone.backbone import Backbone
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.training import trainable_class
from oddlens.training.april_gan import AprilGANTraining
from oddlens.training.preview import Preview, choose_samples
from oddlens.training.samples import SampleSet
from oddlens.training.trainable import Trainable
from oddlens.visualization.overlay import _TRUTH

RECIPE = AprilGANRecipe(image_size=40, layers=(1, 3))


@pytest.fixture
def trainable(backbone: Backbone) -> Trainable:
    return trainable_class("april-gan")(backbone, RECIPE, AprilGANTraining())


def preview(folder: Path, trainable: Trainable, sets: tuple[SampleSet, ...]) -> Preview:
    model = trainable.backbone.identity.to_dict()
    return Preview(folder, trainable, sets, {"method": "april-gan", "recipe": {}, **model})


def test_half_of_the_pictures_are_abnormal_and_they_are_spread_over_the_data(sets: tuple[SampleSet, ...]) -> None:
    samples = choose_samples(sets)
    assert [sample.record.label for sample in samples] == [0, 0, 0, 1, 1, 1]
    assert {sample.record.category for sample in samples} == {"lid", "nut"}
    assert len(set(samples)) == 6
    assert choose_samples(sets) == samples


def test_of_few_pictures_all_are_shown(sets: tuple[SampleSet, ...]) -> None:
    few = replace(sets[0], samples=sets[0].samples[:4])
    assert sorted(map(str, choose_samples([few]))) == sorted(map(str, few.samples))


def test_every_epoch_has_a_folder_of_small_pictures(
    trainable: Trainable, sets: tuple[SampleSet, ...], tmp_path: Path
) -> None:
    shown = preview(tmp_path / "early", trainable, sets)
    shown.draw(0)
    shown.draw(1)
    names = [f"{number}-{'abnormal' if number > 3 else 'normal'}.png" for number in range(1, 7)]
    for epoch in ("epoch-01", "epoch-02"):
        folder = tmp_path / "early" / epoch
        assert sorted(path.name for path in folder.iterdir()) == names
        assert all(path.stat().st_size < 100_000 for path in folder.iterdir())


def test_the_true_defect_is_outlined_and_a_good_picture_has_none(
    trainable: Trainable, sets: tuple[SampleSet, ...], tmp_path: Path
) -> None:
    preview(tmp_path, trainable, sets).draw(0)
    for path in (tmp_path / "epoch-01").iterdir():
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
        cyan = (np.abs(pixels - _TRUTH).max(axis=2) < 8).any()
        assert cyan == ("abnormal" in path.name)


def test_what_is_shown_changes_with_what_was_learned(
    trainable: Trainable, sets: tuple[SampleSet, ...], tmp_path: Path
) -> None:
    shown = preview(tmp_path, trainable, sets)
    shown.draw(0)
    shown.draw(1)
    with torch.no_grad():
        for parameter in trainable.parameters():
            parameter.mul_(-1)
    shown.draw(2)
    first, second, third = ((tmp_path / f"epoch-0{n}" / "4-abnormal.png").read_bytes() for n in (1, 2, 3))
    assert first == second
    assert second != third


def test_large_pictures_are_drawn_small(trainable: Trainable, sets: tuple[SampleSet, ...], tmp_path: Path) -> None:
    for sample in sets[0].samples:
        for path in (sample.record.image, sample.record.mask):
            if path is not None:
                Image.open(path).resize((450, 300)).save(path)
    preview(tmp_path / "early", trainable, sets).draw(0)
    for path in (tmp_path / "early" / "epoch-01").iterdir():
        assert Image.open(path).width == 400
