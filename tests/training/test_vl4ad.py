"""Training of mask decoders on a tiny frozen tower: it learns, it resumes, and the tower stays as it was."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import oddlens
from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.errors import DataError, OddlensError, UsageError
from oddlens.io.hashes import file_hash
from oddlens.methods.vl4ad.vocabulary import make_vocabulary
from oddlens.methods.weights import read_weights
from oddlens.training import vl4ad
from oddlens.training.reporting import Reporter
from oddlens.training.vl4ad import SIZES, DecoderRun, DecoderTraining, of_classes
from oddlens.training.vl4ad_scenes import GivenScenes
from tests.small_streets import LINEAR, QUICK, SHAPE, WORDS, frame, scenes, schedule, trained
from tests.tiny_convnext import convnext_weights, write_convnext


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_convnext(tmp_path_factory.mktemp("convnext"), convnext_weights())


@pytest.fixture(scope="module")
def backbone(model: Path) -> Backbone:
    return load_backbone(model, device="cpu")


def accuracy(model: Path, weights: Path) -> float:
    """The share of right pixels of the first frame, of those that count."""
    pixels, classes = frame()
    (found,) = oddlens.load("vl4ad", model, weights, device="cpu").detect(pixels)
    assert found.label_names == ("road", "sky", "car")
    labels = F.interpolate(torch.from_numpy(found.labels)[None, None].float(), classes.shape)[0, 0].numpy()
    right = labels == np.array([1, 0, 2])[np.minimum(classes, 2)]
    return float(right[classes != 255].mean())


LEARNING = replace(QUICK, iterations=40, batch=1, crop=(64, 96), short_side=64, most=1, learning_rate=5e-3, points=256)


@pytest.mark.parametrize("shape", [SHAPE, LINEAR])
def test_a_frame_is_learned_by_heart_in_a_few_steps(model: Path, backbone: Backbone, tmp_path: Path, shape) -> None:
    out = tmp_path / "decoder.safetensors"
    history = schedule(backbone, out, shape, LEARNING, count=1).run()
    assert sum(history.losses[-1].values()) < sum(history.losses[0].values()) / 3
    assert accuracy(model, out) > 0.95


def test_the_tower_learns_nothing_and_stays_as_it_looks_at_pictures(model: Path, tmp_path: Path) -> None:
    backbone = load_backbone(model, device="cpu")
    before = {name: value.clone() for name, value in backbone.model.state_dict().items()}
    schedule(backbone, tmp_path / "decoder.safetensors").run()
    assert not any(module.training for module in backbone.model.modules())
    assert all(parameter.grad is None for parameter in backbone.model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in backbone.model.state_dict().items())


def test_the_same_settings_give_the_same_weights_and_another_seed_others(backbone: Backbone, tmp_path: Path) -> None:
    first, again = (trained(backbone, tmp_path / f"{number}.safetensors").tensors for number in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = trained(backbone, tmp_path / "other.safetensors", settings=replace(QUICK, seed=1)).tensors
    assert not torch.equal(first["decoder.head.pool.weight"], other["decoder.head.pool.weight"])


def test_a_stopped_training_ends_as_an_undisturbed_one(backbone: Backbone, tmp_path: Path) -> None:
    whole = trained(backbone, tmp_path / "whole.safetensors")

    def stop(stage: str, done: int, total: int, note: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    out = tmp_path / "stopped.safetensors"
    stopped = schedule(backbone, out)
    stopped.checkpoint.every = 0
    with pytest.raises(KeyboardInterrupt):
        stopped.run(Reporter(progress=stop))
    assert not out.exists()
    told: list[str] = []
    history = schedule(backbone, out).run(Reporter(say=told.append))
    going_on, losses = told
    assert going_on == f"going on from {tmp_path / 'stopped.safetensors.checkpoint.pt'}"
    assert losses.startswith(f"{QUICK.iterations} steps, mean of the last {QUICK.iterations}: loss ")
    assert len(history) == QUICK.iterations
    assert not (tmp_path / "stopped.safetensors.checkpoint.pt").exists()
    found = read_weights(out)
    assert all(torch.equal(value, found.tensors[name]) for name, value in whole.tensors.items())
    assert found.provenance is not None
    assert whole.provenance is not None
    assert found.provenance["losses"] == whole.provenance["losses"]


def test_a_long_training_says_how_it_goes_where_no_bar_is_seen(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oddlens.training.vl4ad.SAY_EVERY_S", 0.0)
    told: list[str] = []
    history = schedule(backbone, tmp_path / "said.safetensors").run(Reporter(say=told.append))
    steps = QUICK.iterations
    assert len(told) == steps  # the last one says the losses of the end
    for done, sentence in enumerate(told[:-1], start=1):
        total = sum(sum(losses.values()) for losses in history.losses[:done]) / done
        assert sentence.startswith(f"step {done}/{steps}: mean of the last {done}: loss {total:.4f} (")
        assert sentence.endswith("), about 1 min left")


def test_a_checkpoint_of_other_settings_is_not_used(backbone: Backbone, tmp_path: Path) -> None:
    out = tmp_path / "decoder.safetensors"
    begun = schedule(backbone, out)
    begun.checkpoint.write(begun, torch.optim.AdamW(begun.network.parameters()), begun.run())
    assert schedule(backbone, out).checkpoint.differs() == []
    other = schedule(backbone, out, settings=replace(QUICK, seed=5))
    assert other.checkpoint.differs() == ["settings seed"]
    with pytest.raises(UsageError, match=r"of a stopped training with other settings \(seed\)"):
        other.run()


def test_weights_are_replaced_only_where_that_is_wanted(backbone: Backbone, tmp_path: Path) -> None:
    out = tmp_path / "decoder.safetensors"
    schedule(backbone, out).run()
    before, told = out.read_bytes(), list[str]()
    assert len(schedule(backbone, out).run(Reporter(say=told.append))) == 0
    assert told == [f"{out} is of this very training: nothing is left to do"]
    with pytest.raises(UsageError, match=r"is there already, trained otherwise \(seed\)"):
        schedule(backbone, out, settings=replace(QUICK, seed=5)).run()
    assert out.read_bytes() == before
    schedule(backbone, out, settings=replace(QUICK, seed=5), overwrite=True).run()
    assert out.read_bytes() != before


def test_the_weights_say_how_they_were_made(backbone: Backbone, tmp_path: Path) -> None:
    told = trained(backbone, tmp_path / "decoder.safetensors").provenance
    assert told is not None
    assert told["recipe"] == {
        "masks": "decoder", "activation": "gelu", "short_side": 32, "classes": WORDS, "templates": "scene",
    }  # fmt: skip
    assert told["model_fingerprint"] == backbone.fingerprint
    assert told["decoder"]["queries"] == 6
    assert told["data"] == [{"name": "small", "frames": 2}]
    assert told["settings"]["iterations"] == 3
    assert set(told["losses"]) == {"class", "mask", "dice"}
    assert {"oddlens", "torch", "transformers", "python"} == set(told["versions"])


def test_a_training_may_begin_with_other_weights_and_new_words(backbone: Backbone, tmp_path: Path) -> None:
    start = trained(backbone, tmp_path / "start.safetensors")
    begun = DecoderRun(
        backbone,
        GivenScenes("cars", ("car", "sky"), [(frame()[0], np.minimum(frame()[1], 1))]),
        make_vocabulary({"sky": ["clouds"], "car": ["lorry"]}),
        SHAPE,
        QUICK,
        tmp_path / "next.safetensors",
        start=start,
    )
    assert begun.provenance()["start"] == {"file": "start.safetensors", "weights_sha256": file_hash(Path(start.source))}
    cars = {"name": "cars", "frames": 1}
    assert begun.provenance()["data"] == [cars, {"name": "small", "frames": 2}]
    for name, value in begun.network.state_dict().items():
        assert torch.equal(value, start.tensors[f"decoder.{name}"])
    assert all(parameter.requires_grad for parameter in begun.network.parameters())
    begun.run()
    again = schedule(backbone, tmp_path / "third.safetensors", SHAPE, start=read_weights(tmp_path / "next.safetensors"))
    assert again.provenance()["data"] == [{"name": "small", "frames": 2}, cars]
    wider = replace(SHAPE, queries=7)
    with pytest.raises(UsageError, match="holds a decoder of another shape"):
        schedule(backbone, tmp_path / "next.safetensors", wider, start=start)


def test_masks_without_words_go_on_with_as_many_classes_only(backbone: Backbone, tmp_path: Path) -> None:
    first = trained(backbone, tmp_path / "first.safetensors", shape=LINEAR)
    two = GivenScenes("two", ("sky", "road"), [frame(0)])
    with pytest.raises(
        UsageError, match=r"first\.safetensors learned 3 classes without words, and the frames have 2: "
    ):
        DecoderRun(backbone, two, make_vocabulary(WORDS), LINEAR, QUICK, tmp_path / "two.safetensors", start=first)


def test_a_crop_depends_on_the_seed_and_its_position_alone(backbone: Backbone, tmp_path: Path) -> None:
    one = schedule(backbone, tmp_path / "a.safetensors", settings=replace(QUICK, colour=True))
    pixels, classes = one.crop(11)
    assert pixels.shape == (1, 3, 32, 64)
    assert classes.shape == (1, 32, 64)
    other = schedule(backbone, tmp_path / "b.safetensors", settings=replace(QUICK, colour=True))
    other.crop(8)
    assert torch.equal(other.crop(11)[0], pixels)
    assert not torch.equal(other.crop(13)[0], pixels)


def test_class_numbers_are_those_of_the_words_not_of_the_frames(backbone: Backbone, tmp_path: Path) -> None:
    """The frames count sky, road, car; the words road, sky, car."""
    one = schedule(
        backbone, tmp_path / "a.safetensors", settings=replace(QUICK, crop=(64, 96), short_side=64, most=1), count=1
    )
    _, classes = one.crop(0)
    straight = torch.from_numpy(np.array([1, 0, 2] + [255] * 253, np.uint8)[frame()[1]])
    assert any(torch.equal(classes[0], way) for way in (straight, straight.flip(1)))


def test_decay_spares_norms_embeddings_and_the_logit_scale(backbone: Backbone, tmp_path: Path) -> None:
    network = schedule(backbone, tmp_path / "a.safetensors").network
    decayed, spared = ({id(value) for value in group["params"]} for group in vl4ad.parameter_groups(network, 0.05))
    named = dict(network.named_parameters())
    assert decayed | spared == {id(value) for value in named.values()}
    for name in ("head.pool.weight", "head.pool.bias", "pixels.mask_projection.weight"):
        assert id(named[name]) in decayed, name
    for name in (
        "head.pool_norm.weight", "head.void.weight", "head.logit_scale", "pixels.level_embed",
        "transformer.queries_embedder.weight", "transformer.decoder.layernorm.bias",
    ):  # fmt: skip
        assert id(named[name]) in spared, name


def test_the_learning_rate_falls_to_nothing_by_a_polynomial() -> None:
    settings = DecoderTraining(iterations=100, learning_rate=2.0)
    assert settings.rate(0) == 2
    assert settings.rate(50) == pytest.approx(2 * 0.5**0.9)
    assert 0 < settings.rate(99) < 0.04


def test_the_full_size_is_the_papers() -> None:
    shape, settings = SIZES["full"]
    assert (shape.queries, shape.layers, shape.width, shape.pixel_layers) == (250, 9, 256, 6)
    assert (settings.iterations, settings.batch, settings.crop) == (90_000, 16, (512, 1024))
    assert (settings.least * settings.short_side, settings.most * settings.short_side) == (512, 2048)


class TestRefusals:
    def test_a_class_without_words_is_named(self) -> None:
        with pytest.raises(UsageError, match="the class 'tram', for which the list of classes has no words"):
            of_classes(make_vocabulary(WORDS), ("road", "tram"))

    def test_classes_that_the_frames_lack_are_no_part_of_it(self) -> None:
        assert of_classes(make_vocabulary(WORDS), ("car", "road")).names == ("road", "car")

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"crop": (48, 64)}, "48x64"),
            ({"least": 2.0, "most": 1.0}, "from 2.0 to 1.0"),
            ({"iterations": 0}, "iterations cannot be 0"),
            ({"seed": 2**63}, "seed cannot be 9223372036854775808"),
        ],
    )
    def test_settings_out_of_range(self, change: dict[str, object], told: str) -> None:
        with pytest.raises(UsageError, match=told):
            replace(QUICK, **change)

    def test_a_name_that_could_not_be_read_again(self, backbone: Backbone, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"ends in \.safetensors"):
            schedule(backbone, tmp_path / "decoder.pth")

    def test_frames_in_which_nothing_counts(self, backbone: Backbone, tmp_path: Path) -> None:
        blank = GivenScenes("blank", scenes().classes, [(frame()[0], np.full((64, 96), 255, np.uint8))])
        one = DecoderRun(backbone, blank, make_vocabulary(WORDS), SHAPE, QUICK, tmp_path / "a.safetensors")
        with pytest.raises(DataError, match="in blank no pixel of the frames of step 1 has a known class"):
            one.run()

    def test_a_loss_that_is_not_finite(self, backbone: Backbone, tmp_path: Path) -> None:
        one = schedule(backbone, tmp_path / "a.safetensors")
        with torch.no_grad():
            one.network.head.pool.weight.fill_(float("nan"))
        with pytest.raises(OddlensError, match="not finite in step 1"):
            one.run()


def test_words_that_are_all_the_same_to_a_model_are_no_words_to_learn_by(tmp_path: Path) -> None:
    mini = load_backbone("mini", device="cpu")
    with pytest.raises(UsageError, match=r"the words of 'road' are the same as words of 'sky'.*--linear"):
        schedule(mini, tmp_path / "decoder.safetensors")
    schedule(mini, tmp_path / "decoder.safetensors", LINEAR)


@pytest.mark.parametrize("names", [("road", "sky"), ("sky", "road")])
def test_every_class_needs_a_word_that_no_other_has(names: tuple[str, str]) -> None:
    concepts, road = torch.eye(3), names.index("road")
    columns = torch.tensor([road, 1 - road, road, 1 - road])
    vl4ad.check_distinct_classes(concepts[[0, 0, 1, 2]], columns, names)
    with pytest.raises(UsageError, match="the words of 'road' are the same as words of 'sky'"):
        vl4ad.check_distinct_classes(concepts[[0, 0, 0, 1]], columns, names)
    with pytest.raises(UsageError, match="the words of 'sky' are the same as words of 'road'"):
        vl4ad.check_distinct_classes(concepts[[0, 0, 1, 0]], columns, names)
