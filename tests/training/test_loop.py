"""The training loop: its course, its optimiser, and that a stopped training ends as an undisturbed one."""

import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from oddlens.backbone.backbone import Backbone
from oddlens.errors import OddlensError
from oddlens.training.cached_features import CachedFeatures, collections
from oddlens.training.checkpoint import Checkpoint, History, Losses
from oddlens.training.frozen import Encoder, RecomputedFeatures
from oddlens.training.loop import Callbacks, Schedule, train_frozen
from oddlens.training.precision import Precision
from oddlens.training.samples import SampleSet
from tests.training.learning import FakeTrainable, FakeTraining

EXACT = Precision("float32", {})
IDLE = Callbacks()
Sets = tuple[SampleSet, ...]


class Stop(BaseException):
    """What a test stops a training by."""


@pytest.fixture
def schedule(sets: Sets) -> Schedule:
    return Schedule(sets, FakeTraining())


def train(
    backbone: Backbone, schedule: Schedule, folder: Path, callbacks: Callbacks = IDLE, every: float = 0.0
) -> tuple[FakeTrainable, History]:
    """A training on features that are computed anew, with its checkpoint in the folder."""
    trainable = FakeTrainable(backbone)
    features = RecomputedFeatures(Encoder(trainable, EXACT))
    checkpoint = Checkpoint(folder / "checkpoint.pt", {"of": "a test"}, every)
    return trainable, train_frozen(trainable, schedule, features, checkpoint, callbacks)


def stop_at(step: int) -> Callbacks:
    def stop(done: int, losses: Losses) -> None:
        if done == step:
            raise Stop

    return Callbacks(step=stop)


class TestTheCourse:
    def test_an_epoch_shows_every_place_once_in_batches_the_last_with_what_is_left(self, schedule: Schedule) -> None:
        batches = schedule.batches(0)
        assert [len(batch) for batch in batches] == [3, 3, 3, 2]
        assert (schedule.steps, schedule.all_steps) == (4, 12)
        shown = [view.samples[0] for batch in batches for view in batch]
        assert sorted(map(id, shown)) == sorted(map(id, schedule.sets[0].samples))

    def test_the_order_depends_on_seed_and_epoch(self, schedule: Schedule) -> None:
        other = Schedule(schedule.sets, replace(FakeTraining(), seed=6))
        assert schedule.batches(1) == schedule.batches(1)
        assert schedule.batches(1) != schedule.batches(0)
        assert schedule.batches(1) != other.batches(1)

    def test_several_data_sets_are_mixed(self, sets: Sets) -> None:
        fewer = replace(sets[0], samples=sets[0].samples[:5])
        mixed = Schedule((sets[0], fewer), FakeTraining(batch=11))
        assert [len(batch) for batch in mixed.batches(0)] == [11, 5]
        counted = Counter(view.samples[0] for batch in mixed.batches(0) for view in batch)
        assert counted == Counter([*sets[0].samples, *fewer.samples])
        assert {view.samples[0] for view in mixed.batches(0)[1]} - set(fewer.samples)


class TestSteps:
    def test_adam_runs_over_the_sum_of_the_parts_as_published(
        self, backbone: Backbone, schedule: Schedule, tmp_path: Path
    ) -> None:
        trained, _ = train(backbone, schedule, tmp_path)
        expected = FakeTrainable(backbone)
        features = RecomputedFeatures(Encoder(expected, EXACT))
        adam = torch.optim.Adam([expected.weight], lr=1e-2, betas=(0.5, 0.999))
        for epoch in range(3):
            for views in schedule.batches(epoch):
                batch = features.batch(views)
                losses = expected.losses(
                    batch.features, batch.masks, batch.labels, batch.object_names, expected.shared()
                )
                adam.zero_grad()
                (losses["image"] + losses["patch"]).backward()
                adam.step()
        torch.testing.assert_close(trained.weight, expected.weight, rtol=0, atol=1e-6)  # images are added one by one
        assert torch.equal(trained.unused, torch.ones(1))

    def test_the_losses_of_every_step_are_kept_and_fall(self, backbone: Backbone, sets: Sets, tmp_path: Path) -> None:
        schedule = Schedule(sets, FakeTraining(epochs=12))
        _, history = train(backbone, schedule, tmp_path)
        assert len(history) == len(history.seconds) == 48
        means = history.epochs(schedule.steps)
        assert len(means) == 12
        assert means[0]["patch"] == pytest.approx(sum(each["patch"] for each in history.losses[:4]) / 4)
        assert sum(means[-1].values()) < sum(means[0].values())

    def test_whoever_watches_is_reported_of_every_step_and_epoch(
        self, backbone: Backbone, schedule: Schedule, tmp_path: Path
    ) -> None:
        steps: list[int] = []
        epochs: list[tuple[int, int]] = []
        callbacks = Callbacks(
            lambda done, losses: steps.append(done), lambda epoch, history: epochs.append((epoch, len(history)))
        )
        train(backbone, schedule, tmp_path, callbacks)
        assert steps == list(range(1, 13))
        assert epochs == [(0, 4), (1, 8), (2, 12)]

    def test_a_loss_that_is_no_number_stops_the_training_and_names_the_step(
        self, backbone: Backbone, schedule: Schedule, tmp_path: Path
    ) -> None:
        trainable = FakeTrainable(backbone)
        trainable.fail_at = 7
        features = RecomputedFeatures(Encoder(trainable, EXACT))
        with pytest.raises(
            OddlensError, match=r"the loss is not finite in epoch 2, step 3 \(image 0\.\d+, patch nan\): try a"
        ):
            train_frozen(trainable, schedule, features, Checkpoint(tmp_path / "c.pt", {}))
        assert torch.isfinite(trainable.weight).all()

    @pytest.mark.parametrize("mosaic", [0.0, 0.5])
    def test_kept_and_recomputed_features_train_the_same_bits(
        self, mosaic: float, backbone: Backbone, sets: Sets, tmp_path: Path
    ) -> None:
        settings = FakeTraining(mosaic=mosaic)
        schedule = Schedule(sets, settings)
        anew, _ = train(backbone, schedule, tmp_path)
        trainable = FakeTrainable(backbone)
        given = collections(sets, settings.epochs, settings.seed, settings.mosaic)
        features = CachedFeatures(Encoder(trainable, EXACT), given, tmp_path / "cache", "float32")
        list(features.fill())
        encoded = trainable.encoded
        train_frozen(trainable, schedule, features, Checkpoint(tmp_path / "other.pt", {}))
        assert trainable.encoded == encoded
        assert torch.equal(trainable.weight, anew.weight)


class TestStopping:
    @pytest.mark.parametrize("step", [1, 4, 6, 12])
    def test_a_stopped_training_ends_with_the_same_bits_and_repeats_no_step_that_was_kept(
        self, step: int, backbone: Backbone, schedule: Schedule, tmp_path: Path
    ) -> None:
        undisturbed, expected = train(backbone, schedule, tmp_path / "a")
        with pytest.raises(Stop):
            train(backbone, schedule, tmp_path / "b", stop_at(step))
        resumed, history = train(backbone, schedule, tmp_path / "b")
        assert resumed.steps == 12 - step
        assert torch.equal(resumed.weight, undisturbed.weight)
        assert history.losses == expected.losses

    def test_within_an_epoch_it_is_kept_now_and_then_and_after_it_always(
        self, backbone: Backbone, schedule: Schedule, tmp_path: Path
    ) -> None:
        with pytest.raises(Stop):
            train(backbone, schedule, tmp_path, stop_at(6), every=1000)
        resumed, _ = train(backbone, schedule, tmp_path, every=1000)
        assert resumed.steps == 12 - 4

    def test_a_training_that_was_killed_while_it_wrote_goes_on_with_what_was_whole(
        self, backbone: Backbone, schedule: Schedule, tmp_path: Path, open_clip_folder: Path, data: Path
    ) -> None:
        """The first checkpoint is written in another process, which kills itself in the middle of writing the second."""
        code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from oddlens.backbone.load import load_backbone
from oddlens.data.named import open_sources
from oddlens.training.loop import Schedule
from oddlens.training.samples import gather_samples
from tests.training.learning import FakeTraining
from tests.training.test_loop import train
plain, calls = Path.write_bytes, []
def write(path, data):
    calls.append(path)
    if len(calls) == 2:
        plain(path, b"half a file")
        os.kill(os.getpid(), signal.SIGKILL)
    plain(path, data)
Path.write_bytes = write
sets = gather_samples(open_sources([{str(data)!r}]), "test", "fake")
train(load_backbone({str(open_clip_folder)!r}, device="cpu"), Schedule(sets, FakeTraining()), Path({str(tmp_path / "b")!r}))
"""
        done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False)
        assert done.returncode == -signal.SIGKILL
        assert any(path.read_bytes() == b"half a file" for path in (tmp_path / "b").iterdir())
        undisturbed, _ = train(backbone, schedule, tmp_path / "a")
        resumed, _ = train(backbone, schedule, tmp_path / "b")
        assert resumed.steps == 11
        assert torch.allclose(resumed.weight, undisturbed.weight, atol=1e-6)


def test_history_of_nothing_has_no_epochs() -> None:
    assert History().epochs(4) == []


def test_a_checkpoint_that_cannot_be_written_is_reported(
    backbone: Backbone, schedule: Schedule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkpoint.pt").mkdir()
    with pytest.raises(OddlensError, match=r"checkpoint\.pt cannot be written because it is a folder"):
        train(backbone, schedule, tmp_path)
