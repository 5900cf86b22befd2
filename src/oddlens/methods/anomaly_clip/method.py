"""AnomalyCLIP: a local stream of value attention against two learned prompts that say nothing of the object.

Zhou et al., ICLR 2024, arXiv 2310.18961. Where the released code differs from the paper or says more, the code is followed: the
published weights and figures come from it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.methods.anomaly_clip.card import CARD
from oddlens.methods.anomaly_clip.prompts import LearnablePrompts
from oddlens.methods.anomaly_clip.recipe import AnomalyCLIPRecipe
from oddlens.methods.base import Features, Method, Scores, Text
from oddlens.methods.common.maps import abnormal_probability, smooth, square_grid, upsample
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.weights import MethodWeights


class AnomalyCLIP(Method[AnomalyCLIPRecipe]):
    """AnomalyCLIP on a backbone, with learned prompts. It takes no references.

    Features: "image" [batch, embed_dim], unit norm, without ln_post as the code has it; "layer<n>" [batch, patches, embed_dim],
    unit norm, of the local stream. Map: the sum of the layers' abnormal probabilities, in [0, layers]. The score is of "image"
    alone.
    """

    card = CARD

    def __init__(self, backbone: Backbone, recipe: AnomalyCLIPRecipe, weights: MethodWeights | None = None) -> None:
        super().__init__(backbone, recipe, weights)
        learned = self.learned(weights)
        self.prompts = LearnablePrompts(
            backbone.text, backbone.tokenizer, recipe.context_length, recipe.prompt_depth, recipe.deep_tokens
        )
        self.prompts.fill(learned, backbone.card.name)

    @torch.no_grad()
    def encode_prompts(self, object_name: str) -> Text:
        """The learned prompts' features; the object's name plays no part in them."""
        return {"prototypes": self.prompts(self.backbone.text)}

    @property
    def request(self) -> FeatureRequest:
        """The whole image, and the local stream after the recipe's layers."""
        recipe = self.recipe
        return FeatureRequest(
            recipe.image_size,
            recipe.interpolation,
            recipe.position,
            local_taps=recipe.layers,
            local_from=recipe.local_from,
        )

    def encode(self, vision_pass: VisionPass) -> Features:
        """Embeddings of the image and of its patches, layer by layer."""
        features = {"image": F.normalize(vision_pass.vision.project(vision_pass.features.image, norm=False), dim=-1)}
        for layer in self.recipe.layers:
            patches = vision_pass.features.local_patches(layer)
            features[f"layer{layer}"] = F.normalize(vision_pass.vision.project(patches), dim=-1)
        return features

    def score(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """Scores and maps. What is upsampled are probabilities, summed over the layers."""
        recipe, states = self.recipe, text["prototypes"]
        image_score = abnormal_probability(features["image"], states, recipe.temperature)
        layers = [abnormal_probability(features[f"layer{n}"], states, recipe.temperature) for n in recipe.layers]
        patches = torch.stack(layers).sum(dim=0)
        size = recipe.image_size, recipe.image_size
        maps = upsample(patches.view(-1, *square_grid(patches.shape[1])), size, align_corners=False)
        return Scores(image_score, smooth(maps, recipe.sigma))

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """A probability of each layer, summed."""
        return 0.0, float(len(self.recipe.layers))
