"""A loaded backbone: the towers on their device, text features cached, and the identity that results are recorded under."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from oddlens.backbone.cache import TextCache
from oddlens.backbone.cards import Card
from oddlens.backbone.convnext import ConvNextTower
from oddlens.backbone.model import LoadedModel, with_activation
from oddlens.backbone.options import Activation
from oddlens.backbone.text import TextTower
from oddlens.backbone.vision import VisionTower
from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.io.preprocess import to_tensor

_TEXT_BATCH = 64


class Backbone:
    """Two frozen towers of one model.

    card: what is known about the model. files: what it was loaded from. model_hash: SHA-256 over their contents. Safe to
    call from several threads.
    """

    def __init__(self, loaded: LoadedModel, card: Card, model_hash: str, device: torch.device) -> None:
        self.card = card
        self.files = loaded.files
        self.says_activation = loaded.says_activation
        self.model_hash = model_hash
        self.device = device
        self.tokenizer = loaded.tokenizer
        self.mean, self.std = loaded.mean, loaded.std
        self.model = loaded.model.to(device).eval()
        self._own: Backbone | None = None
        self._texts = TextCache(
            f"{model_hash}:{self.text.config.activation}{':cleaned' if self.tokenizer.cleans else ''}"
        )

    @property
    def tower(self) -> VisionTower | ConvNextTower:
        """The vision tower, whatever it is."""
        return self.model.vision

    @property
    def vision(self) -> VisionTower:
        """The vision tower of patches and blocks. Raises `UsageError` where the model has none."""
        tower = self.tower
        if not isinstance(tower, VisionTower):
            raise UsageError(
                f"the vision tower of {self.card.name} is a ConvNeXt, which has no patches and blocks to walk: give a model "
                "with a ViT (a ConvNeXt serves mask decoders only)"
            )
        return tower

    @property
    def text(self) -> TextTower:
        """The text tower."""
        return self.model.text

    def with_activation(self, activation: Activation | None) -> Backbone:
        """The same weights, in the same memory, under another GELU variant; itself where that is its own, or for None.

        Raises `UsageError` for None where the model's files do not say which one its weights mean.
        """
        if activation is None and not self.says_activation:
            raise UsageError(
                f"{self.files[0]} does not say which GELU its weights were trained with: give as activation (on the command line "
                "--set activation=) quick_gelu for OpenAI's, gelu for LAION's and most others"
            )
        towers = [each for each in (self.text, self.tower) if not isinstance(each, ConvNextTower)]
        if activation is None or all(each.config.activation == activation for each in towers):
            return self
        model = with_activation(self.model, activation)
        loaded = LoadedModel(model, self.tokenizer, self.mean, self.std, self.files)
        other = Backbone(loaded, self.card, self.model_hash, self.device)
        other._own = self  # who asks for the weights' own variant meanwhile shall find it loaded
        return other

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of the towers' ends, the same in whatever layout the model lies on disk: what learned weights belong to."""
        digest = hashlib.sha256()
        for end in (*self.tower.ends, self.text.projection.weight):
            digest.update(end.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def to_pixels(
        self, pictures: Sequence[Pixels], image_size: int, interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    ) -> Tensor:
        """Pictures, uint8 [height, width, 3] each, resized to a square and normalised: float32 [batch, 3, size, size]."""
        return to_tensor(pictures, (image_size, image_size), self.mean, self.std, interpolation).to(self.device)

    @torch.inference_mode()
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Text features of prompts, float32 [prompts, embed_dim], not normalised; from the disk cache where they are known."""
        known = self._texts.get(prompts)
        if known is None:
            known = self._encode_text(prompts).cpu()
            self._texts.put(prompts, known)
        return known.to(self.device)

    def _encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Batches of similar length, each cut at its own longest EOT: the tower is causal, so the cut changes nothing."""
        tokens = self.tokenizer(prompts)
        features = torch.empty(len(prompts), self.text.config.embed_dim, device=self.device)
        for part in torch.split(tokens.ends.argsort(), _TEXT_BATCH):
            ends = tokens.ends[part]
            ids = tokens.ids[part, : int(ends.max()) + 1]
            features[part] = self.text(ids.to(self.device), ends.to(self.device))
        return features
