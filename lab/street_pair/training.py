"""Training of the street pair: a small vision-language pair that knows the words of generated streets, and where they are.

A stand-in for CLIP in trials of road methods without downloads: it learns from generic scenes of all words, known and unknown on
the street alike, as CLIP saw both. Never from a street. Source: ours; the model is built as the embedded one is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lab.small_clip import Schedule, fresh_model, save_model, train_clip
from lab.street_pair.captions import CONTEXT, sentences, vocabulary
from lab.streets import WORDS, generic
from oddlens import __version__
from oddlens.backbone.efficientnet import COARSE_CHANNELS, FINE_CHANNELS, HybridStem
from oddlens.backbone.model import ClipModel
from oddlens.backbone.normalisation import LITE_MEAN, LITE_STD
from oddlens.backbone.pixel_values import to_tensor
from oddlens.backbone.tensors import aligned
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import Tokenizer, word_tokenizer
from oddlens.backbone.tower import StemOutput
from oddlens.backbone.vision import VisionConfig
from oddlens.training.feature_cache import FeatureCache
from oddlens.training.losses import contrastive_loss

GRID, CELL = 16, 16
"""Patches along one side of the tower's image, and pixels along one side of a patch."""

IMAGE_SIZE = GRID * CELL
"""Side of the tower's image: a frame of 128 pixels in height is shown at twice its size, so that a patch is 8 of its pixels."""

_FINE = 4  # places along one side of a patch at which its word is read


@dataclass(frozen=True)
class StreetPairTraining:
    """How the street pair is made.

    Attributes:
        scenes: The number of scenes, generated once; their features are cached on disk.
        temperature: Of every softmax in training, and the model's own.
        regions: A weight of a part of the loss.
        patches: A weight of a part of the loss.
        image: A weight of a part of the loss.
        seen: The number of patches from which a word counts as seen.
        pure: The share of its area from which a patch is a word's.
    """

    seed: int = 0
    scenes: int = 1536
    steps: int = 400
    batch: int = 16
    learning_rate: float = 8e-4
    weight_decay: float = 0.05
    warm_up: int = 40
    decay_from: float = 0.6
    temperature: float = 0.05
    regions: float = 1.0
    patches: float = 0.5
    image: float = 0.2
    seen: float = 1.5
    pure: float = 0.7
    width: int = 192
    layers: int = 3
    heads: int = 3
    mlp_width: int = 384
    text_width: int = 128
    text_layers: int = 2
    text_heads: int = 2
    embed_dim: int = 128

    def scene_key(self) -> str:
        """What the cached scenes depend on, as a short hash."""
        return _hash([self.seed, IMAGE_SIZE, generator_fingerprint()])


@cache
def generator_fingerprint() -> str:
    """A short hash of what the generator draws today: the first scenes. Other vector instructions give another one."""
    digest = hashlib.sha256()
    for number in range(24):
        scene = generic(number)
        digest.update(scene.image.tobytes() + scene.words.tobytes())
    return digest.hexdigest()[:16]


def build_pair(settings: StreetPairTraining) -> ClipModel:
    """The pair before training: `fresh_model` in its shape."""
    vision = VisionConfig(
        image_size=IMAGE_SIZE, patch_size=CELL, width=settings.width, layers=settings.layers, heads=settings.heads,
        mlp_width=settings.mlp_width, embed_dim=settings.embed_dim, activation="gelu",
    )  # fmt: skip
    text = TextConfig(
        context=CONTEXT, vocabulary=build_tokenizer().size, width=settings.text_width, layers=settings.text_layers,
        heads=settings.text_heads, mlp_width=4 * settings.text_width, embed_dim=settings.embed_dim, activation="gelu",
    )  # fmt: skip
    return fresh_model(vision, text, settings.seed, settings.temperature)


def build_tokenizer() -> Tokenizer:
    """The pair's tokenizer: whole words and single characters."""
    return word_tokenizer(vocabulary(), CONTEXT)


class GenericScenes:
    """The training scenes by number: frozen stem features and the words of every place, on disk."""

    def __init__(self, settings: StreetPairTraining, work: Path) -> None:
        self._seed = settings.seed
        self._cache = FeatureCache(
            work / f"scenes-{settings.scene_key()}",
            settings.scenes,
            {
                "fine": ((FINE_CHANNELS, 2 * GRID, 2 * GRID), np.float16),
                "coarse": ((COARSE_CHANNELS, GRID, GRID), np.float16),
                "words": ((GRID * _FINE, GRID * _FINE), np.uint8),
            },
        )

    @property
    def nbytes(self) -> int:
        """Bytes that the features take on disk."""
        return self._cache.nbytes

    def prepare(self, model: ClipModel) -> Iterator[int]:
        """Generate and encode what is not on disk yet; yields the number of scenes that are ready."""
        stem = model.vision.stem
        assert isinstance(stem, HybridStem)
        yield from self._cache.fill(lambda rows: self._encode(stem, rows))

    def batch(self, numbers: list[int], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """fine, coarse (float32), and the share of each patch that each word has, [batch, patches, words]."""
        rows = self._cache.rows(numbers)
        fine, coarse = (
            aligned(torch.from_numpy(rows[name].astype(np.float32))).to(device) for name in ("fine", "coarse")
        )
        words = torch.from_numpy(np.asarray(rows["words"], np.int64)).to(device)
        return fine, coarse, patch_shares(words)

    @torch.inference_mode()
    def _encode(self, stem: HybridStem, rows: range) -> dict[str, NDArray[np.generic]]:
        cv2.setNumThreads(1)  # images this small lose by being cut among threads
        # Every other scene is drawn half as large and enlarged, as frames of that size will be.
        drawn = [generic(number, self._seed, (IMAGE_SIZE // (1 + number % 2),) * 2) for number in rows]
        device = next(stem.parameters()).device
        parts = []
        for first in range(0, len(drawn), 16):
            images = [scene.image for scene in drawn[first : first + 16]]
            parts.append(stem.trunk(to_tensor(images, (IMAGE_SIZE, IMAGE_SIZE), LITE_MEAN, LITE_STD).to(device)))
        return {
            "fine": torch.cat([fine for fine, _ in parts]).cpu().numpy(),
            "coarse": torch.cat([coarse for _, coarse in parts]).cpu().numpy(),
            "words": np.stack([_thinned(scene.words, GRID * _FINE) for scene in drawn]),
        }


def patch_shares(words: Tensor) -> Tensor:
    """Words int64 [batch, rows, columns], a few places a patch -> the share of each patch that each has [batch, patches, words]."""
    every = F.one_hot(words.clamp(max=len(WORDS)), len(WORDS) + 1)[..., : len(WORDS)].movedim(-1, 1).float()
    return F.avg_pool2d(every, _FINE).flatten(2).transpose(1, 2)


def train(
    settings: StreetPairTraining, out: Path, work: Path, progress: Callable[[str, int, int], None] = lambda *_: None,
    checkpoint_every: int = 50, device: torch.device | None = None,
) -> dict[str, float]:  # fmt: skip
    """Train and write the model folder `out`. Arguments, result and promises as those of `mini.train`."""
    model = build_pair(settings).to(device or torch.device("cpu"))
    scenes = GenericScenes(settings, work)
    for done in scenes.prepare(model):
        progress("scenes", done, settings.scenes)
    tokenizer = build_tokenizer()
    schedule = Schedule(
        settings.steps, settings.learning_rate, settings.weight_decay, settings.warm_up, settings.decay_from
    )
    checkpoint = work / f"checkpoint-{_hash(asdict(settings))}.pt"
    means = train_clip(
        model,
        schedule,
        lambda step: step_losses(model, tokenizer, scenes, settings, step),
        checkpoint,
        progress,
        checkpoint_every,
    )
    facts: dict[str, object] = {
        "training": asdict(settings),
        "generator": generator_fingerprint(),
        "oddlens": __version__,
        "losses": means,
    }
    save_model(model, tokenizer, out, facts)
    return means


def step_losses(
    model: ClipModel, tokenizer: Tokenizer, scenes: GenericScenes, settings: StreetPairTraining, step: int
) -> dict[str, Tensor]:
    """The weighted parts of the loss of one step; everything random in it comes from the seed and the step's number."""
    rng = np.random.default_rng([settings.seed, step])
    numbers = [int(number) for number in rng.choice(settings.scenes, settings.batch, replace=False)]
    fine, coarse, shares = scenes.batch(numbers, model.logit_scale.device)
    tokens = tokenizer(sentences(rng))
    texts = F.normalize(model.text(tokens.ids.to(fine.device), tokens.ends.to(fine.device)), dim=-1)

    stem, depth = model.vision.stem, settings.layers
    assert isinstance(stem, HybridStem)
    patches = stem.from_features(fine, coarse).tokens.flatten(2).transpose(1, 2)
    cls = model.vision.class_embedding.expand(len(patches), 1, -1)
    embedded = StemOutput(torch.cat([cls, patches], dim=1) + model.vision.position_embedding, (GRID, GRID), {})
    # Methods read the local stream from the first block on or in the last block only: both shall mean something.
    local_from = (1, depth)[step % 2]
    walked = model.vision.run_blocks(embedded, local_taps=(depth,), local_from=local_from)
    local = F.normalize(model.vision.project(walked.local[depth][:, 1:]), dim=-1)
    pooled = F.normalize(model.vision.project(walked.image), dim=-1)

    seen = shares.sum(dim=1) >= settings.seen
    scene, word = seen.nonzero(as_tuple=True)
    means = F.normalize(torch.einsum("bpw,bpd->bwd", shares, local)[scene, word], dim=-1)
    regions = F.cross_entropy(means @ texts.T / settings.temperature, word)

    share, main = shares.max(dim=-1)
    pure = share >= settings.pure
    each = F.cross_entropy(local[pure] @ texts.T / settings.temperature, main[pure])

    logits = pooled @ texts.T / settings.temperature
    image = contrastive_loss(logits, seen) + contrastive_loss(logits.T, seen.T)
    return {
        "regions": settings.regions * regions,
        "patches": settings.patches * each,
        "image": 0.5 * settings.image * image,
    }


def _thinned(words: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Every n-th pixel, so that `side` are left along each side."""
    step = words.shape[0] // side
    return words[step // 2 :: step, step // 2 :: step]


def _hash(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
