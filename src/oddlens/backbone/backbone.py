"""A loaded backbone: the towers on their device, text features cached, and the identity that results are recorded under."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from oddlens.backbone.cache import TextCache
from oddlens.backbone.cards import Card
from oddlens.backbone.model import LoadedModel
from oddlens.backbone.options import Activation, Capabilities, Interpolation
from oddlens.backbone.pixel_values import to_tensor
from oddlens.backbone.tensors import aligned, to_device
from oddlens.backbone.text import TextTower
from oddlens.backbone.tokenizer import Tokenizer
from oddlens.backbone.tower import VisionTower
from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.provenance import ModelIdentity

_TEXT_BATCH = 64


class Backbone:
    """The frozen towers of one model. Safe to call from several threads.

    Attributes:
        card: What is known about the model.
        files: What it was loaded from.
        model_hash: SHA-256 over the contents of the files.
        says_activation: Whether the files say which GELU their weights mean.
        device: Where the towers are.
        mean: Of RGB in [0, 1], which images are normalised by.
        std: Likewise.
        model: The towers.
    """

    def __init__(self, loaded: LoadedModel, card: Card, model_hash: str, device: torch.device) -> None:
        self.card = card
        self.files = loaded.files
        self.says_activation = loaded.says_activation
        self.model_hash = model_hash
        self.device = device
        self.mean, self.std = loaded.mean, loaded.std
        self.model = loaded.model.to(device).eval()
        self._loaded = loaded
        self._own: Backbone | None = None
        self._texts = None if self.model.text is None else TextCache(_text_identity(loaded, model_hash))

    @property
    def vision(self) -> VisionTower:
        """The vision tower."""
        return self.model.vision

    @property
    def has_text(self) -> bool:
        """Whether there is a text tower."""
        return self.model.text is not None

    @property
    def text(self) -> TextTower:
        """The text tower.

        Raises:
            UsageError: The model has none.
        """
        if self.model.text is None:
            raise self._wordless()
        return self.model.text

    @property
    def tokenizer(self) -> Tokenizer:
        """The text tower's tokenizer.

        Raises:
            UsageError: The model has none.
        """
        if self._loaded.tokenizer is None:
            raise self._wordless()
        return self._loaded.tokenizer

    def _wordless(self) -> UsageError:
        return UsageError(
            f"{self.card.name} has no words: give a model with a text tower, a CLIP or a SigLIP (see 'oddlens models')"
        )

    def require(self, needs: Capabilities, who: str) -> None:
        """Check that the model can do what a method needs of it.

        Args:
            needs: What it must be able to do.
            who: The method's name, for the sentence.

        Raises:
            UsageError: It cannot; the sentence names both.
        """
        if lacking := self.model.capabilities.lacking(needs):
            raise UsageError(
                f"{who} needs {lacking[0]}, which {self.card.name} ({self.vision.kind}) does not have: give a CLIP with a ViT as "
                "the model, see 'oddlens models'"
            )

    def with_activation(self, activation: Activation | None) -> Backbone:
        """The same weights, in the same memory, under another GELU variant.

        It is this backbone itself where that is its own variant, for None, and for a model of which there is one variant (SigLIP,
        DINOv2).

        Raises:
            UsageError: None was given, and the model's files do not say which variant its weights mean.
        """
        if activation is None and not self.says_activation:
            raise UsageError(
                f"{self.files[0]} does not say which GELU its weights were trained with: give as activation (on the command line "
                "--set activation=) quick_gelu for OpenAI's, gelu for LAION's and most others"
            )
        if activation is None or self._loaded.activations <= {activation}:
            return self
        other = Backbone(self._loaded.with_activation(activation), self.card, self.model_hash, self.device)
        other._own = self  # keeps the weights' own variant loaded for others that want it
        return other

    @property
    def identity(self) -> ModelIdentity:
        """What results on it are recorded under."""
        return ModelIdentity(name=self.card.name, sha256=self.model_hash, fingerprint=self.fingerprint)

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of the towers' ends, the same for every layout on disk. Learned weights name the model by it."""
        ends = self.vision.ends if self.model.text is None else (*self.vision.ends, self.text.projection.weight)
        digest = hashlib.sha256()
        for end in ends:
            digest.update(end.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def to_pixels(
        self, images: Sequence[Pixels], image_size: int | tuple[int, int], interpolation: Interpolation | None = None
    ) -> Tensor:
        """Images resized to one size and normalised.

        Args:
            images: uint8 [height, width, 3] each.
            image_size: Pixels a side of a square, or (height, width).
            interpolation: How they are resized; None: as the model's makers do.

        Returns:
            float32 [batch, 3, height, width], on the backbone's device.
        """
        size = (image_size, image_size) if isinstance(image_size, int) else image_size
        interpolation = interpolation or self.card.interpolation
        return to_device(to_tensor(images, size, self.mean, self.std, interpolation), self.device)

    @torch.inference_mode()
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Prompt embeddings, float32 [prompts, embed_dim], not normalised; from the disk cache where they are known.

        Raises:
            UsageError: The model has no text tower, or a prompt is too long for it.
        """
        if self._texts is None:
            raise self._wordless()
        known = self._texts.get(prompts)
        if known is not None:
            return aligned(torch.from_numpy(known)).to(self.device)
        features = self._encode_text(prompts)
        self._texts.put(prompts, features.cpu().numpy())
        return features

    def _encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Prompts run in batches of similar length, each cut at its longest EOT, which changes nothing in any text tower."""
        tokens = self.tokenizer(prompts)
        features = torch.empty(len(prompts), self.text.config.embed_dim, device=self.device)
        for part in torch.split(tokens.ends.argsort(), _TEXT_BATCH):
            ends = tokens.ends[part]
            ids = tokens.ids[part, : int(ends.max()) + 1]
            features[part] = self.text(ids.to(self.device), ends.to(self.device))
        return features


def _text_identity(loaded: LoadedModel, model_hash: str) -> str:
    """What prompt embeddings depend on beside the prompts."""
    assert loaded.model.text is not None
    assert loaded.tokenizer is not None
    return f"{model_hash}:{loaded.model.text.config.activation}{':cleaned' if loaded.tokenizer.cleans else ''}"
