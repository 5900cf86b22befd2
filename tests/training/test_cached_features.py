"""Frozen features kept on disk: exact, resumable, reused, and never those of something else."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from oddlens.backbone.backbone import Backbone
from oddlens.errors import OddlensError
from oddlens.training import cached_features
from oddlens.training.cached_features import CachedFeatures, Storage, collections
from oddlens.training.frozen import Encoder, RecomputedFeatures
from oddlens.training.images import epoch_images, single_images
from oddlens.training.precision import Precision
from oddlens.training.samples import SampleSet
from tests.training.learning import FakeTrainable

EXACT = Precision("float32", {})
Sets = tuple[SampleSet, ...]


@pytest.fixture
def trainable(backbone: Backbone) -> FakeTrainable:
    return FakeTrainable(backbone)


def keep(
    trainable: FakeTrainable, sets: Sets, folder: Path, storage: Storage = "float32", epochs: int = 2, mosaic: float = 0.0,
    seed: int = 0, precision: Precision = EXACT,
) -> CachedFeatures:  # fmt: skip
    encoder = Encoder(trainable, precision)
    return CachedFeatures(encoder, collections(sets, epochs, seed, mosaic), folder, storage)


def filled(*arguments: Any, **options: Any) -> CachedFeatures:
    features = keep(*arguments, **options)
    list(features.fill())
    return features


@pytest.mark.parametrize("mosaic", [0.0, 0.5])
def test_kept_features_are_those_that_are_computed_anew_to_the_bit(
    mosaic: float, trainable: FakeTrainable, sets: Sets, tmp_path: Path
) -> None:
    features = filled(trainable, sets, tmp_path / "cache", mosaic=mosaic)
    anew = RecomputedFeatures(Encoder(trainable, EXACT))
    for epoch in (0, 1):
        views = epoch_images(sets[0], epoch, 0, mosaic)[2:9]
        expected, found = anew.batch(views), features.batch(views)
        for name in expected.features:
            assert torch.equal(found.features[name], expected.features[name])
        assert torch.equal(found.masks, expected.masks)
        assert found.labels.tolist() == expected.labels.tolist()


def test_every_view_of_all_epochs_runs_through_the_tower_once(
    trainable: FakeTrainable, sets: Sets, tmp_path: Path
) -> None:
    features = filled(trainable, sets, tmp_path / "cache", epochs=3, mosaic=0.5)
    shown = {view for epoch in range(3) for view in epoch_images(sets[0], epoch, 0, 0.5)}
    assert trainable.encoded == features.count == len(shown | set(single_images(sets[0])))


def test_its_size_is_known_before_and_is_what_the_files_then_take(
    trainable: FakeTrainable, sets: Sets, tmp_path: Path
) -> None:
    features = keep(trainable, sets, tmp_path / "cache")
    assert trainable.encoded == 1
    assert features.missing_nbytes == features.nbytes
    assert list(features.fill())[-1] == features.count == 11
    assert features.missing_nbytes == 0
    written = sum(np.load(path).nbytes for path in (tmp_path / "cache").rglob("*.npy"))
    assert written == features.nbytes


def test_a_second_run_computes_nothing(trainable: FakeTrainable, sets: Sets, tmp_path: Path) -> None:
    filled(trainable, sets, tmp_path / "cache", mosaic=0.5)
    trainable.encoded = 0
    filled(trainable, sets, tmp_path / "cache", mosaic=0.5)
    assert trainable.encoded == 0


def test_a_stopped_filling_goes_on(trainable: FakeTrainable, sets: Sets, tmp_path: Path) -> None:
    next(keep(trainable, sets, tmp_path / "cache").fill())
    trainable.encoded = 0
    filled(trainable, sets, tmp_path / "cache")
    assert trainable.encoded == 11 - 8


def test_another_seed_of_mosaics_and_more_epochs_use_what_is_there(
    trainable: FakeTrainable, sets: Sets, tmp_path: Path
) -> None:
    filled(trainable, sets, tmp_path / "cache", mosaic=0.5)
    trainable.encoded = 0
    other = filled(trainable, sets, tmp_path / "cache", mosaic=0.5, seed=1)
    assert trainable.encoded == other.count - 11
    trainable.encoded = 0
    more = filled(trainable, sets, tmp_path / "cache", mosaic=0.5, seed=1, epochs=6)
    assert 0 < trainable.encoded <= more.count - other.count + 8


def test_features_of_changed_pictures_model_pass_or_precision_are_never_used(
    trainable: FakeTrainable, sets: Sets, tmp_path: Path, transformers_folder: Path
) -> None:
    from oddlens.backbone.load import load_backbone

    def folders() -> int:
        return len(list((tmp_path / "cache").iterdir()))

    filled(trainable, sets, tmp_path / "cache")
    filled(FakeTrainable(load_backbone(transformers_folder, device="cpu")), sets, tmp_path / "cache")
    assert folders() == 2
    filled(trainable, sets, tmp_path / "cache", "float16")
    assert folders() == 3
    filled(trainable, sets, tmp_path / "cache", precision=Precision("bfloat16", {}))
    assert folders() == 4
    os.utime(sets[0].samples[0].record.image, ns=(0, 0))
    filled(trainable, [replace(sets[0])], tmp_path / "cache")
    assert folders() == 5


def test_float16_halves_the_features_and_changes_them_a_little(
    trainable: FakeTrainable, sets: Sets, tmp_path: Path
) -> None:
    whole, half = (filled(trainable, sets, tmp_path / "cache", storage) for storage in ("float32", "float16"))
    assert half.nbytes < 0.52 * whole.nbytes
    views = single_images(sets[0])[:3]
    expected, found = whole.batch(views).features["image"], half.batch(views).features["image"]
    assert found.dtype == torch.float32
    assert 0 < (found - expected).abs().max() < 1e-2


def test_features_beyond_float16_are_refused(trainable: FakeTrainable, sets: Sets, tmp_path: Path) -> None:
    plain = trainable.encode
    trainable.encode = lambda vision_pass: {name: 1e6 * value for name, value in plain(vision_pass).items()}  # type: ignore[method-assign]
    with pytest.raises(OddlensError, match=r"are too large for float16: give --cache-dtype float32"):
        filled(trainable, sets, tmp_path / "cache", "float16")


def test_a_disk_without_room_is_reported_before_anything_is_computed(
    trainable: FakeTrainable, sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = keep(trainable, sets, tmp_path / "a" / "cache")
    features.check_room()
    usage = shutil.disk_usage(tmp_path)._replace(free=features.nbytes - 1)
    monkeypatch.setattr(cached_features.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OddlensError, match=r"the features need .* GB more in .*cache, .* float16 .* or --no-cache"):
        features.check_room()
    list(features.fill())
    features.check_room()


@pytest.mark.parametrize(
    "note", ["[]", '{"arrays": 3}', '{"arrays": {"image": "x"}}', '{"arrays": {"image": [0.5]}}', "[" * 9999]
)
def test_a_damaged_note_of_shapes_is_made_again(
    trainable: FakeTrainable, sets: Sets, tmp_path: Path, note: str
) -> None:
    views = single_images(sets[0])
    expected = filled(trainable, sets, tmp_path / "cache").batch(views)
    for path in (tmp_path / "cache").glob("*/features.json"):
        path.write_text(note)
    found = filled(trainable, sets, tmp_path / "cache").batch(views)
    for name in expected.features:
        assert torch.equal(found.features[name], expected.features[name])
