"""A whole training: what it tells, what it writes, and how it goes on."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

import oddlens
from oddlens.backbone.backbone import Backbone
from oddlens.data import contents
from oddlens.data.manifest import manifest_hash
from oddlens.errors import OddlensError, UsageError
from oddlens.io.hashes import file_hash
from oddlens.methods.anomaly_clip.recipe import AnomalyCLIPRecipe
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.methods.registry import method_card
from oddlens.methods.weights import read_weights, write_weights
from oddlens.training import TRAINABLE, settings_class, trainable_class
from oddlens.training.loop import Schedule
from oddlens.training.precision import Precision
from oddlens.training.run import CacheConfig, Reporter, TrainingRun, checkpoint_file
from oddlens.training.samples import SampleSet

Sets = tuple[SampleSet, ...]
RECIPES: dict[str, Any] = {
    "anomalyclip": AnomalyCLIPRecipe(image_size=40, layers=(3,), local_from=2, prompt_depth=2),
    "april-gan": AprilGANRecipe(image_size=40, layers=(1, 3)),
}


def make(
    method: str, backbone: Backbone, sets: Sets, out: Path, kept: CacheConfig | None = None, report: bool = False,
    preview: Path | None = None, overwrite: bool = False, **settings: Any,
) -> TrainingRun:  # fmt: skip
    chosen = replace(settings_class(method)(), **{"epochs": 2, "batch": 4, "mosaic": 0.3} | settings)
    trainable = trainable_class(method)(backbone, RECIPES[method], chosen)
    precision = Precision("float32", {})
    return TrainingRun(trainable, Schedule(sets, chosen), out, precision, kept, preview, report, overwrite=overwrite)


class Heard:
    """What a training tells."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.stages: list[tuple[str, int, int]] = []
        self.reporter = Reporter(
            self.sentences.append, lambda stage, done, total, note: self.stages.append((stage, done, total))
        )


@pytest.mark.parametrize("method", TRAINABLE)
class TestEveryMethod:
    def test_its_weights_are_loaded_by_the_model_they_were_made_for(
        self, method: str, backbone: Backbone, sets: Sets, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        run = make(method, backbone, sets, tmp_path / "w.safetensors")
        run.run()
        detector = oddlens.load(method, open_clip_folder, tmp_path / "w.safetensors", device="cpu")
        assert asdict(detector.recipe) == asdict(RECIPES[method])
        learned = run.trainable.tensors()
        found = read_weights(tmp_path / "w.safetensors").tensors
        assert all(torch.equal(found[name], value) for name, value in learned.items())
        (detection,) = detector.detect([sets[0].samples[0].record.image])
        assert detection.anomaly_map.shape == (40, 40)

    def test_kept_and_recomputed_features_give_the_same_weights(
        self, method: str, backbone: Backbone, sets: Sets, tmp_path: Path
    ) -> None:
        kept, anew = (
            make(method, backbone, sets, tmp_path / f"{number}.safetensors", cache_config)
            for number, cache_config in enumerate((CacheConfig(tmp_path / "cache"), None))
        )
        assert kept.run().losses == anew.run().losses
        expected = anew.trainable.tensors()
        assert all(torch.equal(value, expected[name]) for name, value in kept.trainable.tensors().items())

    def test_training_lowers_the_loss(self, method: str, backbone: Backbone, sets: Sets, tmp_path: Path) -> None:
        run = make(
            method, backbone, sets, tmp_path / "w.safetensors", CacheConfig(tmp_path / "cache"), epochs=15, mosaic=0.0
        )
        epochs = run.run().epochs(run.schedule.steps)
        assert sum(epochs[-1].values()) < 0.95 * sum(epochs[0].values())


def test_the_weights_say_how_they_were_made(backbone: Backbone, sets: Sets, tmp_path: Path) -> None:
    run = make("april-gan", backbone, sets, tmp_path / "w.safetensors", seed=9)
    history = run.run()
    metadata = read_weights(tmp_path / "w.safetensors").provenance
    assert metadata is not None
    assert (metadata["method"], metadata["seed"], metadata["recipe"]["layers"]) == ("april-gan", 9, [1, 3])
    model = backbone.identity.to_dict()
    assert {name: metadata[name] for name in model} == model
    (data,) = metadata["data"]
    assert data["data_sha256"] == manifest_hash(sets[0].source.dataset)
    assert (data["name"], data["pictures"], data["abnormal"], data["split"]) == ("data", 11, 6, "test")
    assert metadata["settings"]["mosaic"] == 0.3
    assert metadata["versions"].keys() == {"oddlens", "torch", "python"}
    assert metadata["losses"] == history.epochs(run.schedule.steps)[-1]
    assert metadata["seconds"] > 0


def test_it_reports_the_features_beforehand_and_of_every_epoch(backbone: Backbone, sets: Sets, tmp_path: Path) -> None:
    heard = Heard()
    make("april-gan", backbone, sets, tmp_path / "w.safetensors", CacheConfig(tmp_path / "cache"), mosaic=0.0).run(
        heard.reporter
    )
    assert heard.sentences[0].startswith("features of 11 images take ")
    assert f" MB (float32) in {tmp_path / 'cache'}" in heard.sentences[0]
    first, second = heard.sentences[1:]
    assert first.startswith("epoch 1/2: loss ")
    assert second.startswith("epoch 2/2: loss ")
    assert "(focal " in second
    assert heard.stages[0] == ("encoding", 8, 11)
    assert heard.stages[-1] == ("training", 6, 6)
    heard = Heard()
    make("april-gan", backbone, sets, tmp_path / "again.safetensors", CacheConfig(tmp_path / "cache"), mosaic=0.0).run(
        heard.reporter
    )
    assert heard.sentences[0].endswith(", all cached")


def test_a_stopped_training_goes_on_and_leaves_no_checkpoint_behind(
    backbone: Backbone, sets: Sets, tmp_path: Path
) -> None:
    def stop(stage: str, done: int, total: int, note: str) -> None:
        if (stage, done) == ("training", 5):
            raise KeyboardInterrupt

    make("april-gan", backbone, sets, tmp_path / "a.safetensors").run()
    out = tmp_path / "b.safetensors"
    with pytest.raises(KeyboardInterrupt):
        make("april-gan", backbone, sets, out).run(Reporter(progress=stop))
    assert not out.exists()
    assert checkpoint_file(out).exists()
    heard = Heard()
    make("april-gan", backbone, sets, out).run(heard.reporter)
    assert heard.sentences[0] == f"going on from {checkpoint_file(out)}"
    assert not any("epoch 1/2" in sentence for sentence in heard.sentences)
    assert not checkpoint_file(out).exists()
    first, second = (read_weights(path).tensors for path in (tmp_path / "a.safetensors", out))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_checkpoint_of_other_settings_is_kept_unless_it_may_be_replaced(
    backbone: Backbone, sets: Sets, tmp_path: Path
) -> None:
    def stop(stage: str, done: int, total: int, note: str) -> None:
        if (stage, done) == ("training", 4):
            raise KeyboardInterrupt

    out = tmp_path / "w.safetensors"
    with pytest.raises(KeyboardInterrupt):
        make("april-gan", backbone, sets, out).run(Reporter(progress=stop))
    before = checkpoint_file(out).read_bytes()
    called = (replace(sets[0], samples=tuple(replace(each, object_name="lid") for each in sets[0].samples)), *sets[1:])
    for given, changes, names in (
        (sets, {"seed": 3}, "seed"),
        (sets, {"epochs": 3, "learning_rate": 0.1}, "epochs, learning_rate"),
        (called, {}, "object names"),
    ):
        other = make("april-gan", backbone, given, out, **changes)
        with pytest.raises(UsageError, match=re.escape(f"is of a stopped training with other settings ({names})")):
            other.run()
        assert checkpoint_file(out).read_bytes() == before
    heard = Heard()
    make("april-gan", backbone, sets, out, seed=3, overwrite=True).run(heard.reporter)
    assert heard.sentences[0] == f"{checkpoint_file(out)} is of another training: starting over"
    assert any("epoch 1/2" in sentence for sentence in heard.sentences)


def test_images_are_hashed_once_with_reports_and_not_where_nothing_is_left_to_do(
    backbone: Backbone, sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(contents, "file_hash", lambda path: read.append(path) or file_hash(path))
    out, heard = tmp_path / "w.safetensors", Heard()
    for _ in range(2):
        make("april-gan", backbone, tuple(map(replace, sets)), out, epochs=1).run(heard.reporter)
    files = {sample.record.image for each in sets for sample in each.samples}
    assert sorted(read) == sorted(files)
    hashing = [stage for stage in heard.stages if stage[0] == "hashing images"]
    assert hashing == [("hashing images", done + 1, len(files)) for done in range(len(files))]


def test_weights_are_replaced_only_where_that_is_wanted(backbone: Backbone, sets: Sets, tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    assert len(make("april-gan", backbone, sets, out, epochs=1).run()) > 0
    before = out.read_bytes()
    heard = Heard()
    assert len(make("april-gan", backbone, sets, out, epochs=1).run(heard.reporter)) == 0
    assert heard.sentences == [f"{out} is of this very training: nothing is left to do"]
    fewer = (replace(sets[0], samples=sets[0].samples[:-1]), *sets[1:])
    for given, epochs, why in ((sets, 2, "epochs"), (fewer, 1, "images or object names")):
        with pytest.raises(UsageError, match=re.escape(f"w.safetensors is there already, trained otherwise ({why})")):
            make("april-gan", backbone, given, out, epochs=epochs).run()
    with pytest.raises(UsageError, match=r"trained otherwise \(method\)"):
        make("anomalyclip", backbone, sets, out, epochs=1).run()
    assert out.read_bytes() == before
    assert len(make("april-gan", backbone, sets, out, epochs=2, overwrite=True).run()) > 0
    assert read_weights(out).provenance["settings"]["epochs"] == 2  # type: ignore[index, typeddict-item]
    made = read_weights(out)
    said = {name: value for name, value in (made.provenance or {}).items() if name not in ("format", "training_sha256")}
    write_weights(out, made.tensors, said)
    with pytest.raises(UsageError, match="there already, trained by an earlier version, which does not say"):
        make("april-gan", backbone, sets, out).run()
    out.write_bytes(b"something else")
    with pytest.raises(UsageError, match="there already, and holds no weights of oddlens"):
        make("april-gan", backbone, sets, out).run()
    assert out.read_bytes() == b"something else"


def test_report_and_previews_lie_in_the_given_places(backbone: Backbone, sets: Sets, tmp_path: Path) -> None:
    make("anomalyclip", backbone, sets, tmp_path / "w.safetensors", report=True, preview=tmp_path / "early").run()
    assert sorted(path.name for path in (tmp_path / "early").iterdir()) == ["epoch-01", "epoch-02"]
    document = json.loads((tmp_path / "w.safetensors.report.json").read_text())
    assert len(document["epochs"]) == 2
    assert document["training"] == {
        name: value
        for name, value in (read_weights(tmp_path / "w.safetensors").provenance or {}).items()
        if name != "format"
    }
    assert (tmp_path / "w.safetensors.report.png").is_file()


def test_a_report_that_cannot_be_written_does_not_cost_the_weights(
    backbone: Backbone, sets: Sets, tmp_path: Path
) -> None:
    out = tmp_path / "w.safetensors"
    run = make("april-gan", backbone, sets, out, report=True)
    (tmp_path / "w.safetensors.report.png").mkdir()
    with pytest.raises(OddlensError, match=r"report\.png cannot be written because it is a folder"):
        run.run()
    learned = run.trainable.tensors()
    assert all(torch.equal(value, learned[name]) for name, value in read_weights(out).tensors.items())


def test_a_name_that_nothing_could_read_again_is_refused(backbone: Backbone, sets: Sets, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"w\.pth cannot hold trained weights: give a name that ends in \.safetensors"):
        make("april-gan", backbone, sets, tmp_path / "w.pth")


def test_methods_that_learn_nothing_are_not_trained() -> None:
    with pytest.raises(UsageError, match="there is no method to train 'winclip': choose one of april-gan, anomalyclip"):
        trainable_class("winclip")


def test_every_trainable_method_is_a_method() -> None:
    for name in TRAINABLE:
        assert method_card(name).recipe is type(RECIPES[name])
