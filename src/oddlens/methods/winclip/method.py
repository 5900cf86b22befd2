"""WinCLIP and WinCLIP+: windows of patches against prompt ensembles, and against windows of good examples.

Jeong et al., CVPR 2023, arXiv 2303.14814. There is no official code; the steps are those of the public ports, with what they do
differently as named recipe values.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.options import Tap
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.methods.base import Features, Method, Scores, Text
from oddlens.methods.common.maps import (
    abnormal_probability,
    harmonic_mean_of_windows,
    square_grid,
    upsample,
    window_means,
)
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.common.prompt_ensemble import prototypes
from oddlens.methods.common.templates import PromptEnsemble, load_states, load_templates
from oddlens.methods.weights import MethodWeights
from oddlens.methods.winclip.card import CARD
from oddlens.methods.winclip.recipe import WinCLIPRecipe


class WinCLIP(Method[WinCLIPRecipe]):
    """WinCLIP on a backbone; WinCLIP+ as soon as `score` is given a memory.

    Features: "image" [batch, embed_dim], unit norm; "window<k>" [batch, windows, embed_dim], unit norm; "reference:<scale>" what is
    matched with the references, [batch, patches or windows, channels]. Map: [0, 1]; with references by fusion [0, 2] or [0, 1].
    """

    card = CARD

    def __init__(self, backbone: Backbone, recipe: WinCLIPRecipe, weights: MethodWeights | None = None) -> None:
        super().__init__(backbone, recipe, weights)
        card_taps = backbone.card.reference_taps
        self._taps: tuple[int | str, ...] = recipe.reference_taps or card_taps or (backbone.vision.config.layers,)
        # Where a model's makers name features for references, windows are compared by them too: as means of their patches.
        self._windows_from_taps = recipe.reference_taps is None and bool(card_taps)

    def encode_prompts(self, object_name: str) -> Text:
        """Prototypes of the object's normal and abnormal states."""
        return {"prototypes": prototypes(self.backbone.encode_text, object_name, self.ensemble)}

    @property
    def ensemble(self) -> PromptEnsemble:
        """The paper's states in the recipe's templates."""
        return PromptEnsemble(load_states("winclip"), load_templates(self.recipe.templates))

    @property
    def request(self) -> FeatureRequest:
        """The whole image, and the taps that references are matched by."""
        return FeatureRequest(self.recipe.image_size, self.recipe.interpolation, self.recipe.position, self._taps)

    def encode(self, vision_pass: VisionPass) -> Features:
        """Embeddings of the image and of its windows, and what the references are matched by."""
        features = {"image": F.normalize(vision_pass.vision.embed_image(vision_pass.features.image), dim=-1)}
        # Each tap is scaled to unit length, so that none drowns another.
        patches = torch.cat([F.normalize(self._tokens(vision_pass, tap), dim=-1) for tap in self._taps], dim=-1)
        features["reference:patch"] = patches
        for size in self.recipe.window_sizes:
            windows = F.normalize(vision_pass.windows(size), dim=-1)
            features[f"window{size}"] = windows
            matched = window_means(patches, vision_pass.grid, size) if self._windows_from_taps else windows
            features[f"reference:window{size}"] = matched
        return features

    def _tokens(self, vision_pass: VisionPass, tap: Tap) -> Tensor:
        """The patches of a tap, as they are compared with the references."""
        tokens = vision_pass.features.patches(tap)
        normed = self.recipe.reference_tokens == "normed" and isinstance(tap, int)
        return vision_pass.vision.normed(tokens) if normed else tokens

    def fit(self, references: Mapping[str, Tensor]) -> MemoryBank:
        """The references' features at every scale."""
        return MemoryBank({name: value for name, value in references.items() if name.startswith("reference:")})

    def score(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """Scores and maps, zero-shot or (with a memory) few-shot: section 4.2 and 4.3."""
        grid = square_grid(features["reference:patch"].shape[1])
        tau, states = self.recipe.temperature, text["prototypes"]
        image_score = abnormal_probability(features["image"], states, tau).double()
        maps = [
            harmonic_mean_of_windows(abnormal_probability(features[f"window{size}"], states, tau), grid, size)
            for size in self.recipe.window_sizes
        ]
        whole = image_score.view(-1, 1, 1).expand_as(maps[0])
        text_map = _harmonic_mean([*maps, whole])
        if memory is None:
            return Scores(image_score, self._upsample(text_map))
        distance = {
            name: memory.distance(name, features[name]) / 2 for name in features if name.startswith("reference:")
        }
        reference_maps = [distance["reference:patch"].double().view(-1, *grid)]
        reference_maps += [
            harmonic_mean_of_windows(distance[f"reference:window{size}"], grid, size)
            for size in self.recipe.window_sizes
        ]
        reference_map = torch.stack(reference_maps).mean(dim=0)
        few_shot = (image_score + reference_map.flatten(1).amax(dim=1)) / 2
        return Scores(few_shot, self._upsample(self._fuse(text_map, reference_map)))

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """Probabilities lie in [0, 1]; their sum with a distance in [0, 2]."""
        return (0.0, 2.0) if with_references and self.recipe.fusion == "sum" else (0.0, 1.0)

    def _fuse(self, text_map: Tensor, reference_map: Tensor) -> Tensor:
        if self.recipe.fusion == "sum":
            return text_map + reference_map
        if self.recipe.fusion == "mean":
            return (text_map + reference_map) / 2
        return _harmonic_mean([text_map, reference_map]) / 2

    def _upsample(self, maps: Tensor) -> Tensor:
        if torch.compiler.is_exporting():  # onnxruntime resizes no float64
            maps = maps.float()
        return upsample(maps, (self.recipe.image_size, self.recipe.image_size), align_corners=False)


def _harmonic_mean(maps: list[Tensor]) -> Tensor:
    """The harmonic mean of maps at every place; 0 where one of them is 0."""
    return len(maps) / torch.stack([1 / part for part in maps]).sum(dim=0)
