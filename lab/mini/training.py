"""Training of the embedded model: a small ViT and a small text tower, aligned on generated defects over a frozen stem."""

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

from lab.mini.captions import CONTEXT, state_sentences, true_caption, vocabulary
from lab.small_clip import Schedule, fresh_model, save_model, train_clip
from lab.synthetic import TRAIN_CLASSES, generate
from oddlens import __version__
from oddlens.backbone.efficientnet import COARSE_CHANNELS, FINE_CHANNELS, HybridStem
from oddlens.backbone.model import ClipModel
from oddlens.backbone.normalisation import LITE_MEAN, LITE_STD
from oddlens.backbone.pixel_values import to_tensor
from oddlens.backbone.tensors import aligned
from oddlens.backbone.text import TextConfig
from oddlens.backbone.tokenizer import Tokenizer, word_tokenizer
from oddlens.backbone.tower import StemOutput, window_index
from oddlens.backbone.vision import VisionConfig
from oddlens.training.feature_cache import FeatureCache
from oddlens.training.losses import contrastive_loss, dice_loss, focal_loss

GRID = 14
_CELL = 16


@dataclass(frozen=True)
class MiniTraining:
    """How the embedded model is made. The values are those of the released one; all were chosen on held-out generated classes.

    Attributes:
        images: The number of images, generated once; their features are cached on disk.
        temperature: Of every softmax in training.
        defect_share: The share of its area from which a patch counts as defective.
    """

    seed: int = 0
    pictures: int = 4096
    steps: int = 400
    batch: int = 24
    learning_rate: float = 8e-4
    weight_decay: float = 0.05
    warm_up: int = 50
    decay_from: float = 0.65
    temperature: float = 0.01
    defect_share: float = 0.1
    windows: int = 14
    prompts: int = 12
    width: int = 192
    layers: int = 4
    heads: int = 3
    mlp_width: int = 384
    text_width: int = 128
    text_layers: int = 3
    text_heads: int = 2
    embed_dim: int = 128

    def picture_key(self) -> str:
        """What the cached images depend on, as a short hash."""
        facts = [self.seed, GRID, generator_fingerprint()]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


@cache
def generator_fingerprint() -> str:
    """A short hash of what the generator draws today: one image of every training class.

    On processors with other vector instructions it is another one: a few pixels are rounded to the next level.
    """
    digest = hashlib.sha256()
    for name in TRAIN_CLASSES:
        sample = generate(name, 1)
        digest.update(sample.image.tobytes() + sample.mask.tobytes())
    return digest.hexdigest()[:16]


def build_model(settings: MiniTraining) -> ClipModel:
    """The embedded model before training: `fresh_model` in its shape."""
    vision = VisionConfig(
        image_size=GRID * _CELL, patch_size=_CELL, width=settings.width, layers=settings.layers, heads=settings.heads,
        mlp_width=settings.mlp_width, embed_dim=settings.embed_dim, activation="gelu",
    )  # fmt: skip
    words = build_tokenizer()
    text = TextConfig(
        context=CONTEXT, vocabulary=words.size, width=settings.text_width, layers=settings.text_layers,
        heads=settings.text_heads, mlp_width=4 * settings.text_width, embed_dim=settings.embed_dim, activation="gelu",
    )  # fmt: skip
    return fresh_model(vision, text, settings.seed, settings.temperature)


def build_tokenizer() -> Tokenizer:
    """The embedded model's tokenizer: whole words and single characters."""
    return word_tokenizer(vocabulary(), CONTEXT)


class MiniPictures:
    """The training images by number: frozen stem features and patch masks on disk, and what each shows."""

    def __init__(self, settings: MiniTraining, work: Path) -> None:
        self._settings = settings
        self._cache = FeatureCache(
            work / f"pictures-{settings.picture_key()}",
            settings.pictures,
            {
                "fine": ((FINE_CHANNELS, 2 * GRID, 2 * GRID), np.float16),
                "coarse": ((COARSE_CHANNELS, GRID, GRID), np.float16),
                "share": ((GRID, GRID), np.float16),
                "defect": ((), "U16"),
            },
        )

    @property
    def nbytes(self) -> int:
        """Bytes that the features take on disk."""
        return self._cache.nbytes

    def prepare(self, model: ClipModel) -> Iterator[int]:
        """Generate and encode what is not on disk yet; yields the number of images that are ready."""
        stem = model.vision.stem
        assert isinstance(stem, HybridStem)
        yield from self._cache.fill(lambda rows: self._encode(stem, rows))

    def name(self, number: int) -> str:
        """The class of an image."""
        return TRAIN_CLASSES[number % len(TRAIN_CLASSES)]

    def batch(self, numbers: list[int], device: torch.device) -> tuple[Tensor, Tensor, Tensor, list[str | None]]:
        """fine, coarse (float32), the defective share of each patch [batch, 14, 14], and the defects."""
        rows = self._cache.rows(numbers)
        fine, coarse, share = (
            aligned(torch.from_numpy(rows[name].astype(np.float32))).to(device) for name in ("fine", "coarse", "share")
        )
        return fine, coarse, share, [str(defect) or None for defect in rows["defect"]]

    @torch.inference_mode()
    def _encode(self, stem: HybridStem, rows: range) -> dict[str, NDArray[np.generic]]:
        cv2.setNumThreads(1)  # images this small lose by being cut among threads
        samples = [generate(self.name(number), self._settings.seed * 10_000_019 + number) for number in rows]
        device = next(stem.parameters()).device
        images = [sample.image for sample in samples]
        size = (GRID * _CELL, GRID * _CELL)
        parts = [
            stem.trunk(to_tensor(images[first : first + 16], size, LITE_MEAN, LITE_STD).to(device))
            for first in range(0, len(images), 16)
        ]
        masks = np.stack([sample.mask for sample in samples])
        return {
            "fine": torch.cat([fine for fine, _ in parts]).cpu().numpy(),
            "coarse": torch.cat([coarse for _, coarse in parts]).cpu().numpy(),
            "share": masks.reshape(len(samples), GRID, _CELL, GRID, _CELL).mean(axis=(2, 4)),
            "defect": np.array([sample.defect or "" for sample in samples]),
        }


def train(
    settings: MiniTraining, out: Path, work: Path, progress: Callable[[str, int, int], None] = lambda *_: None,
    checkpoint_every: int = 100, device: torch.device | None = None,
) -> dict[str, float]:  # fmt: skip
    """Train and write the model folder `out` (oddlens_model.json, model.safetensors, tokenizer.json).

    The same settings give the same weights on one machine; a step depends on the seed and its number only, so that a resumed run
    equals an undisturbed one.

    Args:
        settings: How the model is made.
        out: The model folder.
        work: The folder for images and checkpoints; a stopped run with the same settings continues from it.
        progress: Called with (stage, done, total).
        checkpoint_every: Steps between two writings of the checkpoint.
        device: Where it trains; None: the CPU.

    Returns:
        The means of the last losses.
    """
    device = device or torch.device("cpu")
    model = build_model(settings).to(device)
    pictures = MiniPictures(settings, work)
    if settings.steps:
        for done in pictures.prepare(model):
            progress("pictures", done, settings.pictures)
    tokenizer = build_tokenizer()
    schedule = Schedule(
        settings.steps, settings.learning_rate, settings.weight_decay, settings.warm_up, settings.decay_from
    )
    checkpoint = work / f"checkpoint-{_settings_key(settings)}.pt"
    means = train_clip(
        model,
        schedule,
        lambda step: step_losses(model, tokenizer, pictures, settings, step),
        checkpoint,
        progress,
        checkpoint_every,
    )
    save_model(
        model,
        tokenizer,
        out,
        {"training": asdict(settings), "generator": generator_fingerprint(), "oddlens": __version__, "losses": means},
    )
    return means


def step_losses(
    model: ClipModel, tokenizer: Tokenizer, pictures: MiniPictures, settings: MiniTraining, step: int
) -> dict[str, Tensor]:
    """The weighted parts of the loss of one step; everything random in it comes from the seed and the step's number."""
    rng = np.random.default_rng([settings.seed, step])
    numbers = [int(number) for number in rng.choice(settings.pictures, settings.batch, replace=False)]
    fine, coarse, share, defects = pictures.batch(numbers, model.logit_scale.device)
    device = fine.device
    captions = [
        true_caption(rng, pictures.name(number), defect) for number, defect in zip(numbers, defects, strict=True)
    ]
    normal, abnormal = (state_sentences(rng, state, settings.prompts) for state in (False, True))

    tokens = tokenizer([*normal, *abnormal, *(caption.text for caption in captions)])
    texts = model.text(tokens.ids.to(device), tokens.ends.to(device))
    states, spoken = texts[: 2 * settings.prompts], F.normalize(texts[2 * settings.prompts :], dim=-1)
    prototypes = F.normalize(states.view(2, settings.prompts, -1).mean(dim=1), dim=-1)

    stem = model.vision.stem
    assert isinstance(stem, HybridStem)
    embedded_tokens = _with_positions(model, stem.from_features(fine, coarse).tokens)
    depth = settings.layers
    features = model.vision.run_blocks(embedded_tokens, taps=(depth,), local_taps=(depth,))
    pooled = F.normalize(model.vision.project(features.image), dim=-1)
    is_abnormal = torch.tensor([defect is not None for defect in defects], device=device)

    same = torch.tensor([
        [
            caption.abnormal == (defect is not None)
            and caption.name in (None, pictures.name(number))
            and caption.defect in (None, defect)
            for caption in captions
        ]
        for number, defect in zip(numbers, defects, strict=True)
    ])  # fmt: skip
    same = same.to(device)
    logits = pooled @ spoken.T / settings.temperature
    contrast = contrastive_loss(logits, same) + contrastive_loss(logits.T, same.T)

    single = pooled @ F.normalize(states, dim=-1).T / settings.temperature
    one_each = single.view(-1, 2, settings.prompts).transpose(1, 2).flatten(0, 1)
    state = F.cross_entropy(pooled @ prototypes.T / settings.temperature, is_abnormal.long())
    state = state + 0.5 * F.cross_entropy(one_each, is_abnormal.long().repeat_interleave(settings.prompts))

    dense = torch.stack([
        _dense_loss(model.vision.project(tokens[:, 1:]), prototypes, share, settings)
        for tokens in (features.taps[depth], features.local[depth])
    ]).sum()  # fmt: skip
    windows = torch.stack(
        [_window_loss(model, embedded_tokens, size, prototypes, share, rng, settings) for size in (2, 3)]
    ).sum()
    return {"contrast": 0.25 * contrast, "state": 0.5 * state, "dense": dense, "windows": 0.5 * windows}


def _with_positions(model: ClipModel, tokens: Tensor) -> StemOutput:
    patches = tokens.flatten(2).transpose(1, 2)
    cls = model.vision.class_embedding.expand(len(patches), 1, -1)
    return StemOutput(torch.cat([cls, patches], dim=1) + model.vision.position_embedding, (GRID, GRID), {})


def _dense_loss(projected: Tensor, prototypes: Tensor, share: Tensor, settings: MiniTraining) -> Tensor:
    """Focal and half a Dice of every patch against the two prototypes."""
    logits = F.normalize(projected, dim=-1) @ prototypes.T / settings.temperature
    probabilities = logits.softmax(dim=-1).transpose(1, 2)
    target = (share.flatten(1) > settings.defect_share).long()
    return 4 * focal_loss(probabilities, target) + 0.5 * dice_loss(probabilities[:, 1], target)


def _window_loss(
    model: ClipModel, tokens: StemOutput, size: int, prototypes: Tensor, share: Tensor, rng: np.random.Generator,
    settings: MiniTraining,
) -> Tensor:  # fmt: skip
    """State cross-entropy of windows embedded on their own, as WinCLIP does; half of them on the defect where there is one."""
    index = window_index(tokens.grid, size)
    content = share.flatten(1).cpu()[:, index].mean(dim=-1)
    chosen, labels = [], []
    for row, window_share in enumerate(content.numpy()):
        on, off = np.flatnonzero(window_share > settings.defect_share), np.flatnonzero(window_share == 0)
        wanted = min(len(on), settings.windows // 2)
        picked = [
            *rng.choice(on, wanted, replace=False),
            *rng.choice(off, min(len(off), settings.windows - wanted), replace=False),
        ]
        chosen += [(row, int(window)) for window in picked]
        labels += [1] * wanted + [0] * (len(picked) - wanted)
    rows, windows = (torch.tensor(values) for values in zip(*chosen, strict=True))
    sequences = torch.cat(
        [tokens.tokens[rows, :1], tokens.tokens[rows[:, None], (index[windows] + 1).to(share.device)]], dim=1
    )
    walked = model.vision.run_blocks(StemOutput(sequences, (size, size), {}))
    logits = F.normalize(model.vision.project(walked.image), dim=-1) @ prototypes.T / settings.temperature
    return F.cross_entropy(logits, torch.tensor(labels, device=share.device))


def _settings_key(settings: MiniTraining) -> str:
    return hashlib.sha256(json.dumps(asdict(settings)).encode()).hexdigest()[:16]
