"""A model on torch, as names of defects need it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.options import Capabilities, Tap
from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.methods.scoring import AnyModel
from oddlens.teaching.crop_tower import CropsSeen, Vectors


class TorchTower:
    """See `crop_tower.CropTower`."""

    def __init__(self, model: AnyModel, *, with_words: bool) -> None:
        if not isinstance(model, Backbone):
            raise UsageError(f"{model.card.name} cannot name defects: load the detector with runtime 'torch'")
        model.require(Capabilities(patches=True, text=with_words, joint=with_words), "naming defects")
        self._backbone = model
        taps = model.card.reference_taps
        self._tap: Tap = taps[0] if taps else (model.vision.config.layers + 1) // 2
        self.scale = float(model.model.logit_scale.exp()) if with_words else 1.0

    def words(self, prompts: Sequence[str]) -> Vectors:
        """See `CropTower`."""
        embeddings: Vectors = F.normalize(self._backbone.encode_text(prompts), dim=-1).float().cpu().numpy()
        return embeddings

    @torch.inference_mode()
    def see(self, images: Sequence[Pixels], *, embeds: bool) -> CropsSeen:
        """See `CropTower`."""
        backbone, vision = self._backbone, self._backbone.vision
        batch = backbone.to_pixels(images, backbone.card.image_size)
        found = vision.run_blocks(vision.embed(batch), (self._tap,), image=embeds)
        patches: Vectors = F.normalize(found.patches(self._tap), dim=-1).float().cpu().numpy()
        embeddings: Vectors | None = None
        if embeds:
            embeddings = F.normalize(vision.embed_image(found.image), dim=-1).float().cpu().numpy()
        return CropsSeen(embeddings, patches, found.grid)
