"""VL4AD: a street segmented by words, and what no known word explains. arXiv 2409.17330.

The paper gives its formulas and neither code nor lists; what is ours is named so, here and in `vocabulary`, `dense` and `words`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from functools import cache, partial

import torch
from torch import Tensor

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.errors import OddlensWarning, UsageError
from oddlens.methods.base import Features, Method, Scores, Text
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.vl4ad.card import CARD
from oddlens.methods.vl4ad.concepts import ConceptEncoder
from oddlens.methods.vl4ad.dense import DenseMasks, trained_temperature
from oddlens.methods.vl4ad.masks import Masks
from oddlens.methods.vl4ad.recipe import VL4ADRecipe
from oddlens.methods.vl4ad.scores import SCORES, ClassificationRule, ClassMaps, Groups, MaskPredictions, probabilities
from oddlens.methods.vl4ad.vocabulary import Vocabulary
from oddlens.methods.weights import MethodWeights


class VL4AD(Method[VL4ADRecipe]):
    """VL4AD on a backbone. Features: those of its way to masks (`masks.Masks`). Text: see `ConceptEncoder`.

    Map: of the score, at the masks' own resolution. Frames keep their sizes and aspects.
    """

    card = CARD

    def __init__(
        self,
        backbone: Backbone,
        recipe: VL4ADRecipe,
        weights: MethodWeights | None = None,
        *,
        masks: Masks | None = None,
    ) -> None:
        """masks: another way to masks than the recipe's."""
        super().__init__(backbone, recipe, weights)
        self.masks = masks or _way_to_masks(backbone, recipe, weights)
        self._trained_temperature = trained_temperature(backbone)
        self._checked_vocabulary()  # what cannot be is refused before any frame is encoded
        self._words = ConceptEncoder(backbone.encode_text)
        if caution := recipe.caution(backbone.card.name):
            _warn_once(caution)

    def encode_prompts(self, object_name: str) -> Text:
        """The words of the recipe; a street has no object name. Raises `UsageError` for words that the masks do not go with."""
        vocabulary, own = self._checked_vocabulary(), self.masks.text
        if own is None:
            return self._words.text(vocabulary, self.recipe.sentences)
        return own | {"member": torch.tensor(vocabulary.member, device=own["member"].device)}

    @property
    def request(self) -> FeatureRequest:
        """Nothing but the images: the way to masks encodes them itself."""
        return FeatureRequest(self.recipe.image_size, whole=True, short_side=self.masks.short_side)

    def encode(self, vision_pass: VisionPass) -> Features:
        """Masks and their embeddings, before any word."""
        return self.masks.encode(vision_pass)

    def score(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """Maps, the scores of frames, and at every pixel the number of the known class (before merging) that is most probable."""
        names = self.recipe.vocabulary.names
        if torch.compiler.is_exporting():  # frames of one size, all masks real
            anomaly_maps, numbers = self._maps(features, features["embeddings"].shape[1], text)
            return Scores(_highest(anomaly_maps, self.recipe.top), anomaly_maps, labels=numbers, label_names=names)
        maps, labels = [], []
        for number in range(len(features["masks"])):
            frame = {name: value[number] for name, value in features.items()}
            anomaly_map, classes = self._maps(frame, int(frame["masks"]), text)
            maps.append(anomaly_map)
            labels.append(classes)
        scores = torch.stack([_highest(each, self.recipe.top) for each in maps])
        return Scores(scores, maps, labels=labels, label_names=names)

    @property
    def no_export(self) -> str | None:
        """As the way to masks says."""
        return self.masks.no_export

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """Of the score, where masks do not overlap."""
        return SCORES[self.recipe.score].range(len(self.recipe.vocabulary.supers))

    def _checked_vocabulary(self) -> Vocabulary:
        """The words in force. Raises `UsageError` where they contradict each other or do not go with the masks."""
        vocabulary, names = self.recipe.vocabulary, self.masks.names
        if names and (vocabulary.unknown or vocabulary.names != names):
            raise UsageError(
                f"these masks know {', '.join(names)} and no words: leave ood and classes out, or train masks by words"
            )
        if self.recipe.alpha and not self.masks.pooled:
            raise UsageError(
                "alpha mixes the frozen model's own view into that of masks learned by words, and these masks are not: leave it out"
            )
        return vocabulary

    def _maps(self, features: Mapping[str, Tensor], real: int, text: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The anomaly map and the known classes of one frame, or of a batch of equal ones: [..., height, width] each.

        real: how many masks a frame has; the others fill it up to the batch.
        """
        rule = ClassificationRule(self.recipe.merging, self.recipe.void, self.recipe.alpha)
        vocabulary = self.recipe.vocabulary
        groups = Groups(len(vocabulary.columns), len(vocabulary.supers))
        predictions, spread = self._predictions(features, real), partial(self.masks.spread, features)
        batch = features["embeddings"].shape[:-2]

        def seen(merged: bool) -> ClassMaps:
            found = probabilities(predictions, text, rule, merged=merged, groups=groups)
            return ClassMaps(found.view(*batch, real, found.shape[-1]), spread)

        scored = seen(merged=True)
        plain = seen(merged=False) if self.recipe.merge != "none" else scored
        return SCORES[self.recipe.score].map(scored), plain.best[1].to(torch.uint8)

    def _predictions(self, features: Mapping[str, Tensor], real: int) -> MaskPredictions:
        """The real masks, in one row."""
        void, pooled = features.get("void"), features.get("pooled")
        return MaskPredictions(
            features["embeddings"][..., :real, :].flatten(0, -2),
            self.recipe.temperature or self.masks.temperature,
            None if void is None else void[..., :real].flatten(),
            None if pooled is None else pooled[..., :real, :].flatten(0, -2),
            self._trained_temperature,
        )


def _way_to_masks(backbone: Backbone, recipe: VL4ADRecipe, weights: MethodWeights | None) -> Masks:
    if recipe.masks == "decoder":
        if weights is None:
            raise UsageError(
                "masks='decoder' needs weights: make some with 'oddlens train vl4ad', or take masks='dense', which needs none"
            )
        if recipe.local_from is not None or recipe.position != VL4ADRecipe.position:
            raise UsageError("position and local_from are of dense masks: leave them out, or take masks='dense'")
        from oddlens.methods.vl4ad.decoder import DecoderMasks

        return DecoderMasks(
            backbone, weights, short_side=recipe.short_side, window=recipe.window, overlap=recipe.overlap
        )
    if weights is not None:
        raise UsageError(
            "masks='dense' learns nothing, so it takes no weights: leave them out, or take masks='decoder'"
        )
    if recipe.window is not None:
        raise UsageError(
            "window is the side of what goes through a mask decoder: that of dense masks' windows is image_size, give that instead"
        )
    return DenseMasks(
        backbone,
        image_size=recipe.image_size,
        short_side=recipe.short_side,
        overlap=recipe.overlap,
        position=recipe.position,
        local_from=recipe.local_from,
    )


def _highest(maps: Tensor, share: float) -> Tensor:
    """The mean of the highest values of each map: a frame is as odd as its oddest spot, and a lone pixel is no spot."""
    pixels = maps.flatten(-2)
    return pixels.topk(max(1, math.ceil(share * pixels.shape[-1])), dim=-1).values.mean(dim=-1)


@cache
def _warn_once(caution: str) -> None:
    warnings.warn(caution, OddlensWarning, stacklevel=5)
