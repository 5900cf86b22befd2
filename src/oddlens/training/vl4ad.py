"""Training of mask decoders for streets, on a frozen tower, by Mask2Former's recipe.

Masks are classified by prompt embeddings (as in FC-CLIP) or by a linear classifier.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.pixel_values import to_tensor
from oddlens.backbone.pyramid import STRIDE, map_tower
from oddlens.backbone.tensors import to_device
from oddlens.data.legend import IGNORED
from oddlens.errors import DataError, UsageError, counted
from oddlens.io.hashes import file_hash
from oddlens.methods.common.templates import load_templates
from oddlens.methods.vl4ad.concepts import ConceptEncoder
from oddlens.methods.vl4ad.decoder import load_network, weights_of
from oddlens.methods.vl4ad.decoder_shape import SMALL, DecoderShape, check_installed, shape_of
from oddlens.methods.vl4ad.vocabulary import Vocabulary, make_vocabulary
from oddlens.methods.weights import MethodWeights, write_weights
from oddlens.provenance import versions
from oddlens.training.checkpoint import Checkpoint, History, Losses
from oddlens.training.loop import minimise
from oddlens.training.processes import ALONE, Processes
from oddlens.training.report import write_report
from oddlens.training.reporting import TRAINING, Reporter, check_out, checkpoint_file, in_words, is_trained
from oddlens.training.settings import LARGEST_SEED, check_range
from oddlens.training.vl4ad_scenes import Crops, Scenes

if TYPE_CHECKING:
    from oddlens.methods.vl4ad.decoder_network import MaskDecoder
    from oddlens.training.vl4ad_loss import Targets


@dataclass(frozen=True)
class DecoderTraining:
    """How a mask decoder is trained. The values are Mask2Former's for Cityscapes (released code; RbA uses them too).

    Attributes:
        iterations: Steps.
        batch: Crops a step.
        crop: Height and width of a crop, multiples of 32.
        short_side: Of frames in detection; in training it is drawn from `least` to `most` times that.
        least: See `short_side`.
        most: See `short_side`.
        learning_rate: AdamW's at the start.
        weight_decay: AdamW's.
        power: Of the polynomial by which the learning rate falls.
        clip: The largest norm of all gradients.
        points: Sampled points of a mask.
        colour: Whether colours are drawn anew.
        ignored: Pixels without a class are "left out" (ours) or belong to no mask ("empty", the released code).
        seed: Of the first values and the crops.
    """

    iterations: int = 90_000
    batch: int = 16
    crop: tuple[int, int] = (512, 1024)
    short_side: int = 1024
    least: float = 0.5
    most: float = 2.0
    learning_rate: float = 1e-4
    weight_decay: float = 0.05
    power: float = 0.9
    clip: float = 0.01
    points: int = 12_544
    colour: bool = True
    ignored: Literal["left out", "empty"] = "left out"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise UsageError for values out of range."""
        if any(side < STRIDE or side % STRIDE for side in self.crop):
            raise UsageError(f"a crop cannot be {self.crop[0]}x{self.crop[1]}: give multiples of {STRIDE} pixels")
        if not 0 < self.least <= self.most:
            raise UsageError(f"frames cannot be scaled from {self.least} to {self.most}: give least first, above 0")
        for name in ("iterations", "batch", "short_side", "learning_rate", "clip", "points"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} cannot be {getattr(self, name)}: give a number above 0")
        check_range("seed", self.seed, 0, LARGEST_SEED)

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0."""
        left: float = 1 - step / self.iterations
        return self.learning_rate * math.pow(left, self.power)


SMALL_TRAINING = DecoderTraining(
    iterations=300, batch=4, crop=(128, 256), short_side=128, least=0.75, most=1.5, learning_rate=1e-3, clip=0.1, points=1024
)  # fmt: skip
"""Minutes on a CPU, for `decoder_shape.SMALL` (ours)."""

SIZES: dict[str, tuple[DecoderShape, DecoderTraining]] = {
    "full": (DecoderShape(), DecoderTraining()),
    "small": (SMALL, SMALL_TRAINING),
}
"""Name -> a decoder, and how it is trained."""

SAY_EVERY_S = 60.0
"""Seconds after which a training says how it goes, a hundred times at most."""


class DecoderRun:
    """One training of a mask decoder. A stopped training continues when it is made and run again with the same arguments.

    Args:
        backbone: The frozen model.
        scenes: The training frames.
        vocabulary: Classes with their concepts; those of the scenes are taken, by name.
        shape: The shape of the decoder.
        settings: The training settings.
        out: The weights to write, .safetensors; beside them lie the checkpoint during the training, and the report afterwards.
        templates: The name of a list of prompt templates.
        start: Weights to begin with, of the same shape.
        report: Whether to write the report.
        processes: They share the crops of each step. The first of them reports and writes.
        overwrite: Weights that are there, and a checkpoint of another training, are replaced.

    Raises:
        UsageError: Settings, names or files do not fit; two classes have the same prompt embeddings in this model; the extra "road"
            is not installed.
    """

    def __init__(
        self, backbone: Backbone, scenes: Scenes, vocabulary: Vocabulary, shape: DecoderShape, settings: DecoderTraining,
        out: Path, templates: str = "scene", start: MethodWeights | None = None, report: bool = False,
        processes: Processes = ALONE, overwrite: bool = False,
    ) -> None:  # fmt: skip
        check_installed()
        check_out(out)
        from oddlens.training.vl4ad_loss import MaskLoss

        self.backbone, self.scenes, self.shape, self.settings, self.out = backbone, scenes, shape, settings, out
        self.vocabulary = of_classes(vocabulary, scenes.classes)
        self._templates = templates
        self._report = report
        self._processes = processes
        self._overwrite = overwrite
        self._number = _numbers(self.vocabulary, scenes.classes)
        self._text = ConceptEncoder(backbone.encode_text).text(self.vocabulary, load_templates(templates))
        if shape.head == "words":
            check_distinct_classes(self._text["concepts"], self._text["columns"], self.vocabulary.names)
        self._tower = map_tower(backbone.vision)
        self.network = self._fresh_network(start)
        self._earlier = [] if start is None or start.provenance is None else start.provenance.get("data", [])
        self._start = (
            None
            if start is None
            else {"file": Path(start.source).name, "weights_sha256": file_hash(Path(start.source))}
        )
        self._loss = MaskLoss(len(self.vocabulary.names), settings.points, leave_out=settings.ignored == "left out").to(
            backbone.device
        )
        grey = tuple(round(255 * value) for value in backbone.mean)
        around = (round(settings.least * settings.short_side), round(settings.most * settings.short_side))
        self._crops = Crops(settings.crop, around, settings.colour, (grey[0], grey[1], grey[2]))
        self._scenes_said = processes.from_first(scenes.metadata)  # which reads all images, for their hashes
        self.checkpoint = Checkpoint(checkpoint_file(out), self._facts(), processes=processes)

    def run(self, reporter: Reporter | None = None) -> History:
        """Train and write. Returns and raises as `TrainingRun.run`."""
        started = time.perf_counter()
        first = self._processes.first
        reporter = reporter if reporter is not None and first else Reporter()
        if self._processes.from_first(lambda: is_trained(self.out, self.checkpoint, self._overwrite, reporter)):
            return History()
        optimiser = torch.optim.AdamW(
            parameter_groups(self.network, self.settings.weight_decay), lr=self.settings.learning_rate
        )
        history = self.checkpoint.resume(self, optimiser)
        said, said_at = len(history), time.perf_counter()
        for step in range(len(history), self.settings.iterations):
            began = time.perf_counter()
            losses = self.step(step, optimiser)
            history.losses.append(losses)
            history.seconds.append(time.perf_counter() - began)
            self.checkpoint.write_in_time(self, optimiser, history)
            steps, done = self.settings.iterations, step + 1
            reporter.progress("training", done, steps, in_words(losses))
            # A log shows no bar.
            if done < steps and time.perf_counter() - said_at >= SAY_EVERY_S and done - said >= steps / 100:
                said, said_at = done, time.perf_counter()
                left = (steps - done) * sum(history.seconds[-50:]) / len(history.seconds[-50:])
                reporter.say(f"step {done}/{steps}: {_latest(history)}, about {max(1, round(left / 60))} min left")
        if not first:
            return history
        means = History(history.losses[-50:]).epochs(50)[-1]
        reporter.say(f"{counted(len(history), 'step')}, {_latest(history)}")
        seconds = round(time.perf_counter() - started, 1)
        provenance = self.provenance() | {
            TRAINING: self.checkpoint.facts_sha256,
            "losses": means,
            "seconds": seconds,
        }
        write_weights(self.out, weights_of(self.network, self._text), provenance)
        if self._report:
            steps = -(-len(self.scenes) // self.settings.batch)
            write_report(self.out, history, steps, provenance, f"vl4ad on {self.scenes.name}", reporter.say)
        self.checkpoint.remove()
        return history

    def provenance(self) -> dict[str, object]:
        """How the weights are made, JSON values; the weights file carries them."""
        backbone, scenes = self.backbone, self._scenes_said
        return {
            "method": "vl4ad",
            "recipe": {
                "masks": "decoder",
                "activation": backbone.text.config.activation,
                "short_side": self.settings.short_side,
                "classes": {
                    name: list(words)
                    for name, words in zip(self.vocabulary.names, self.vocabulary.concepts, strict=True)
                },
                "templates": self._templates,
            },
            **backbone.identity.to_dict(),
            "decoder": asdict(self.shape),
            "data": [scenes, *(each for each in self._earlier if each != scenes)],
            "settings": asdict(self.settings),
            "start": self._start,
            "device": backbone.device.type,
            "versions": versions("transformers"),
        }

    def tensors(self) -> dict[str, Tensor]:
        """The tensors of the decoder."""
        return self.network.state_dict()

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from such tensors."""
        self.network.load_state_dict(dict(tensors))

    def losses(self, pixels: Tensor, targets: Targets, totals: Mapping[str, float] | None = None) -> dict[str, Tensor]:
        """The weighted parts of the loss of a batch of crops.

        Args:
            pixels: Normalised, float32 [batch, 3, height, width].
            targets: The truth.
            totals: See `MaskLoss.parts`.
        """
        with torch.no_grad():
            seen = self._tower.feature_maps(pixels, dense=False)
        layers = self.network(seen.maps)
        logits = [
            self.network.head.logits(each.classes, self._text["concepts"], self._text["columns"]) for each in layers
        ]
        parts: dict[str, Tensor] = self._loss.parts([each.masks for each in layers], logits, targets, totals)
        return parts

    def crop(self, position: int) -> tuple[Tensor, Tensor]:
        """The crop at a position of the training, the same for the same seed.

        Returns:
            Normalised pixels, float32 [1, 3, height, width], and the vocabulary's class numbers, [1, height, width]; 255 does not
            count.
        """
        settings, device = self.settings, self.backbone.device
        epoch, place = divmod(position, len(self.scenes))
        order = np.random.default_rng([settings.seed, 0, epoch]).permutation(len(self.scenes))
        frame, classes = self.scenes.frame(int(order[place]))
        crop, cut = self._crops.cut(frame, classes, np.random.default_rng([settings.seed, 1, position]))
        pixels = to_tensor([crop], settings.crop, self.backbone.mean, self.backbone.std)
        return to_device(pixels, device), to_device(torch.from_numpy(self._number[cut[None]]), device)

    def step(self, step: int, optimiser: torch.optim.Optimizer) -> Losses:
        """One step; returns its losses. All random values come from the seed and the positions of its crops.

        Raises:
            DataError: No pixel of its crops has a known class.
            OddlensError: A loss is not finite.
        """
        from oddlens.training.vl4ad_loss import targets_of

        settings = self.settings
        positions = self._processes.share(range(step * settings.batch, (step + 1) * settings.batch))
        crops = [self.crop(position) for position in positions]
        targets = [targets_of(classes, IGNORED) for _, classes in crops]
        own: dict[str, float] = {}
        for each in targets:
            own = {name: own.get(name, 0.0) + value for name, value in each.totals(self.shape.queries).items()}
        totals = self._processes.sums(own)
        if not totals["masks"]:
            raise DataError(
                f"in {self.scenes.name} no pixel of the frames of step {step + 1} has a known class: check their labels"
            )
        for group in optimiser.param_groups:
            group["lr"] = settings.rate(step)

        def losses() -> Iterator[dict[str, Tensor]]:
            for position, (pixels, _), truth in zip(positions, crops, targets, strict=True):
                torch.manual_seed(int(np.random.SeedSequence([settings.seed, 2, position]).generate_state(1)[0]))
                yield self.losses(pixels, truth, totals)

        device = self.backbone.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            return minimise(losses(), optimiser, f"step {step + 1}", settings.clip, processes=self._processes)

    def _fresh_network(self, start: MethodWeights | None) -> MaskDecoder:
        """The network with values drawn by the seed, or with those of `start`."""
        from oddlens.methods.vl4ad.decoder_network import MaskDecoder

        tower, classes = self._tower, len(self.vocabulary.names)
        with torch.random.fork_rng():
            torch.manual_seed(self.settings.seed)
            network = MaskDecoder(self.shape, tower.strides, tower.channels, self.backbone.card.embed_dim, classes)
        if start is not None:
            start.check_method("vl4ad")
            start.check_model(self.backbone.fingerprint, self.backbone.card.name)
            if shape_of(start.provenance or {}, start.source) != self.shape:
                raise UsageError(
                    f"{start.source} holds a decoder of another shape: train one of its shape, or start over"
                )
            outputs = start.tensors.get("decoder.head.classes.bias")  # of the linear head: the classes and void
            if outputs is not None and len(outputs) != classes + 1:
                learned = len(outputs) - 1
                raise UsageError(
                    f"{start.source} learned {counted(learned, 'class', 'classes')} without words, and the frames have {classes}: "
                    "start over, or from masks that know words"
                )
            load_network(network, start)
        return network.requires_grad_(True).to(self.backbone.device).train()

    def _facts(self) -> dict[str, object]:
        """What the result depends on."""
        return {name: value for name, value in self.provenance().items() if name != "versions"}


def _latest(history: History) -> str:
    """The mean losses of the last steps."""
    last = History(history.losses[-50:])
    return f"mean of the last {len(last)}: {in_words(last.epochs(50)[-1])}"


def of_classes(vocabulary: Vocabulary, names: Sequence[str]) -> Vocabulary:
    """The entries of a vocabulary for these classes. Raises UsageError for a class that it does not have."""
    if missing := [name for name in names if name not in vocabulary.names]:
        raise UsageError(
            f"the frames have the class {missing[0]!r}, for which the list of classes has no words: it knows "
            f"{', '.join(vocabulary.names)}; give a list with all of {', '.join(names)}"
        )
    pairs = zip(vocabulary.names, vocabulary.concepts, strict=True)
    return make_vocabulary({name: words for name, words in pairs if name in names})


def check_distinct_classes(concepts: Tensor, columns: Tensor, names: Sequence[str]) -> None:
    """Check that the prompt embeddings of all classes differ enough for masks to learn them.

    Args:
        concepts: Embeddings, float [concepts, embed_dim], unit norm.
        columns: The class of each concept, int64 [concepts].
        names: The classes.

    Raises:
        UsageError: No embedding would put the logit of a class 1 above that of another, even at the least temperature. A model that
            does not know the words spells them, so that their embeddings are nearly the same.
    """
    from oddlens.methods.vl4ad.decoder_network import LEAST_TEMPERATURE

    apart = torch.cdist(concepts.double(), concepts.double())
    for (own, name), (others, other) in permutations(enumerate(names), 2):
        # A word's cosine is above that of another by their distance at most.
        if apart[columns == own][:, columns == others].amin(dim=1).amax() < LEAST_TEMPERATURE:
            raise UsageError(
                f"to this model the words of {name!r} are the same as words of {other!r}, so that no mask can learn {name!r}: "
                "give a CLIP that knows such words, or learn without words (--linear)"
            )


def _numbers(vocabulary: Vocabulary, names: Sequence[str]) -> NDArray[np.uint8]:
    """The vocabulary's number for each number of the scenes' classes."""
    table = np.full(256, IGNORED, np.uint8)
    table[: len(names)] = [vocabulary.names.index(name) for name in names]
    return table


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """No weight decay on norms and embeddings (released code), nor on the logit scale (ours), which it would draw towards 1."""
    bare = (nn.LayerNorm, nn.GroupNorm, nn.Embedding)
    spared = {id(each) for module in network.modules() if isinstance(module, bare) for each in module.parameters()}
    spared |= {id(value) for name, value in network.named_parameters() if name.endswith(("level_embed", "logit_scale"))}
    decayed = [value for value in network.parameters() if id(value) not in spared]
    rest = [value for value in network.parameters() if id(value) in spared]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
