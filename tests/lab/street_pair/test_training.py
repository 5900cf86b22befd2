"""Training of the street pair, on a handful of scenes: the same again, after a stop too; and what its parts are made from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import oddlens
from lab.street_pair import training as street_pair
from lab.street_pair.training import (
    GRID,
    GenericScenes,
    StreetPairTraining,
    build_pair,
    generator_fingerprint,
    patch_shares,
    train,
)
from lab.streets import CONCEPTS, WORDS, generic, street
from oddlens.backbone.layouts import embedded

TINY = StreetPairTraining(scenes=6, steps=4, batch=3, width=64, layers=2, heads=1, mlp_width=64, text_width=32)


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


def test_a_stopped_run_ends_as_an_undisturbed_one(trained: Path, work: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("training", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(TINY, tmp_path / "out", work, stop, checkpoint_every=2)
    assert not (tmp_path / "out").exists()
    told: list[int] = []
    train(TINY, tmp_path / "out", work, lambda stage, done, _: told.append(done) if stage == "training" else None)
    assert told == [3, 4]
    assert weights(tmp_path / "out") == weights(trained)


def test_training_changes_both_towers_and_never_the_stem(trained: Path) -> None:
    before, after = build_pair(TINY).state_dict(), embedded.read(trained).model.state_dict()
    for name, value in after.items():
        if "trunk" in name or name == "logit_scale":
            assert torch.allclose(value, before[name], atol=2e-3), name
    for name in ("vision.blocks.0.qkv.weight", "text.token_embedding.weight", "vision.stem.projection.weight"):
        assert not torch.allclose(after[name], before[name].half().float()), name


def test_a_few_steps_bring_patches_and_their_words_together(work: Path) -> None:
    seen: list[float] = []
    losses = street_pair.step_losses

    def noted(*arguments: object) -> dict[str, torch.Tensor]:
        parts = losses(*arguments)  # type: ignore[arg-type]
        seen.append(float(parts["regions"].detach()))
        return parts

    settings = StreetPairTraining(
        scenes=6, steps=40, batch=3, learning_rate=3e-3, warm_up=3, width=64, layers=2, heads=1, mlp_width=64
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(street_pair, "step_losses", noted)
        train(settings, work / "longer", work)
    assert np.mean(seen[-5:]) < 0.75 * np.mean(seen[:3])


def test_the_shares_of_a_patch_are_those_of_its_places() -> None:
    words = torch.full((1, GRID * 4, GRID * 4), WORDS.index("sky"))
    words[0, :4, :2] = WORDS.index("tree")  # the left half of the first patch
    words[0, 0, 0] = 255  # a place of no word
    shares = patch_shares(words)
    assert shares.shape == (1, GRID * GRID, len(WORDS))
    assert shares[0, 0, WORDS.index("tree")] == 7 / 16
    assert shares[0, 0, WORDS.index("sky")] == 8 / 16
    assert shares[0, 1:, WORDS.index("sky")].min() == 1


def test_cached_words_are_those_of_the_scene(trained: Path, work: Path) -> None:
    scenes = GenericScenes(TINY, work)
    for number, size in ((2, 256), (3, 128)):
        _, _, shares = scenes.batch([number], torch.device("cpu"))
        words = generic(number, 0, (size, size)).words
        whole = np.array([(words == word).mean() for word in range(len(WORDS))])
        np.testing.assert_allclose(shares[0].mean(dim=0).numpy(), whole, atol=0.02)


def test_the_folder_is_a_model_for_streets(trained: Path) -> None:
    detector = oddlens.load("vl4ad", trained, short_side=256, classes=dict(CONCEPTS))
    found = detector.detect([street(0).image])[0]
    assert found.label_names == tuple(CONCEPTS)
    assert np.isfinite(found.anomaly_map).all()


def test_the_folder_says_how_it_was_made(trained: Path) -> None:
    told = json.loads((trained / embedded.CONFIG).read_text())["provenance"]
    assert StreetPairTraining(**told["training"]) == TINY
    assert told["generator"] == generator_fingerprint()
