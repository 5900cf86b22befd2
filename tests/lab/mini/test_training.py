"""Training of the embedded model, on a handful of images: the same again, after a stop too; and what is released."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import oddlens
from lab.mini.training import MiniTraining, build_model, generator_fingerprint, train
from lab.synthetic import TRAIN_CLASSES, generate
from oddlens.backbone.layouts import embedded

TINY = MiniTraining(pictures=6, steps=4, batch=4, windows=6, prompts=3, width=64, layers=2, heads=1, mlp_width=64)


def weights(folder: Path) -> bytes:
    return (folder / embedded.WEIGHTS).read_bytes()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, work: Path) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(TINY, folder, work)
    return folder


def progress_of(steps: list[int]) -> Callable[[str, int, int], None]:
    """Notes the number of every step that is trained."""
    return lambda stage, done, total: steps.append(done) if stage == "training" else None


def test_the_same_settings_give_the_same_weights(trained: Path, work: Path, tmp_path: Path) -> None:
    train(TINY, tmp_path, work)
    assert weights(tmp_path) == weights(trained)


def test_a_stopped_run_ends_as_an_undisturbed_one(
    trained: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("training", 3):
            raise KeyboardInterrupt

    for file in work.glob("checkpoint-*"):
        file.unlink()
    with pytest.raises(KeyboardInterrupt):
        train(TINY, tmp_path / "out", work, stop, checkpoint_every=2)
    assert not (tmp_path / "out").exists()
    steps: list[int] = []
    train(TINY, tmp_path / "out", work, progress_of(steps), checkpoint_every=2)
    assert steps == [3, 4]
    assert weights(tmp_path / "out") == weights(trained)
    assert (tmp_path / "out" / embedded.CONFIG).read_text() == (trained / embedded.CONFIG).read_text()


def test_the_same_call_after_the_end_trains_nothing_and_writes_the_same(
    trained: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in work.glob("checkpoint-*"):
        file.unlink()
    losses = train(TINY, tmp_path / "first", work, checkpoint_every=2)
    steps: list[int] = []
    assert train(TINY, tmp_path / "second", work, progress_of(steps), checkpoint_every=2) == losses
    assert steps == []
    for name in (embedded.WEIGHTS, embedded.CONFIG):
        assert (tmp_path / "second" / name).read_bytes() == (trained / name).read_bytes()


def test_training_changes_both_towers_and_never_the_stem(trained: Path) -> None:
    before = build_model(TINY).state_dict()
    after = embedded.read(trained).model.state_dict()
    for name, value in after.items():
        if "trunk" in name or name == "logit_scale":
            assert torch.allclose(value, before[name], atol=2e-3), name
    for name in ("vision.blocks.0.qkv.weight", "text.token_embedding.weight", "vision.stem.projection.weight"):
        assert not torch.allclose(after[name], before[name].half().float()), name


def test_no_steps_give_an_untrained_control_without_a_picture(tmp_path: Path) -> None:
    told: list[str] = []
    settings = MiniTraining(pictures=6, steps=0, batch=4, width=64, layers=2, heads=1, mlp_width=64)
    assert train(settings, tmp_path / "out", tmp_path / "work", lambda stage, *_: told.append(stage)) == {}
    assert told == []
    assert torch.isfinite(oddlens.load("winclip", tmp_path / "out").method.encode_prompts("part")["prototypes"]).all()


def test_another_seed_is_another_model() -> None:
    first, second = (build_model(MiniTraining(seed=seed)).vision.class_embedding for seed in (0, 1))
    assert not torch.equal(first, second)


def test_the_released_model_was_made_with_todays_settings() -> None:
    told = json.loads((embedded.FOLDER / embedded.CONFIG).read_text(encoding="utf-8"))["provenance"]
    assert MiniTraining(**told["training"]) == MiniTraining()
    assert len(told["generator"]) == len(generator_fingerprint())


def sheet() -> NDArray[np.uint8]:
    """What the generator's fingerprint is taken of, small: an image of every training class, below it the place of its defect."""
    tiles = []
    for name in TRAIN_CLASSES:
        sample = generate(name, 1)
        parts = (sample.image, np.repeat(255 * sample.mask.astype(np.uint8)[..., None], 3, axis=2))
        tiles.append(np.concatenate([cv2.resize(part, (16, 16), interpolation=cv2.INTER_AREA) for part in parts]))
    return np.concatenate([np.concatenate(tiles[first : first + 10], axis=1) for first in range(0, len(tiles), 10)])


def test_todays_generator_draws_the_pictures_that_the_released_model_was_trained_on() -> None:
    """The file is `sheet()` from a machine whose fingerprint is the released model's. A processor with other vector instructions
    rounds one pixel in a hundred thousand to the next level, so that its fingerprint is another one.
    """
    released = np.asarray(Image.open(Path(__file__).with_name("pictures.png")))
    assert np.abs(sheet().astype(int) - released).max() <= 1


def test_the_released_part_is_small() -> None:
    assert (embedded.FOLDER / embedded.WEIGHTS).stat().st_size < 12e6
